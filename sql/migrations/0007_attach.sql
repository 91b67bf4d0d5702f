-- Tables that a backend has already: attach has them served, detach leaves them as they were.
--
-- A row of such a table is new where its txid is set. So the column comes without a default, which old rows keep as
-- NULL, and gets its default in a second step of the same transaction, in which the trigger comes too. That
-- transaction holds the table for itself: what was written before has no txid, what comes after has one and rings.

ALTER TABLE notify_bridge.source
  ADD COLUMN payload_columns name[] NOT NULL DEFAULT '{}',
  ADD COLUMN added jsonb NOT NULL DEFAULT '{}';
UPDATE notify_bridge.source SET payload_columns = ARRAY[payload_column];

COMMENT ON COLUMN notify_bridge.source.payload_columns IS 'The columns that payload is made of.';
COMMENT ON COLUMN notify_bridge.source.added IS
  'What attach added to the table, for detach to take away again: columns. And name, which tells people what a dropped table was.';
COMMENT ON COLUMN notify_bridge.source.first_txid IS
  'The oldest transaction that could write to the table after it was added: rows with a txid below it are not new.';

-- As before, and a column that became another type is a problem too.
CREATE OR REPLACE VIEW notify_bridge.served AS
SELECT s.relation, s.is_own, s.first_txid, s.attached_at, s.purged_txid, s.number, s.id_column, s.id_kind,
  s.recipient_column, s.recipient_kind, s.payload, s.payload_kind, s.payload_column, s.txid_column, s.sent_column,
  s.sent_at_column, s.created_column, s.read_column, s.read_at_column, s.retention_days,
  CASE WHEN c.oid IS NOT NULL THEN format('%I.%I', n.nspname, c.relname) END AS name,
  c.oid IS NOT NULL AND EXISTS (
    SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = 1
      AND a.attname = s.id_column) AS has_unique_id,
  CASE
    WHEN c.oid IS NULL THEN 'the table was dropped' || coalesce(': it was ' || (s.added ->> 'name'), '')
    WHEN wrong.problem IS NOT NULL THEN wrong.problem
    WHEN NOT EXISTS (
      SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND a.attname = s.txid_column)
      THEN format('there is no valid index on (%I)', s.txid_column)
    WHEN NOT EXISTS (
      SELECT FROM pg_index AS i
      JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      JOIN pg_attribute AS b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[1]
      WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
        AND a.attname = s.recipient_column AND b.attname = s.txid_column)
      THEN format('there is no valid index on (%I, %I)', s.recipient_column, s.txid_column)
  END AS problem
FROM notify_bridge.source AS s
LEFT JOIN pg_class AS c ON c.oid = s.relation
LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT
  CASE s.id_kind WHEN 'integer' THEN '{int2,int4,int8}' WHEN 'uuid' THEN '{uuid}' ELSE '{text,varchar}' END::regtype[],
  CASE s.recipient_kind WHEN 'integer' THEN '{int2,int4,int8}' WHEN 'uuid' THEN '{uuid}' ELSE '{text,varchar}' END::regtype[],
  CASE WHEN s.payload = quote_ident(s.payload_column) THEN ARRAY[s.payload_kind::regtype] END
) AS expected (id, recipient, payload)
LEFT JOIN LATERAL (
  SELECT CASE
    WHEN a.attname IS NULL THEN format('column %I is missing: it was renamed or dropped', k.name)
    ELSE format('column %I is %s now: attach the table again', k.name, format_type(a.atttypid, a.atttypmod))
  END AS problem
  FROM (VALUES
    (1, s.id_column, expected.id), (2, s.recipient_column, expected.recipient), (3, s.payload_column, expected.payload),
    (4, s.txid_column, '{xid8}'), (5, s.sent_column, '{bool}'), (6, s.sent_at_column, '{timestamptz}'),
    (7, s.created_column, '{timestamptz}'), (8, s.read_column, '{bool}'), (9, s.read_at_column, '{timestamptz}')
    UNION ALL
    SELECT 10, p.name, NULL FROM unnest(s.payload_columns) AS p (name)
  ) AS k (place, name, types)
  LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_type AS t ON t.oid = a.atttypid
  WHERE k.name IS NOT NULL
    AND (a.attname IS NULL OR coalesce(nullif(t.typbasetype, 0), t.oid) <> ALL (k.types::oid[]))
  ORDER BY k.place LIMIT 1) AS wrong ON true;

-- ------------------------------------------------------------------------------------------ what a table is like

