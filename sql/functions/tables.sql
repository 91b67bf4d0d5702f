-- The served tables and the facts about them that the catalogues hold.

-- Whether a policy shows a row is known for USING (true) only, so any other policy counts as hiding rows.
CREATE OR REPLACE FUNCTION notify_bridge.is_hidden_from(relation regclass, role name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
    AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE'))
    AND NOT coalesce((
      SELECT bool_or(p.polpermissive AND p.polcmd IN ('r', '*')) AND bool_or(p.polpermissive AND p.polcmd IN ('w', '*'))
        AND bool_and(p.polpermissive)
      FROM pg_policy AS p
      WHERE p.polrelid = c.oid AND p.polcmd IN ('r', 'w', '*')
        AND (NOT p.polpermissive OR pg_get_expr(p.polqual, p.polrelid) = 'true')
        AND EXISTS (SELECT FROM unnest(p.polroles) AS o (oid) WHERE o.oid = 0 OR pg_has_role(r.oid, o.oid, 'USAGE'))), false)
  FROM pg_class AS c, pg_roles AS r WHERE c.oid = is_hidden_from.relation AND r.rolname = is_hidden_from.role
$$;

COMMENT ON FUNCTION notify_bridge.is_hidden_from(regclass, name) IS
  'Whether row-level security may hide rows of the table from a role, or keep it from marking them.';

-- A problem would make each delta fail or read the whole table, so a table that has one is not served.
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
    WHEN c.relrowsecurity AND notify_bridge.is_hidden_from(c.oid, current_user)
      THEN format('row-level security hides rows from %I: CREATE POLICY notify_bridge ON %s TO %I USING (true)',
        current_user, c.oid::regclass, current_user)
  END AS problem,
  CASE WHEN c.oid <> to_regclass(former.name)
      AND NOT EXISTS (SELECT FROM notify_bridge.source AS o WHERE o.relation = to_regclass(former.name))
    THEN format('it was %s, and the rows of the table that has that name now are not delivered', former.name)
  END AS notice,
  s.created_zone
FROM notify_bridge.source AS s
CROSS JOIN LATERAL (
  SELECT CASE WHEN s.is_own THEN 'public.notification' ELSE s.added ->> 'name' END) AS former (name)
LEFT JOIN pg_class AS c ON c.oid = s.relation
LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT
  CASE s.id_kind WHEN 'integer' THEN '{int2,int4,int8}' WHEN 'uuid' THEN '{uuid}' ELSE '{text,varchar}' END::regtype[],
  CASE s.recipient_kind WHEN 'integer' THEN '{int2,int4,int8}' WHEN 'uuid' THEN '{uuid}' ELSE '{text,varchar}' END::regtype[],
  CASE WHEN s.payload = quote_ident(s.payload_column) THEN ARRAY[s.payload_kind::regtype] END
) AS expected (id, recipient, payload)
LEFT JOIN LATERAL (
  SELECT CASE
    WHEN a.attname IS NULL THEN format('column %I is missing: it was renamed or dropped', wanted.name)
    WHEN k.oid IS NOT NULL THEN format('column %I has the nondeterministic collation %s now', wanted.name, k.oid::regcollation)
    ELSE format('column %I is %s now: attach the table again', wanted.name, format_type(a.atttypid, a.atttypmod))
  END AS problem
  FROM (VALUES
    (1, s.id_column, expected.id), (2, s.recipient_column, expected.recipient), (3, s.payload_column, expected.payload),
    (4, s.txid_column, '{xid8}'), (5, s.sent_column, '{bool}'), (6, s.sent_at_column, '{timestamptz}'),
    (7, s.created_column, CASE WHEN s.created_zone IS NULL THEN '{timestamptz}' ELSE '{timestamp}' END::regtype[]), (8, s.read_column, '{bool}'), (9, s.read_at_column, '{timestamptz}')
    UNION ALL
    SELECT 10, p.name, NULL FROM unnest(s.payload_columns) AS p (name)
  ) AS wanted (place, name, types)
  LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = wanted.name AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_type AS t ON t.oid = a.atttypid
  LEFT JOIN pg_collation AS k ON k.oid = a.attcollation AND NOT k.collisdeterministic AND wanted.place <= 2
  WHERE wanted.name IS NOT NULL
    AND (a.attname IS NULL OR k.oid IS NOT NULL OR coalesce(nullif(t.typbasetype, 0), t.oid) <> ALL (wanted.types::oid[]))
  ORDER BY wanted.place LIMIT 1) AS wrong ON true;

COMMENT ON VIEW notify_bridge.served IS
  'The tables of notify_bridge.source, each with its name as SQL writes it, whether its id alone names a row, the problem that keeps it from being served, or null, and what is odd about a table that is served all the same.';

CREATE OR REPLACE FUNCTION notify_bridge.tables_of(relation regclass)
RETURNS TABLE (relid regclass, parent regclass, is_leaf boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.relid, t.parentrelid, t.isleaf FROM pg_partition_tree(relation) AS t
  UNION
  SELECT c.oid::regclass, NULL, true FROM pg_class AS c
  WHERE c.oid = relation AND c.relkind <> 'p' AND NOT c.relispartition
$$;

COMMENT ON FUNCTION notify_bridge.tables_of(regclass) IS
  'The table and, where it is partitioned, all tables below it.';

CREATE OR REPLACE FUNCTION notify_bridge.column_type(relation regclass, column_name name) RETURNS regtype
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(nullif(t.typbasetype, 0), t.oid)::regtype
  FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
  WHERE a.attrelid = relation AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped
$$;

COMMENT ON FUNCTION notify_bridge.column_type(regclass, name) IS
  'The type of a column, or the base type of its domain; null where there is no such column.';

CREATE OR REPLACE FUNCTION notify_bridge.kind_of(type regtype) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN type = ANY ('{int2,int4,int8}'::regtype[]) THEN 'integer'
    WHEN type = 'uuid'::regtype THEN 'uuid'
    WHEN type = ANY ('{text,varchar}'::regtype[]) THEN 'text'
  END
$$;

COMMENT ON FUNCTION notify_bridge.kind_of(regtype) IS
  'The kind of a type, as in notify_bridge.source.id_kind; null for a type that a bridge can''t compare.';
