-- What the reports know of the served tables, as pieces of SQL.
--
-- A report is dynamic SQL in a function: a view over a backend's table would keep its columns from being dropped or
-- retyped. The columns are looked up at each call, so a report shows NULL for one that is gone. The table is locked first,
-- as the report's own statement does anyway, so that no migration comes between the look and the statement.
--
-- Reports run in one process (max_parallel_workers_per_gather = 0): they never take more than one core from the writers.
-- The sessions of a bridge have enable_seqscan off, which would have a report of everything use an index.

-- A session that waits while it holds other locks may make a deadlock, whose victim may be the backend. All waits together
-- end before the server looks for one. Every function that calls this one is VOLATILE, so that it sees what the holder of
-- a lock has committed.
CREATE OR REPLACE FUNCTION notify_bridge.report_lock(relations regclass[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  until CONSTANT timestamptz := clock_timestamp() + notify_bridge.brief_lock_timeout()::interval;
  target regclass;
BEGIN
  FOREACH target IN ARRAY relations LOOP
    PERFORM set_config('lock_timeout', greatest(1, date_part('epoch', until - clock_timestamp()) * 1000)::integer || 'ms', true);
    BEGIN
      EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', target);
    EXCEPTION
      WHEN undefined_table THEN
        NULL; -- It was dropped just now.
      WHEN lock_not_available OR deadlock_detected THEN
        RAISE lock_not_available USING
          MESSAGE = format('%s is locked by another session, such as a migration', target),
          HINT = 'Repeat the report, or name another table as its source.';
    END;
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.report_lock(regclass[]) IS
  'Locks tables against changes of their columns until the end of the transaction. It waits, but for less than deadlock_timeout in all.';

-- The name may be any that SQL would take for the table, with or without the schema and quotes.
CREATE OR REPLACE FUNCTION notify_bridge.report_relations(source text) RETURNS regclass[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parts text[];
  found regclass[];
  names text;
  target record;
BEGIN
  BEGIN
    parts := parse_ident(source);
  EXCEPTION WHEN invalid_parameter_value THEN
    parts := NULL;
  END;
  SELECT array_agg(s.relation ORDER BY s.number), string_agg(format('%I.%I', n.nspname, c.relname), ', ' ORDER BY s.number)
  INTO found, names
  FROM notify_bridge.source AS s JOIN pg_class AS c ON c.oid = s.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE source IS NULL OR parts IN (ARRAY[n.nspname, c.relname]::text[], ARRAY[c.relname]::text[])
    OR source IN (c.relname, n.nspname || '.' || c.relname);
  IF source IS NOT NULL AND coalesce(cardinality(found), 0) <> 1 THEN
    RAISE undefined_table USING
      MESSAGE = CASE WHEN found IS NULL THEN format('%s is not served by notify-bridge', source)
        ELSE format('%s may be %s', source, replace(names, ', ', ' or ')) END,
      HINT = coalesce((SELECT 'These tables are served: ' || string_agg(v.name, ', ' ORDER BY v.number)
        FROM notify_bridge.served AS v WHERE v.name IS NOT NULL), 'No table is served.');
  END IF;
  FOR target IN SELECT f.relation FROM unnest(found) AS f (relation) LOOP
    IF NOT has_table_privilege(target.relation, 'SELECT') THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('%I, which schema notify_bridge belongs to, may not read %s', current_user, target.relation),
        HINT = format('GRANT SELECT ON %s TO %I', target.relation, current_user);
    ELSIF notify_bridge.is_hidden_from(target.relation, current_user) THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('row-level security may hide rows of %s from %I', target.relation, current_user),
        HINT = format('CREATE POLICY notify_bridge ON %s TO %I USING (true)', target.relation, current_user);
    END IF;
  END LOOP;
  RETURN coalesce(found, '{}');
END
$$;

COMMENT ON FUNCTION notify_bridge.report_relations(text) IS
  'The served table of this name, or all of them: those that exist. An error where it is not served, or where a report would not see all of its rows.';

CREATE OR REPLACE FUNCTION notify_bridge.report_tables(source text DEFAULT NULL)
RETURNS TABLE (number integer, name text, relation regclass, id text, id_type text, recipient text, payload text, txid text,
  created text, in_range text, is_sent text, sent_at text, is_read text, read_at text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  relations CONSTANT regclass[] := notify_bridge.report_relations(report_tables.source);
BEGIN
  PERFORM notify_bridge.report_lock(relations);
  RETURN QUERY
  SELECT s.number, format('%I.%I', p.nspname, c.relname), s.relation,
    format('n.%I', s.id_column), of.id::text,
    coalesce('n.' || quote_ident(CASE WHEN of.recipient IS NOT NULL THEN s.recipient_column END), 'NULL::text'),
    s.payload,
    coalesce('n.' || quote_ident(CASE WHEN of.txid = 'xid8'::regtype THEN s.txid_column END), 'NULL::xid8'),
    at.created,
    CASE
      WHEN at.created IS NULL THEN 'true'
      WHEN of.created = 'timestamptz'::regtype THEN
        format(CASE WHEN of.is_required THEN '%s' ELSE '(%s OR %s IS NULL)' END,
          format('n.%1$I >= $1 AND n.%1$I < $2', s.created_column), at.created)
      -- The bounds of the column let an index be used. A time that the clock shows twice is compared as an instant.
      ELSE
        format(CASE WHEN of.is_required THEN '%s' ELSE '(%s OR %s IS NULL)' END,
          format('n.%1$I >= timezone(%2$L, $1) - interval ''1 day'' AND n.%1$I < timezone(%2$L, $2) + interval ''1 day''
            AND %3$s >= $1 AND %3$s < $2', s.created_column, s.created_zone, at.created), at.created)
    END,
    '(' || nullif(concat_ws(' OR ', at.sent || ' IS NOT NULL', flag.sent || ' IS TRUE'), '') || ')', at.sent,
    '(' || nullif(concat_ws(' OR ', at.read || ' IS NOT NULL', flag.read || ' IS TRUE'), '') || ')', at.read
  FROM notify_bridge.source AS s
  JOIN pg_class AS c ON c.oid = s.relation
  JOIN pg_namespace AS p ON p.oid = c.relnamespace
  CROSS JOIN LATERAL (SELECT
    notify_bridge.column_type(s.relation, s.id_column) AS id,
    notify_bridge.column_type(s.relation, s.recipient_column) AS recipient,
    notify_bridge.column_type(s.relation, s.txid_column) AS txid,
    notify_bridge.column_type(s.relation, s.created_column) AS created,
    EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = s.relation AND a.attname = s.created_column AND a.attnotnull) AS is_required
  ) AS of
  CROSS JOIN LATERAL (SELECT
    CASE WHEN notify_bridge.column_type(s.relation, s.sent_column) = 'bool'::regtype THEN format('n.%I', s.sent_column) END,
    CASE WHEN notify_bridge.column_type(s.relation, s.read_column) = 'bool'::regtype THEN format('n.%I', s.read_column) END
  ) AS flag (sent, read)
  CROSS JOIN LATERAL (SELECT
    CASE
      WHEN of.created = 'timestamptz'::regtype THEN format('n.%I', s.created_column)
      WHEN of.created = 'timestamp'::regtype AND s.created_zone IS NOT NULL
        THEN format('(n.%I AT TIME ZONE %L)', s.created_column, s.created_zone)
    END,
    CASE WHEN notify_bridge.column_type(s.relation, s.sent_at_column) = 'timestamptz'::regtype THEN format('n.%I', s.sent_at_column) END,
    CASE WHEN notify_bridge.column_type(s.relation, s.read_at_column) = 'timestamptz'::regtype THEN format('n.%I', s.read_at_column) END
  ) AS at (created, sent, read)
  WHERE s.relation = ANY (relations)
  ORDER BY s.number;
END
$$;

COMMENT ON FUNCTION notify_bridge.report_tables(text) IS
  'The served tables for a report, locked against changes. Expressions are over a row n, and null where the table lacks the column; in_range is a condition with the parameters $1 (since) and $2 (until), true for a row without a time of creation.';

CREATE OR REPLACE FUNCTION notify_bridge.report_rows(source text, is_ranged boolean) RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT '(' || coalesce(string_agg(format(
      'SELECT %s AS number, %s::text AS recipient, %s AS txid, %s AS created, %s AS is_sent, %s AS sent_at, %s AS is_read, %s AS read_at FROM %s AS n WHERE %s',
      t.number, t.recipient, t.txid, coalesce(t.created, 'NULL::timestamptz'), coalesce(t.is_sent, 'NULL::boolean'),
      coalesce(t.sent_at, 'NULL::timestamptz'), coalesce(t.is_read, 'NULL::boolean'), coalesce(t.read_at, 'NULL::timestamptz'),
      t.relation, CASE WHEN is_ranged THEN t.in_range ELSE 'true' END), ' UNION ALL ' ORDER BY t.number),
    'SELECT 0 AS number, NULL::text AS recipient, NULL::xid8 AS txid, NULL::timestamptz AS created, NULL::boolean AS is_sent,
       NULL::timestamptz AS sent_at, NULL::boolean AS is_read, NULL::timestamptz AS read_at WHERE false') || ')'
  FROM notify_bridge.report_tables(source) AS t
$$;

COMMENT ON FUNCTION notify_bridge.report_rows(text, boolean) IS
  'A subquery over all rows of one or all served tables, in the same columns, null where a table lacks one. With is_ranged its parameters are $1 (since) and $2 (until).';