CREATE FUNCTION notify_bridge.tables_of(relation regclass)
RETURNS TABLE (relid regclass, parent regclass, is_leaf boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.relid, t.parentrelid, t.isleaf FROM pg_partition_tree(relation) AS t
  UNION
  SELECT c.oid::regclass, NULL, true FROM pg_class AS c
  WHERE c.oid = relation AND c.relkind <> 'p' AND NOT c.relispartition
$$;

COMMENT ON FUNCTION notify_bridge.tables_of(regclass) IS
  'The table, and where it is partitioned all tables below it.';

CREATE FUNCTION notify_bridge.column_type(relation regclass, column_name name) RETURNS regtype
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(nullif(t.typbasetype, 0), t.oid)::regtype
  FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
  WHERE a.attrelid = relation AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped
$$;

COMMENT ON FUNCTION notify_bridge.column_type(regclass, name) IS
  'The type of a column, of a domain the one below it; null where there is no such column.';

CREATE FUNCTION notify_bridge.kind_of(type regtype) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN type = ANY ('{int2,int4,int8}'::regtype[]) THEN 'integer'
    WHEN type = 'uuid'::regtype THEN 'uuid'
    WHEN type = ANY ('{text,varchar}'::regtype[]) THEN 'text'
  END
$$;

COMMENT ON FUNCTION notify_bridge.kind_of(regtype) IS
  'What a bridge takes a type for, as in notify_bridge.source.id_kind; null where it can''t compare it.';

CREATE FUNCTION notify_bridge.attach_guess(relation regclass) RETURNS TABLE (part text, candidates name[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH columns AS (
    SELECT a.attname AS name, lower(a.attname) AS word, a.attnum AS place,
      notify_bridge.column_type(relation, a.attname) AS type
    FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
  ), users AS ( -- by its name, or because Django's own tables point to it
    SELECT u.oid FROM pg_class AS u
    WHERE u.relname ~* '(user|account|member|person|people|customer)s?$' OR EXISTS (
      SELECT FROM pg_constraint AS k JOIN pg_class AS d ON d.oid = k.conrelid
      WHERE k.contype = 'f' AND k.confrelid = u.oid AND d.relname IN ('authtoken_token', 'django_admin_log'))
  ), pointing AS (
    SELECT c.name FROM columns AS c WHERE EXISTS (
      SELECT FROM pg_constraint AS k JOIN users AS u ON u.oid = k.confrelid
      WHERE k.conrelid = relation AND k.contype = 'f' AND k.conkey = ARRAY[c.place])
  ), keys AS ( -- a partition key has to be in the primary key, and names no row
    SELECT c.name, c.word FROM columns AS c
    JOIN pg_index AS i ON i.indrelid = relation AND i.indisprimary AND c.place = ANY (i.indkey::int2[])
    WHERE notify_bridge.kind_of(c.type) IS NOT NULL AND (i.indnkeyatts = 1 OR NOT EXISTS (
      SELECT FROM pg_partitioned_table AS p WHERE p.partrelid = relation AND c.place = ANY (p.partattrs::int2[])))
  ), documents AS (
    SELECT c.name, c.word FROM columns AS c WHERE c.type = ANY ('{jsonb,json}'::regtype[])
  ), words (part, type, list) AS (VALUES
    ('sent', 'bool'::regtype, '{is_sent,sent}'::text[]),
    ('created', 'timestamptz', '{created_at,created,created_on,date_created,inserted_at,timestamp}'),
    ('read', 'bool', '{is_read,read,is_seen,seen}'),
    ('read_at', 'timestamptz', '{read_at,read_on,seen_at}')
  )
  SELECT 'recipient', ARRAY(
    SELECT p.name FROM pointing AS p
    UNION
    SELECT c.name FROM columns AS c
    WHERE c.word IN ('recipient_id', 'recipient', 'user_id', 'user') AND notify_bridge.kind_of(c.type) IS NOT NULL
    ORDER BY 1)
  UNION ALL
  SELECT 'id', coalesce((SELECT ARRAY[k.name] FROM keys AS k WHERE k.word = 'id'),
    ARRAY(SELECT k.name FROM keys AS k ORDER BY 1))
  UNION ALL
  SELECT 'payload', coalesce((SELECT ARRAY[d.name] FROM documents AS d WHERE d.word = 'data'),
    ARRAY(SELECT d.name FROM documents AS d ORDER BY 1))
  UNION ALL
  SELECT w.part, ARRAY(
    SELECT c.name FROM columns AS c WHERE c.word = ANY (w.list) AND c.type = w.type ORDER BY array_position(w.list, c.word))
  FROM words AS w
$$;

COMMENT ON FUNCTION notify_bridge.attach_guess(regclass) IS
  'For each part of what attach has to know, the columns that look like it.';

CREATE FUNCTION notify_bridge.attach_column(
  relation regclass, part text, given name, is_known boolean, known name, VARIADIC types regtype[]) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  is_required CONSTANT boolean := part IN ('recipient', 'id');
  candidates name[];
  chosen name := given;
BEGIN
  IF given = '' AND NOT is_required THEN
    RETURN NULL;
  END IF;
  IF given IS NULL AND is_known AND (known IS NULL OR notify_bridge.column_type(relation, known) IS NOT NULL) THEN
    chosen := known;
  ELSIF given IS NULL OR given = '' THEN
    SELECT g.candidates INTO candidates FROM notify_bridge.attach_guess(relation) AS g WHERE g.part = attach_column.part;
    IF NOT is_required THEN
      chosen := candidates[1];
    -- Who wrote a row is not whom it is for.
    ELSIF cardinality(candidates) <> 1 OR candidates[1] ~* '(actor|sender|author|creator|owner|by|from)(_id)?$' THEN
      RAISE ambiguous_parameter USING
        MESSAGE = format('the %s of %s can''t be guessed: %s', part, relation, CASE
          WHEN candidates = '{}' THEN 'no column looks like it'
          ELSE format('it may be %s', array_to_string(candidates, ' or ')) END),
        HINT = format('Name the column: %s => ''…'' in SQL, --%s … in a shell.', part, part);
    ELSE
      chosen := candidates[1];
    END IF;
  ELSIF notify_bridge.column_type(relation, given) IS NULL THEN
    RAISE undefined_column USING
      MESSAGE = format('%s has no column %I', relation, given),
      HINT = (SELECT 'It has ' || string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute AS a
        WHERE a.attrelid = relation AND a.attnum BETWEEN 1 AND 40 AND NOT a.attisdropped);
  END IF;
  IF chosen IS NOT NULL AND notify_bridge.column_type(relation, chosen) <> ALL (types) THEN
    RAISE datatype_mismatch USING
      MESSAGE = format('column %I of %s is %s, which can''t be its %s', chosen, relation,
        notify_bridge.column_type(relation, chosen), part),
      HINT = format('It has to be %s.',
        CASE WHEN part IN ('sent', 'read') THEN 'boolean or timestamptz' ELSE array_to_string(types, ', ') END);
  END IF;
  RETURN chosen;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_column(regclass, text, name, boolean, name, regtype[]) IS
  'The column for a part: the one given (empty: none), else the one known from before, else a guess. An error where it can''t be that one, or can''t be guessed.';

-- A view that lives as long as this call tells what the expression is: its type, and which columns it reads.
CREATE FUNCTION notify_bridge.attach_payload(relation regclass, given text, OUT expression text, OUT kind text, OUT columns name[])
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
    -- WHERE takes neither aggregates nor windows nor sets. Some rows are tried: one that fails would stop them all.
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

COMMENT ON FUNCTION notify_bridge.attach_payload(regclass, text) IS
  'Checks an expression over a table''s rows, and returns it as notify_bridge.source has it: of type jsonb or json, so that it can stand in parentheses.';

CREATE FUNCTION notify_bridge.attach_allowed(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  it record;
  other record;
  why text;
BEGIN
  SELECT c.relkind, c.relpersistence, c.relispartition, n.oid AS schema_oid, n.nspname AS schema_name INTO it
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = relation;
  why := CASE
    WHEN it IS NULL THEN 'does not exist'
    WHEN it.schema_name IN ('pg_catalog', 'information_schema', 'pg_toast') THEN 'belongs to PostgreSQL'
    WHEN it.schema_name = 'notify_bridge' THEN 'belongs to notify-bridge'
    WHEN it.relkind NOT IN ('r', 'p') THEN 'is no table: attach the one that rows are inserted into'
    WHEN it.relpersistence = 't' THEN 'is temporary: no other session sees its rows'
    WHEN it.relispartition THEN format('is a partition: attach %s', pg_partition_root(relation))
    WHEN EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = relation
        OR i.inhparent = relation AND it.relkind = 'r')
      THEN 'inherits from another table, or another one from it: only declarative partitions can be served'
  END;
  IF why IS NOT NULL THEN
    RAISE wrong_object_type USING MESSAGE = format('%s %s', relation, why);
  END IF;
  FOR other IN
    SELECT t.relid, c.relkind, r.rolname FROM notify_bridge.tables_of(relation) AS t
    JOIN pg_class AS c ON c.oid = t.relid JOIN pg_roles AS r ON r.oid = c.relowner
  LOOP
    IF other.relkind NOT IN ('r', 'p') THEN
      RAISE wrong_object_type USING MESSAGE = format('partition %s is a foreign table', other.relid);
    ELSIF NOT pg_has_role(other.rolname, 'USAGE') THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('%s belongs to %I, and %I may not change it', other.relid, other.rolname, current_user),
        HINT = format('Run it as a role that has both: GRANT %I TO %I', other.rolname, current_user);
    END IF;
  END LOOP;
  IF NOT has_schema_privilege(it.schema_oid, 'CREATE') THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('%I may not create indexes in schema %I', current_user, it.schema_name),
      HINT = format('GRANT CREATE ON SCHEMA %I TO %I', it.schema_name, current_user);
  END IF;
  FOR other IN -- what resends and purges runs as the owner of the schema
    SELECT r.rolname, has_table_privilege(r.oid, relation, 'SELECT') AND has_table_privilege(r.oid, relation, 'UPDATE')
      AND has_table_privilege(r.oid, relation, 'DELETE') AS is_enough
    FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner WHERE n.nspname = 'notify_bridge'
  LOOP
    IF NOT pg_has_role(other.rolname, 'USAGE') THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('schema notify_bridge belongs to %I, and %I may not change it', other.rolname, current_user),
        HINT = format('Run it as a role that has both: GRANT %I TO %I', other.rolname, current_user);
    ELSIF NOT other.is_enough THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('%I, which schema notify_bridge belongs to, may not change %s', other.rolname, relation),
        HINT = format('GRANT SELECT, UPDATE, DELETE ON %s TO %I', relation, other.rolname);
    END IF;
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_allowed(regclass) IS
  'An error where the table is none that can be attached, or the caller lacks a right that attaching needs.';

CREATE FUNCTION notify_bridge.attach_plan(
  relation regclass, recipient name DEFAULT NULL, id name DEFAULT NULL, payload text DEFAULT NULL,
  sent name DEFAULT NULL, created name DEFAULT NULL, read name DEFAULT NULL, retention_days integer DEFAULT NULL)
RETURNS notify_bridge.source
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  keys CONSTANT regtype[] := '{int2,int4,int8,uuid,text,varchar}';
  known notify_bridge.source;
  plan notify_bridge.source;
  is_known boolean;
  given text := payload;
BEGIN
  PERFORM notify_bridge.attach_allowed(relation);
  SELECT s.* INTO known FROM notify_bridge.source AS s WHERE s.relation = attach_plan.relation;
  is_known := FOUND;
  plan := known;
  plan.relation := relation;
  plan.is_own := coalesce(known.is_own, false);

  plan.recipient_column := notify_bridge.attach_column(
    relation, 'recipient', recipient, is_known, known.recipient_column, VARIADIC keys);
  plan.recipient_kind := notify_bridge.kind_of(notify_bridge.column_type(relation, plan.recipient_column));
  plan.id_column := notify_bridge.attach_column(relation, 'id', id, is_known, known.id_column, VARIADIC keys);
  plan.id_kind := notify_bridge.kind_of(notify_bridge.column_type(relation, plan.id_column));
  IF NOT EXISTS (
    SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
    WHERE i.indrelid = relation AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND a.attnotnull
      AND a.attname = plan.id_column
      AND (i.indnkeyatts = 1 OR EXISTS (SELECT FROM pg_partitioned_table AS p WHERE p.partrelid = relation)))
  THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('column %I of %s does not name a row: it may be null, or no unique index has it', plan.id_column, relation),
      HINT = 'Name another column as id, or make this one the primary key.';
  END IF;

  -- A column of either type can be given; the other one is guessed.
  plan.sent_column := notify_bridge.attach_column(relation, 'sent',
    CASE WHEN notify_bridge.column_type(relation, sent) IS DISTINCT FROM 'timestamptz'::regtype THEN sent END,
    is_known, known.sent_column, 'bool');
  plan.sent_at_column := CASE
    WHEN notify_bridge.column_type(relation, sent) = 'timestamptz'::regtype THEN sent
    WHEN notify_bridge.column_type(relation, known.sent_at_column) IS NOT NULL THEN known.sent_at_column
    WHEN notify_bridge.column_type(relation, 'sent_at') IS NULL THEN 'sent_at'
    ELSE 'notify_bridge_sent_at' END;
  plan.read_column := notify_bridge.attach_column(relation, 'read',
    CASE WHEN notify_bridge.column_type(relation, read) IS DISTINCT FROM 'timestamptz'::regtype THEN read END,
    is_known, known.read_column, 'bool');
  plan.read_at_column := notify_bridge.attach_column(relation, 'read_at',
    CASE WHEN read = '' OR notify_bridge.column_type(relation, read) = 'timestamptz'::regtype THEN read END,
    is_known, known.read_at_column, 'timestamptz');
  plan.created_column := notify_bridge.attach_column(
    relation, 'created', created, is_known, known.created_column, 'timestamptz');
  plan.txid_column := CASE
    WHEN notify_bridge.column_type(relation, known.txid_column) IS NOT NULL THEN known.txid_column
    WHEN notify_bridge.column_type(relation, 'txid') IS NULL THEN 'txid'
    ELSE 'notify_bridge_txid' END;
  plan.retention_days := nullif(coalesce(retention_days, known.retention_days), 0);
  IF retention_days < 0 OR retention_days > 0 AND plan.is_own THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('the retention of %s can''t be %s days', relation, retention_days),
      HINT = 'That of an attached table is at least a day, or 0 for none; that of our own is a setting of the bridge.';
  ELSIF plan.retention_days IS NOT NULL AND plan.created_column IS NULL THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('%s has no column that says when a row was made, which the retention goes by', relation),
      HINT = 'Name a timestamptz column as created, or attach without retention days.';
  ELSIF NOT is_known AND (
    plan.txid_column = 'notify_bridge_txid' AND notify_bridge.column_type(relation, 'notify_bridge_txid') IS NOT NULL
    OR plan.sent_at_column = 'notify_bridge_sent_at' AND sent IS DISTINCT FROM 'notify_bridge_sent_at'
      AND notify_bridge.column_type(relation, 'notify_bridge_sent_at') IS NOT NULL) THEN
    RAISE duplicate_column USING
      MESSAGE = format('%s has columns called notify_bridge_…, which attach did not add', relation),
      HINT = 'Rename or drop them: they may be left from a copy of an attached table.';
  ELSIF EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0
    AND (a.attname = plan.sent_at_column AND a.attnotnull OR a.attgenerated <> ''
      AND a.attname IN (plan.sent_column, plan.sent_at_column, plan.read_column, plan.read_at_column))) THEN
    RAISE datatype_mismatch USING
      MESSAGE = format('a column of %s that the bridge has to set can''t be set: it is generated, or is never null', relation),
      HINT = 'The time of sending has to be null before; neither it nor is_sent and is_read may be generated.';
  END IF;

  IF given IS NULL AND is_known AND (known.payload_column IS NULL
    OR notify_bridge.column_type(relation, known.payload_column) IS NOT NULL)
  THEN
    given := coalesce(known.payload_column::text, known.payload);
  ELSIF given IS NULL OR given = '' THEN
    SELECT g.candidates[1] INTO given FROM notify_bridge.attach_guess(relation) AS g
    WHERE g.part = 'payload' AND cardinality(g.candidates) = 1;
    IF given IS NULL THEN
      RAISE ambiguous_parameter USING
        MESSAGE = format('the payload of %s can''t be guessed: it has no column of type jsonb, or several', relation),
        HINT = 'Name a column or an expression: payload => ''…'' in SQL, --payload … in a shell; such as '
          'jsonb_build_object(''title'', title, ''text'', text).';
    END IF;
  END IF;
  plan.payload_column := (
    SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
      AND given IN (a.attname, quote_ident(a.attname), 'n.' || quote_ident(a.attname)) ORDER BY a.attname = given DESC LIMIT 1);
  SELECT p.expression, p.kind, p.columns INTO plan.payload, plan.payload_kind, plan.payload_columns
  FROM notify_bridge.attach_payload(relation, coalesce(quote_ident(plan.payload_column), given)) AS p;

  plan.added := jsonb_build_object('name', relation::text, 'columns', coalesce(known.added -> 'columns', '[]') || (
    SELECT coalesce(jsonb_agg(c.name), '[]') FROM unnest(ARRAY[plan.txid_column, plan.sent_at_column]) AS c (name)
    WHERE notify_bridge.column_type(relation, c.name) IS NULL AND NOT coalesce(known.added -> 'columns', '[]') ? c.name));
  RETURN plan;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_plan(regclass, name, name, text, name, name, name, integer) IS
  'What attach would record of a table: what is given, else what is recorded already, else a guess. Changes nothing.';

-- ---------------------------------------------------------------------------------------------- attach and detach

CREATE FUNCTION notify_bridge.index_steps(relation regclass, online boolean DEFAULT true)
RETURNS TABLE (what text, statement text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH wanted AS (
    SELECT t.relid, t.parent, t.is_leaf, k.columns, (
      SELECT string_agg(quote_ident(u.name), ', ' ORDER BY u.place)
      FROM unnest(k.columns) WITH ORDINALITY AS u (name, place)) AS list
    FROM notify_bridge.source AS s, notify_bridge.tables_of(s.relation) AS t,
      LATERAL (VALUES (ARRAY[s.txid_column]), (ARRAY[s.recipient_column, s.txid_column])) AS k (columns)
    WHERE s.relation = index_steps.relation
  ), present AS (
    SELECT w.relid, w.columns, i.indexrelid, i.indisvalid,
      EXISTS (SELECT FROM pg_inherits AS h WHERE h.inhrelid = i.indexrelid) AS is_attached
    FROM wanted AS w JOIN pg_index AS i ON i.indrelid = w.relid
    JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam AND m.amname = 'btree'
    WHERE i.indpred IS NULL AND i.indexprs IS NULL AND NOT i.indisunique AND w.columns = ARRAY(
      SELECT a.attname FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
      JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place)
  ), word AS (
    SELECT CASE WHEN online THEN ' CONCURRENTLY' ELSE '' END AS mode
  ), steps AS (
    SELECT 1 AS place, format('removed the invalid index %s', p.indexrelid::regclass) AS what,
      format('DROP INDEX%s %s', mode, p.indexrelid::regclass) AS statement
    FROM wanted AS w JOIN present AS p USING (relid, columns), word WHERE w.is_leaf AND NOT p.indisvalid
    UNION ALL
    SELECT 2, format('added an index on (%s) of %s', w.list, w.relid),
      format('CREATE INDEX%s ON %s (%s)', mode, w.relid, w.list)
    FROM wanted AS w, word
    WHERE w.is_leaf AND NOT EXISTS (SELECT FROM present AS p WHERE p.relid = w.relid AND p.columns = w.columns)
    UNION ALL
    SELECT 3, format('added an index on (%s) of %s, to be filled by its partitions', w.list, w.relid),
      format('CREATE INDEX ON ONLY %s (%s)', w.relid, w.list)
    FROM wanted AS w
    WHERE NOT w.is_leaf AND NOT EXISTS (SELECT FROM present AS p WHERE p.relid = w.relid AND p.columns = w.columns)
    UNION ALL
    SELECT 4, format('added %s to the index of %s', child.indexrelid::regclass, w.parent),
      format('ALTER INDEX %s ATTACH PARTITION %s', above.indexrelid::regclass, child.indexrelid::regclass)
    FROM wanted AS w
    JOIN present AS child ON child.relid = w.relid AND child.columns = w.columns
    JOIN present AS above ON above.relid = w.parent AND above.columns = w.columns
    WHERE NOT child.is_attached AND (child.indisvalid OR NOT w.is_leaf)
  )
  SELECT s.what, s.statement FROM steps AS s ORDER BY s.place, s.statement
$$;

COMMENT ON FUNCTION notify_bridge.index_steps(regclass, boolean) IS
  'What is left to do for the indexes of an attached table, as far as it can be done now: run the first, each in a transaction of its own, and ask again until there is none.';

CREATE FUNCTION notify_bridge.attach_add(plan notify_bridge.source) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  it record;
  tables integer := 0;
BEGIN
  IF notify_bridge.column_type(plan.relation, plan.txid_column) IS NULL THEN
    EXECUTE format('ALTER TABLE %s ADD COLUMN %I xid8', plan.relation, plan.txid_column);
    EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', plan.relation, plan.txid_column,
      'NotifyBridge: the transaction that wrote the row; leave it to the default.');
    RETURN NEXT format('column %I (xid8): the transaction that wrote a row, null for rows from before', plan.txid_column);
  END IF;
  IF notify_bridge.column_type(plan.relation, plan.sent_at_column) IS NULL THEN
    EXECUTE format('ALTER TABLE %s ADD COLUMN %I timestamptz', plan.relation, plan.sent_at_column);
    EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', plan.relation, plan.sent_at_column, 'NotifyBridge: when the row was sent.');
    RETURN NEXT format('column %I (timestamptz): when a row was sent', plan.sent_at_column);
  END IF;
  -- Not together with the column: then all old rows would have it.
  EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT pg_current_xact_id()', plan.relation, plan.txid_column);
  FOR it IN
    SELECT t.relid, g.tgname FROM notify_bridge.tables_of(plan.relation) AS t
    LEFT JOIN pg_trigger AS g ON g.tgrelid = t.relid AND g.tgfoid = 'notify_bridge.ring()'::regprocedure
    WHERE g.tgenabled IS DISTINCT FROM 'A' ORDER BY t.relid
  LOOP
    IF it.tgname IS NULL THEN
      it.tgname := 'notify_bridge_ring';
      EXECUTE format('CREATE TRIGGER notify_bridge_ring AFTER INSERT ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION notify_bridge.ring()', it.relid);
      EXECUTE format('COMMENT ON TRIGGER notify_bridge_ring ON %s IS %L', it.relid,
        'Wakes NotifyBridge when it waits for rows.');
    END IF;
    -- ALWAYS: rows written under session_replication_role = replica must ring too.
    EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %I', it.relid, it.tgname);
    tables := tables + 1;
  END LOOP;
  IF tables > 0 THEN
    RETURN NEXT 'trigger notify_bridge_ring: wakes the bridge, once for each INSERT statement'
      || CASE WHEN tables > 1 THEN format(' (on each of %s tables)', tables) ELSE '' END;
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_add(notify_bridge.source) IS
  'Adds to a table what the plan has and the table has not, and returns what it was.';

CREATE FUNCTION notify_bridge.attach_is_complete(plan notify_bridge.source) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT notify_bridge.column_type(plan.relation, plan.sent_at_column) IS NOT NULL
    AND EXISTS (SELECT FROM pg_attribute AS a
      WHERE a.attrelid = plan.relation AND a.attname = plan.txid_column AND a.atthasdef AND NOT a.attisdropped)
    AND NOT EXISTS (SELECT FROM notify_bridge.tables_of(plan.relation) AS t WHERE NOT EXISTS (
      SELECT FROM pg_trigger AS g
      WHERE g.tgrelid = t.relid AND g.tgfoid = 'notify_bridge.ring()'::regprocedure AND g.tgenabled = 'A'))
$$;

COMMENT ON FUNCTION notify_bridge.attach_is_complete(notify_bridge.source) IS
  'Whether the table has all that attach adds, apart from indexes: then it need not be locked.';

CREATE FUNCTION notify_bridge.attach_notes(plan notify_bridge.source) RETURNS TABLE (step text, what text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT 'todo', format('As the owner: SELECT notify_bridge.grant_to(%L), which that bridge''s role needs for %s', r.rolname, plan.relation)
  FROM pg_proc AS p, aclexplode(p.proacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
  WHERE p.oid = 'notify_bridge.register_replica(text, text, integer, text)'::regprocedure AND a.grantee <> p.proowner
    AND NOT (has_table_privilege(r.oid, plan.relation, 'SELECT')
      AND has_column_privilege(r.oid, plan.relation, plan.sent_at_column, 'UPDATE'))
  UNION ALL
  SELECT 'note', format('marking a row sent is cheaper without the index %s, which it has to update', i.indexrelid::regclass)
  FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid
  WHERE i.indrelid = plan.relation AND a.attname IN (plan.sent_column, plan.sent_at_column)
    AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (
      SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))
  UNION ALL
  SELECT 'note', format('marking a row sent is cheaper with room in its page: ALTER TABLE %s SET (fillfactor = 50), for rows to come%s',
    min(t.relid::text), CASE WHEN count(*) > 1 THEN ', and so for each partition' ELSE '' END)
  FROM notify_bridge.tables_of(plan.relation) AS t JOIN pg_class AS c ON c.oid = t.relid
  WHERE t.is_leaf AND NOT EXISTS (SELECT FROM unnest(c.reloptions) AS o WHERE o LIKE 'fillfactor=%')
  HAVING count(*) > 0
  UNION ALL
  SELECT 'note', format('the retention reads the whole table unless %I has an index: CREATE INDEX CONCURRENTLY ON %s (%I)',
    plan.created_column, plan.relation, plan.created_column)
  WHERE plan.retention_days IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = plan.relation AND a.attname = plan.created_column)
$$;

COMMENT ON FUNCTION notify_bridge.attach_notes(notify_bridge.source) IS
  'Advice for people after attaching: what is left to do (todo), and what would help (note).';

-- First a lock of our own, so that two that attach the same table wait for each other before they hold anything.
CREATE FUNCTION notify_bridge.attach_lock(relation regclass, is_exclusive boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF is_exclusive THEN
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', relation);
  ELSE
    PERFORM pg_advisory_xact_lock(hashtextextended('notify_bridge.attach', relation::oid::bigint));
  END IF;
EXCEPTION
  WHEN lock_not_available THEN
    RAISE lock_not_available USING
      MESSAGE = CASE WHEN is_exclusive THEN format('%s is in use: others would have to wait longer than a second', relation)
        ELSE format('%s is being attached or detached by somebody else', relation) END,
      HINT = 'Nothing was changed. Repeat it; notify-bridge attach does so by itself.';
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_lock(regclass, boolean) IS
  'Waits, for no longer than lock_timeout, until nobody else attaches the table, or (is_exclusive) uses it; until the end of the transaction.';

CREATE FUNCTION notify_bridge.attach(
  relation regclass, recipient name DEFAULT NULL, id name DEFAULT NULL, payload text DEFAULT NULL,
  sent name DEFAULT NULL, created name DEFAULT NULL, read name DEFAULT NULL, retention_days integer DEFAULT NULL,
  build_indexes boolean DEFAULT NULL, force boolean DEFAULT false)
RETURNS TABLE (step text, what text)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
#variable_conflict use_column
DECLARE
  plan notify_bridge.source;
  known notify_bridge.source;
  is_new boolean;
  is_small boolean;
  other record;
BEGIN
  PERFORM notify_bridge.attach_lock(relation);
  plan := notify_bridge.attach_plan(relation, recipient, id, payload, sent, created, read, retention_days);
  IF NOT notify_bridge.attach_is_complete(plan) THEN
    FOR other IN
      SELECT g.tgname, g.tgrelid::regclass AS relid, p.oid::regprocedure AS function
      FROM notify_bridge.tables_of(attach.relation) AS t JOIN pg_trigger AS g ON g.tgrelid = t.relid
      JOIN pg_proc AS p ON p.oid = g.tgfoid
      WHERE NOT attach.force AND NOT g.tgisinternal AND (p.prosrc ~* '\m(new|old)\M\s*\)?\s*\.\s*\*'
        OR p.prosrc ~* ('\*\s+from\s+"?(' || regexp_replace(coalesce(g.tgnewtable, g.tgoldtable), '\W', '\\\&', 'g') || ')\M'))
    LOOP
      RAISE object_not_in_prerequisite_state USING
        MESSAGE = format('trigger %I of %s copies whole rows, and would fail once the table has a column more',
          other.tgname, other.relid),
        HINT = format('Have function %s name the columns instead of *, or attach with force => true (--force).',
          other.function);
    END LOOP;
    PERFORM notify_bridge.attach_lock(relation, is_exclusive => true);
    is_new := notify_bridge.column_type(relation, plan.txid_column) IS NULL;
    RETURN QUERY SELECT 'did', 'added ' || a FROM notify_bridge.attach_add(plan) AS a;
  END IF;
  SELECT s.* INTO known FROM notify_bridge.source AS s WHERE s.relation = attach.relation;
  INSERT INTO notify_bridge.source AS s (relation, is_own, id_column, id_kind, recipient_column, recipient_kind, payload,
    payload_kind, payload_column, payload_columns, txid_column, sent_column, sent_at_column, created_column, read_column,
    read_at_column, retention_days, added)
  VALUES (plan.relation, plan.is_own, plan.id_column, plan.id_kind, plan.recipient_column, plan.recipient_kind, plan.payload,
    plan.payload_kind, plan.payload_column, plan.payload_columns, plan.txid_column, plan.sent_column, plan.sent_at_column,
    plan.created_column, plan.read_column, plan.read_at_column, plan.retention_days, plan.added)
  ON CONFLICT ON CONSTRAINT source_pkey DO UPDATE SET
    (id_column, id_kind, recipient_column, recipient_kind, payload, payload_kind, payload_column, payload_columns,
      txid_column, sent_column, sent_at_column, created_column, read_column, read_at_column, retention_days, added)
    = (plan.id_column, plan.id_kind, plan.recipient_column, plan.recipient_kind, plan.payload, plan.payload_kind,
      plan.payload_column, plan.payload_columns, plan.txid_column, plan.sent_column, plan.sent_at_column,
      plan.created_column, plan.read_column, plan.read_at_column, plan.retention_days, plan.added);
  IF (known.recipient_column, known.payload) IS DISTINCT FROM (plan.recipient_column, plan.payload) THEN
    RETURN QUERY SELECT 'did', format('serving %s: rows for %I, with the payload %s',
      plan.relation, plan.recipient_column, btrim(plan.payload, E'\n'));
  END IF;
  IF is_new THEN -- what runs now may still write, with an id that it got before this transaction
    UPDATE notify_bridge.source AS s SET first_txid = pg_snapshot_xmin(pg_current_snapshot()) WHERE s.relation = plan.relation;
  END IF;

  EXECUTE format('SELECT count(*) < 10000 FROM (SELECT FROM %s LIMIT 10000) AS t', relation) INTO is_small;
  LOOP
    SELECT i.what, i.statement INTO other FROM notify_bridge.index_steps(plan.relation, online => false) AS i LIMIT 1;
    EXIT WHEN NOT FOUND;
    IF NOT coalesce(build_indexes, is_small) THEN
      RETURN QUERY SELECT 'next', format(
        'Rows are delivered once the indexes are built, while writers go on: notify-bridge attach %s', plan.relation);
      EXIT;
    END IF;
    EXECUTE other.statement;
    RETURN QUERY SELECT 'did', other.what;
  END LOOP;
  RETURN QUERY SELECT n.step, n.what FROM notify_bridge.attach_notes(plan) AS n;
  PERFORM pg_notify('notify_bridge', '');
END
$$;

COMMENT ON FUNCTION notify_bridge.attach(regclass, name, name, text, name, name, name, integer, boolean, boolean) IS
  'Has an existing table served: adds what is missing of txid, sent_at, a trigger and two indexes. Only the recipient, and what can''t be guessed, must be named; an empty name means none. Rows from before are not sent. Repeat it at any time; notify-bridge attach does the same for big tables without keeping writers waiting. Returns what was done (did), what comes next (next), is left to do (todo), and would help (note).';

CREATE FUNCTION notify_bridge.detach(relation regclass) RETURNS TABLE (step text, what text)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
#variable_conflict use_column
DECLARE
  known notify_bridge.source;
  it record;
BEGIN
  PERFORM notify_bridge.attach_lock(relation);
  SELECT s.* INTO known FROM notify_bridge.source AS s WHERE s.relation = detach.relation;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'note', format('%s is not attached', detach.relation);
    RETURN;
  ELSIF known.is_own THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('%s is notify-bridge''s own table', detach.relation),
      HINT = 'It is served as long as it is there.';
  END IF;
  IF EXISTS (SELECT FROM pg_class AS c WHERE c.oid = detach.relation) THEN
    PERFORM notify_bridge.attach_lock(relation, is_exclusive => true);
    FOR it IN
      SELECT t.relid, g.tgname FROM notify_bridge.tables_of(detach.relation) AS t
      JOIN pg_trigger AS g ON g.tgrelid = t.relid AND g.tgfoid = 'notify_bridge.ring()'::regprocedure ORDER BY t.relid
    LOOP
      EXECUTE format('DROP TRIGGER %I ON %s', it.tgname, it.relid);
      RETURN QUERY SELECT 'did', format('dropped trigger %I on %s', it.tgname, it.relid);
    END LOOP;
    -- Their indexes go with them. A column of that name and another type is not what was added.
    FOR it IN
      SELECT c.name FROM jsonb_array_elements_text(known.added -> 'columns') AS c (name)
      WHERE notify_bridge.column_type(detach.relation, c.name::name) = ANY ('{xid8,timestamptz}'::regtype[])
    LOOP
      EXECUTE format('ALTER TABLE %s DROP COLUMN %I', relation, it.name);
      RETURN QUERY SELECT 'did', format('dropped column %I, and the indexes on it', it.name);
    END LOOP;
    RETURN QUERY SELECT DISTINCT 'note',
        format('%1$I keeps its rights on %2$s: REVOKE ALL ON %2$s FROM %1$I', r.rolname, c.oid::regclass)
      FROM pg_class AS c, pg_proc AS p, aclexplode(p.proacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
      WHERE c.oid = detach.relation AND a.grantee NOT IN (p.proowner, c.relowner)
        AND p.oid = 'notify_bridge.register_replica(text, text, integer, text)'::regprocedure
        AND EXISTS (SELECT FROM aclexplode(c.relacl) AS x WHERE x.grantee = a.grantee);
  END IF;
  DELETE FROM notify_bridge.source AS s WHERE s.relation = detach.relation;
  RETURN QUERY SELECT 'did', format('%s is no longer served', coalesce(known.added ->> 'name', known.relation::text));
  PERFORM pg_notify('notify_bridge', '');
END
$$;

COMMENT ON FUNCTION notify_bridge.detach(regclass) IS
  'Undoes attach: drops what it added to the table and nothing else, and stops serving it. A table that was dropped is given by its number. Repeating it does nothing.';

-- ------------------------------------------------------------------------------- operations, for tables of any kind

DROP FUNCTION notify_bridge.resend(regclass, bigint[]);

-- One function for ids of every type: with two, '{1,2}' could be either's.
CREATE FUNCTION notify_bridge.resend(relation regclass, ids anycompatiblearray) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s notify_bridge.source;
  changed bigint;
BEGIN
  SELECT o.* INTO s FROM notify_bridge.source AS o WHERE o.relation = resend.relation;
  IF NOT FOUND THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('%s is not served by notify-bridge', resend.relation),
      HINT = 'SELECT relation FROM notify_bridge.source lists the served tables; notify-bridge attach adds one.';
  END IF;
  EXECUTE format(
    'WITH l AS (SELECT t.%2$I AS id FROM %1$s AS t WHERE t.%2$I = ANY ($1::%3$s[]) ORDER BY t.%2$I FOR NO KEY UPDATE)
     UPDATE %1$s AS t SET %4$s %5$I = NULL, %6$I = pg_current_xact_id() FROM l WHERE t.%2$I = l.id',
    s.relation, s.id_column, notify_bridge.column_type(s.relation, s.id_column),
    CASE WHEN s.sent_column IS NOT NULL THEN format('%I = false,', s.sent_column) END, s.sent_at_column, s.txid_column)
  USING ids::text[];
  GET DIAGNOSTICS changed = ROW_COUNT;
  IF changed > 0
    AND coalesce(current_setting('notify_bridge.two_phase', true), '') NOT IN ('on', 'true', 'yes', '1')
  THEN
    PERFORM pg_notify('notify_bridge', '');
  END IF;
  RETURN changed;
END
$$;

COMMENT ON FUNCTION notify_bridge.resend(regclass, anycompatiblearray) IS
  'Has these rows of a served table delivered again: unsent, with the txid of now, and rings. Returns how many there were.';

CREATE OR REPLACE FUNCTION notify_bridge.purge(days integer, batch integer DEFAULT 10000, dry_run boolean DEFAULT false)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s record;
  due text;
  oldest timestamptz;
  newest xid8;
  changed bigint;
  total bigint := 0;
BEGIN
  IF days IS NULL OR days < 0 OR batch IS NULL OR batch <= 0 THEN
    RAISE invalid_parameter_value USING
      MESSAGE = 'batch must be at least 1, and days not below 0',
      HINT = 'With 0 days our own table is kept as it is; attached ones have a number of their own.';
  END IF;
  FOR s IN
    SELECT v.*, CASE WHEN v.is_own THEN days ELSE v.retention_days END AS age FROM notify_bridge.served AS v
    WHERE CASE WHEN v.is_own THEN days ELSE v.retention_days END > 0
      AND notify_bridge.column_type(v.relation, v.id_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.txid_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.sent_at_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.created_column) IS NOT NULL
      AND (v.sent_column IS NULL OR notify_bridge.column_type(v.relation, v.sent_column) IS NOT NULL)
    ORDER BY v.number
  LOOP
    oldest := now() - make_interval(days => s.age);
    due := format('t.%I < $1 AND (t.%I IS NOT NULL', s.created_column, s.sent_at_column)
      || CASE WHEN s.sent_column IS NULL THEN ')' ELSE format(' OR t.%I)', s.sent_column) END;
    IF dry_run THEN
      EXECUTE format('SELECT count(*) FROM %s AS t WHERE ' || due, s.relation) INTO changed USING oldest;
      total := total + changed;
      CONTINUE;
    END IF;
    -- What is due is asked again: in a partitioned table an id may name more rows than one.
    EXECUTE format(
      'WITH gone AS (
         DELETE FROM %1$s AS t WHERE t.%2$I = ANY (ARRAY(
           SELECT t.%2$I FROM %1$s AS t WHERE ' || due || ' ORDER BY t.%3$I LIMIT $2 FOR UPDATE SKIP LOCKED)) AND ' || due || '
         RETURNING t.%4$I AS txid)
       SELECT count(*), max(g.txid::text::numeric)::text::xid8 FROM gone AS g',
      s.relation, s.id_column, s.created_column, s.txid_column)
    INTO changed, newest USING oldest, batch - total;
    UPDATE notify_bridge.source AS o SET purged_txid = newest
    WHERE o.relation = s.relation AND newest > coalesce(o.purged_txid, '0');
    total := total + changed;
    EXIT WHEN total >= batch;
  END LOOP;
  RETURN total;
END
$$;

COMMENT ON FUNCTION notify_bridge.purge(integer, integer, boolean) IS
  'Deletes at most batch rows older than days from the table that the migrations made (0: none), and older than its retention_days from each attached table that has them: those sent, and those never to be sent. Unsent ones are kept. Returns how many; dry_run counts all that are due instead. Repeat until it returns less than batch.';

CREATE OR REPLACE FUNCTION notify_bridge.repair_txids() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s record;
  changed bigint;
  total bigint := 0;
BEGIN
  FOR s IN
    SELECT o.* FROM notify_bridge.source AS o JOIN pg_class AS c ON c.oid = o.relation
    WHERE notify_bridge.column_type(o.relation, o.id_column) IS NOT NULL
      AND notify_bridge.column_type(o.relation, o.txid_column) = 'xid8'::regtype
  LOOP
    -- The list is made first, and its txid compared again: a row sent again meanwhile keeps its new one.
    -- Rows of this very transaction look as if they came from the future too, and are none of ours.
    EXECUTE format(
      'WITH l AS MATERIALIZED (
         SELECT t.%2$I AS id, t.%3$I AS txid FROM %1$s AS t
         WHERE t.%3$I >= pg_snapshot_xmax(pg_current_snapshot())
           AND t.%3$I IS DISTINCT FROM pg_current_xact_id_if_assigned())
       UPDATE %1$s AS t SET %3$I = ''3'' FROM l WHERE t.%2$I = l.id AND t.%3$I = l.txid',
      s.relation, s.id_column, s.txid_column);
    GET DIAGNOSTICS changed = ROW_COUNT;
    total := total + changed;
  END LOOP;
  UPDATE notify_bridge.source AS o SET first_txid = '3'
  WHERE o.first_txid >= pg_snapshot_xmax(pg_current_snapshot())
    AND o.first_txid IS DISTINCT FROM pg_current_xact_id_if_assigned();
  UPDATE notify_bridge.source AS o SET purged_txid = NULL
  WHERE o.purged_txid >= pg_snapshot_xmax(pg_current_snapshot());
  -- Nobody is connected whose access ended in another history.
  DELETE FROM notify_bridge.revocation AS r
  WHERE r.txid >= pg_snapshot_xmax(pg_current_snapshot()) AND r.txid IS DISTINCT FROM pg_current_xact_id_if_assigned();
  RETURN total;
END
$$;

REVOKE ALL ON FUNCTION
  notify_bridge.tables_of(regclass), notify_bridge.column_type(regclass, name), notify_bridge.kind_of(regtype),
  notify_bridge.attach_guess(regclass), notify_bridge.attach_column(regclass, text, name, boolean, name, regtype[]),
  notify_bridge.attach_payload(regclass, text), notify_bridge.attach_allowed(regclass),
  notify_bridge.attach_plan(regclass, name, name, text, name, name, name, integer),
  notify_bridge.index_steps(regclass, boolean), notify_bridge.attach_add(notify_bridge.source),
  notify_bridge.attach_is_complete(notify_bridge.source), notify_bridge.attach_notes(notify_bridge.source),
  notify_bridge.attach_lock(regclass, boolean),
  notify_bridge.attach(regclass, name, name, text, name, name, name, integer, boolean, boolean),
  notify_bridge.detach(regclass),
  notify_bridge.resend(regclass, anycompatiblearray)
FROM PUBLIC;
