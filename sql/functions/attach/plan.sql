-- The table mapping that attach records. Options override the recorded mapping, which overrides an inferred one.

CREATE OR REPLACE FUNCTION notify_bridge.attach_plan(
  relation regclass, recipient name DEFAULT NULL, id name DEFAULT NULL, payload text DEFAULT NULL,
  sent name DEFAULT NULL, created name DEFAULT NULL, read name DEFAULT NULL, retention_days integer DEFAULT NULL,
  created_zone text DEFAULT NULL)
RETURNS notify_bridge.source
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  keys CONSTANT regtype[] := '{int2,int4,int8,uuid,text,varchar}';
  known notify_bridge.source;
  plan notify_bridge.source;
  is_known boolean;
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

  -- A boolean or a timestamptz can be given for sent and read; the other one is inferred.
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
    relation, 'created', created, is_known, known.created_column, 'timestamptz', 'timestamp');
  plan.created_zone := notify_bridge.attach_zone(relation, plan.created_column, created_zone, known.created_zone);
  plan.txid_column := CASE
    WHEN notify_bridge.column_type(relation, known.txid_column) IS NOT NULL THEN known.txid_column
    WHEN notify_bridge.column_type(relation, 'txid') IS NULL THEN 'txid'
    ELSE 'notify_bridge_txid' END;
  plan.retention_days := nullif(coalesce(retention_days, known.retention_days), 0);
  PERFORM notify_bridge.attach_verify(plan, is_known, sent, retention_days);

  SELECT p.payload_column, p.expression, p.kind, p.columns
  INTO plan.payload_column, plan.payload, plan.payload_kind, plan.payload_columns
  FROM notify_bridge.attach_payload(relation, payload, is_known, known.payload_column, known.payload) AS p;

  plan.added := jsonb_build_object('name', relation::text, 'columns', coalesce(known.added -> 'columns', '[]') || (
    SELECT coalesce(jsonb_agg(c.name), '[]') FROM unnest(ARRAY[plan.txid_column, plan.sent_at_column]) AS c (name)
    WHERE notify_bridge.column_type(relation, c.name) IS NULL AND NOT coalesce(known.added -> 'columns', '[]') ? c.name));
  RETURN plan;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_plan(regclass, name, name, text, name, name, name, integer, text) IS
  'The table mapping that attach would record: the given options, else the recorded mapping, else an inferred one. Changes nothing.';

CREATE OR REPLACE FUNCTION notify_bridge.attach_verify(
  plan notify_bridge.source, is_known boolean, sent name, retention_days integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  relation CONSTANT regclass := plan.relation;
  other record;
BEGIN
  FOR other IN
    SELECT a.attname, k.oid::regcollation AS collation FROM pg_attribute AS a JOIN pg_collation AS k ON k.oid = a.attcollation
    WHERE a.attrelid = relation AND a.attname IN (plan.id_column, plan.recipient_column) AND NOT k.collisdeterministic
  LOOP
    RAISE datatype_mismatch USING
      MESSAGE = format('column %I of %s has the nondeterministic collation %s, for which different texts are equal',
        other.attname, relation, other.collation),
      HINT = 'Ids and recipients are compared byte by byte. Give the column another collation: ALTER TABLE ... ALTER ... TYPE text COLLATE "C".';
  END LOOP;
  FOR other IN -- Those that purge and resend run as, and that the bridge runs as.
    SELECT DISTINCT r.rolname FROM pg_proc AS p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
    JOIN pg_roles AS r ON r.oid = a.grantee
    WHERE p.oid = 'notify_bridge.register_replica(text, text, integer, text)'::regprocedure
      AND notify_bridge.is_hidden_from(relation, r.rolname)
  LOOP
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('row-level security of %s hides rows from %I, which would never be delivered', relation, other.rolname),
      HINT = format('CREATE POLICY notify_bridge ON %s TO %I USING (true); or ALTER ROLE %I BYPASSRLS.',
        relation, other.rolname, other.rolname);
  END LOOP;
  IF NOT EXISTS (
    SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
    WHERE i.indrelid = relation AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND a.attnotnull
      AND a.attname = plan.id_column
      AND (i.indnkeyatts = 1 OR EXISTS (SELECT FROM pg_partitioned_table AS p WHERE p.partrelid = relation)))
  THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('column %I of %s does not name a row: it may be null, or no unique index has it', plan.id_column, relation),
      HINT = 'Name another column as id, or make this one the primary key.';
  ELSIF retention_days < 0 OR retention_days > 0 AND plan.is_own THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('the retention of %s can''t be %s days', relation, retention_days),
      HINT = 'That of an attached table is at least a day, or 0 for none; that of our own is a setting of the bridge.';
  ELSIF plan.retention_days IS NOT NULL AND plan.created_column IS NULL THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('%s has no column with the time of a row, which retention needs', relation),
      HINT = 'Name a timestamptz column as created, or attach without retention days.';
  ELSIF NOT is_known AND (
    plan.txid_column = 'notify_bridge_txid' AND notify_bridge.column_type(relation, 'notify_bridge_txid') IS NOT NULL
    OR plan.sent_at_column = 'notify_bridge_sent_at' AND sent IS DISTINCT FROM 'notify_bridge_sent_at'
      AND notify_bridge.column_type(relation, 'notify_bridge_sent_at') IS NOT NULL) THEN
    RAISE duplicate_column USING
      MESSAGE = format('%s has columns called notify_bridge_..., which attach did not add', relation),
      HINT = 'Rename or drop them: they may be left from a copy of an attached table.';
  ELSIF EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0
    AND (a.attname = plan.sent_at_column AND a.attnotnull OR a.attgenerated <> ''
      AND a.attname IN (plan.sent_column, plan.sent_at_column, plan.read_column, plan.read_at_column))) THEN
    RAISE datatype_mismatch USING
      MESSAGE = format('a column of %s that the bridge has to set can''t be set: it is generated, or is never null', relation),
      HINT = 'The time of sending has to be null before; neither it nor is_sent and is_read may be generated.';
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_verify(notify_bridge.source, boolean, name, integer) IS
  'Raises an error where a table can''t be served by this mapping.';

-- The default is that of the database or the role, whatever the session has set: bridges have a session of their own.
CREATE OR REPLACE FUNCTION notify_bridge.attach_zone(
  relation regclass, created_column name, given text, known text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  has_zone CONSTANT boolean := notify_bridge.column_type(relation, created_column) IS DISTINCT FROM 'timestamp'::regtype;
  zone text;
BEGIN
  IF has_zone AND given <> '' THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('%s has no column created of type timestamp, which a time zone could be for', relation),
      HINT = 'A timestamptz needs none.';
  ELSIF has_zone THEN
    RETURN NULL;
  END IF;
  zone := coalesce(nullif(given, ''), known, (SELECT s.reset_val FROM pg_settings AS s WHERE s.name = 'TimeZone'));
  PERFORM now() AT TIME ZONE zone; -- An error where there is no such zone.
  RETURN zone;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_zone(regclass, name, text, text) IS
  'The time zone of a created column without one: the given one, else the recorded one, else TimeZone of the database or role. Null for a timestamptz.';
