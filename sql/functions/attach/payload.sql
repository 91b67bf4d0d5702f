-- The payload of an attached table: an expression over its rows.

CREATE OR REPLACE FUNCTION notify_bridge.attach_payload(
  relation regclass, given text, is_known boolean, known_column name, known text,
  OUT payload_column name, OUT expression text, OUT kind text, OUT columns name[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF given IS NULL AND is_known
    AND (known_column IS NULL OR notify_bridge.column_type(relation, known_column) IS NOT NULL)
  THEN
    given := coalesce(known_column::text, known);
  ELSIF given IS NULL OR given = '' THEN
    SELECT g.candidates[1] INTO given FROM notify_bridge.attach_infer(relation) AS g
    WHERE g.part = 'payload' AND cardinality(g.candidates) = 1;
    IF given IS NULL THEN
      RAISE ambiguous_parameter USING
        MESSAGE = format('the payload of %s can''t be inferred: it has no column of type jsonb, or several', relation),
        HINT = 'Name a column or an expression: payload => ''...'' in SQL, --payload ... in a shell; such as '
          'jsonb_build_object(''title'', title, ''text'', text).';
    END IF;
  END IF;
  payload_column := (
    SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
      AND given IN (a.attname, quote_ident(a.attname), 'n.' || quote_ident(a.attname)) ORDER BY a.attname = given DESC LIMIT 1);
  SELECT p.expression, p.kind, p.columns INTO expression, kind, columns
  FROM notify_bridge.attach_expression(relation, coalesce(quote_ident(payload_column), given)) AS p;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_payload(regclass, text, boolean, name, text) IS
  'The payload: the given column or expression, else the recorded one, else the only column of type jsonb or json.';

-- A view that exists during this call reveals the type of the expression and the columns that it reads.
CREATE OR REPLACE FUNCTION notify_bridge.attach_expression(
  relation regclass, given text, OUT expression text, OUT kind text, OUT columns name[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  probe CONSTANT text := format('notify_bridge.attach_probe_%s', pg_backend_pid());
  types oid[];
BEGIN
  expression := CASE WHEN position('--' IN given) > 0 THEN rtrim(given, E'\n') || E'\n' ELSE given END;
  BEGIN
    EXECUTE format('CREATE VIEW %s AS SELECT (%s) AS expression FROM %s AS n', probe, expression, relation);
    types := ARRAY(SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = probe::regclass AND a.attnum > 0);
    columns := ARRAY(
      SELECT a.attname FROM pg_rewrite AS r
      JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
      JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE r.ev_class = probe::regclass AND d.refobjid = relation AND a.attnum > 0
      GROUP BY a.attname ORDER BY a.attname);
    EXECUTE format('DROP VIEW %s', probe);
    IF cardinality(types) <> 1 THEN
      RAISE syntax_error USING MESSAGE = 'it is more than one expression';
    END IF;
    IF types[1] <> ALL ('{jsonb,json}'::regtype[]::oid[]) THEN
      expression := format('to_jsonb(%s)', expression);
    END IF;
    kind := CASE types[1] WHEN 'json'::regtype THEN 'json' ELSE 'jsonb' END;
    -- WHERE allows neither aggregates nor windows nor sets. Some rows are tried, since one that fails would stop them all.
    EXECUTE format('SELECT count(*) FROM (SELECT * FROM %s LIMIT 1000) AS n WHERE (%s) IS NOT NULL', relation, expression);
  EXCEPTION
    WHEN lock_not_available OR insufficient_privilege THEN
      RAISE;
    WHEN OTHERS THEN
      RAISE EXCEPTION USING
        ERRCODE = SQLSTATE,
        MESSAGE = format('the payload can''t be used: %s', SQLERRM),
        HINT = format('It is a column of %s, or an SQL expression over a row, such as '
          'jsonb_build_object(''title'', title). Functions of your own need their schema.', relation);
  END;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_expression(regclass, text) IS
  'Checks an expression over a table''s rows, and returns it as notify_bridge.source holds it: of type jsonb or json, and valid within parentheses.';
