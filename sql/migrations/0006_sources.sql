-- What a bridge has to know of each table that it serves, and whose access has ended.

ALTER TABLE notify_bridge.source
  ADD COLUMN number integer GENERATED ALWAYS AS IDENTITY,
  ADD COLUMN id_column name NOT NULL DEFAULT 'id',
  ADD COLUMN id_kind text NOT NULL DEFAULT 'integer',
  ADD COLUMN recipient_column name NOT NULL DEFAULT 'user_id',
  ADD COLUMN recipient_kind text NOT NULL DEFAULT 'integer',
  ADD COLUMN payload text NOT NULL DEFAULT 'data',
  ADD COLUMN payload_kind text NOT NULL DEFAULT 'jsonb',
  ADD COLUMN payload_column name DEFAULT 'data',
  ADD COLUMN txid_column name NOT NULL DEFAULT 'txid',
  ADD COLUMN sent_column name DEFAULT 'is_sent',
  ADD COLUMN sent_at_column name NOT NULL DEFAULT 'sent_at',
  ADD COLUMN created_column name DEFAULT 'created_at',
  ADD COLUMN read_column name DEFAULT 'is_read',
  ADD COLUMN read_at_column name DEFAULT 'read_at',
  ADD COLUMN retention_days integer,
  ADD CONSTRAINT source_number_key UNIQUE (number),
  ADD CONSTRAINT source_id_kind CHECK (id_kind IN ('integer', 'uuid', 'text')),
  ADD CONSTRAINT source_recipient_kind CHECK (recipient_kind IN ('integer', 'uuid', 'text')),
  ADD CONSTRAINT source_payload_kind CHECK (payload_kind IN ('jsonb', 'json')),
  ADD CONSTRAINT source_retention_days CHECK (retention_days > 0);

-- The defaults were for the table that is there already; whoever adds another one says what it has.
ALTER TABLE notify_bridge.source
  ALTER COLUMN id_column DROP DEFAULT,
  ALTER COLUMN id_kind DROP DEFAULT,
  ALTER COLUMN recipient_column DROP DEFAULT,
  ALTER COLUMN recipient_kind DROP DEFAULT,
  ALTER COLUMN payload DROP DEFAULT,
  ALTER COLUMN payload_kind DROP DEFAULT,
  ALTER COLUMN payload_column DROP DEFAULT,
  ALTER COLUMN txid_column DROP DEFAULT,
  ALTER COLUMN sent_column DROP DEFAULT,
  ALTER COLUMN sent_at_column DROP DEFAULT,
  ALTER COLUMN created_column DROP DEFAULT,
  ALTER COLUMN read_column DROP DEFAULT,
  ALTER COLUMN read_at_column DROP DEFAULT;

COMMENT ON COLUMN notify_bridge.source.number IS 'Names the table inside a bridge, and orders rows of one transaction.';
COMMENT ON COLUMN notify_bridge.source.id_column IS 'Names a row, together with txid_column.';
COMMENT ON COLUMN notify_bridge.source.id_kind IS 'integer (of any size), uuid, or text (also varchar).';
COMMENT ON COLUMN notify_bridge.source.recipient_column IS 'The user that a row is for.';
COMMENT ON COLUMN notify_bridge.source.recipient_kind IS 'As id_kind.';
COMMENT ON COLUMN notify_bridge.source.payload IS
  'An SQL expression over the row''s columns, of type payload_kind: what clients get as data.';
COMMENT ON COLUMN notify_bridge.source.payload_kind IS 'jsonb or json.';
COMMENT ON COLUMN notify_bridge.source.payload_column IS
  'The column to INSERT a payload into; null where payload is made of several.';
COMMENT ON COLUMN notify_bridge.source.txid_column IS 'The transaction that wrote the row; null for rows from before.';
COMMENT ON COLUMN notify_bridge.source.sent_column IS
  'A boolean that is set together with sent_at_column; null where the table has none.';
COMMENT ON COLUMN notify_bridge.source.sent_at_column IS 'When the row was sent.';
COMMENT ON COLUMN notify_bridge.source.created_column IS 'When the row was made; null where the table has none.';
COMMENT ON COLUMN notify_bridge.source.read_column IS
  'A boolean that is set when the user has read the row; null where the table has none.';
COMMENT ON COLUMN notify_bridge.source.read_at_column IS
  'When the user read the row; null where the table has none.';
COMMENT ON COLUMN notify_bridge.source.retention_days IS
  'Days after which sent rows of an attached table are deleted; null keeps them. Not for our own: a bridge''s settings have that.';
COMMENT ON CONSTRAINT source_number_key ON notify_bridge.source IS 'A number names one table.';
COMMENT ON CONSTRAINT source_id_kind ON notify_bridge.source IS 'What a bridge can compare.';
COMMENT ON CONSTRAINT source_recipient_kind ON notify_bridge.source IS 'What a bridge can compare.';
COMMENT ON CONSTRAINT source_payload_kind ON notify_bridge.source IS 'What a bridge can send.';
COMMENT ON CONSTRAINT source_retention_days ON notify_bridge.source IS 'At least a day.';
COMMENT ON INDEX notify_bridge.source_number_key IS 'A number names one table.';
COMMENT ON SEQUENCE notify_bridge.source_number_seq IS 'Numbers for tables, never given twice.';

-- A problem is one that would make each delta fail or read the whole table, so that table is not served.
CREATE VIEW notify_bridge.served AS
SELECT s.*,
  CASE WHEN c.oid IS NOT NULL THEN format('%I.%I', n.nspname, c.relname) END AS name,
  c.oid IS NOT NULL AND EXISTS (
    SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = 1
      AND a.attname = s.id_column) AS has_unique_id,
  CASE
    WHEN c.oid IS NULL THEN 'the table was dropped'
    WHEN missing.name IS NOT NULL THEN format('column %I is missing: it was renamed or dropped', missing.name)
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
LEFT JOIN LATERAL (
  SELECT k.name
  FROM unnest(ARRAY[s.id_column, s.recipient_column, s.payload_column, s.txid_column, s.sent_column,
    s.sent_at_column, s.created_column, s.read_column, s.read_at_column]) WITH ORDINALITY AS k (name, place)
  WHERE k.name IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped)
  ORDER BY k.place LIMIT 1) AS missing ON true;

COMMENT ON VIEW notify_bridge.served IS
  'The tables of notify_bridge.source, each with its name as SQL has it, whether its id alone names a row, and what keeps it from being served (null: nothing).';

-- Written where access ends; read under the same snapshot as the rows, and applied before them.
CREATE TABLE notify_bridge.revocation (
  id bigint GENERATED ALWAYS AS IDENTITY,
  user_id text NOT NULL,
  kind text NOT NULL,
  credential text,
  reason text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  CONSTRAINT revocation_pkey PRIMARY KEY (id),
  CONSTRAINT revocation_kind CHECK (kind IN ('user', 'session', 'token')),
  CONSTRAINT revocation_credential CHECK ((kind = 'user') = (credential IS NULL)),
  CONSTRAINT revocation_reason CHECK (reason IN ('revoked', 'inactive'))
);
CREATE INDEX revocation_txid_idx ON notify_bridge.revocation (txid);
CREATE INDEX revocation_created_at_idx ON notify_bridge.revocation (created_at);

COMMENT ON TABLE notify_bridge.revocation IS
  'Access that has ended: bridges close the sockets that were opened with it. Rows are kept for an hour.';
COMMENT ON COLUMN notify_bridge.revocation.id IS 'Names the row.';
COMMENT ON COLUMN notify_bridge.revocation.user_id IS
  'Whose access, as text; empty where a credential is gone and its user is not known.';
COMMENT ON COLUMN notify_bridge.revocation.kind IS
  'user: all of the user''s sockets. session, token: those that were opened with this credential.';
COMMENT ON COLUMN notify_bridge.revocation.credential IS
  'SHA-256 of the session key or of the token, in hex; the credential itself is nowhere kept.';
COMMENT ON COLUMN notify_bridge.revocation.reason IS 'What the client is told: revoked or inactive.';
COMMENT ON COLUMN notify_bridge.revocation.created_at IS 'When it was written.';
COMMENT ON COLUMN notify_bridge.revocation.txid IS 'The transaction that ended the access.';
COMMENT ON CONSTRAINT revocation_pkey ON notify_bridge.revocation IS 'Names the row.';
COMMENT ON CONSTRAINT revocation_kind ON notify_bridge.revocation IS 'What a bridge can look for.';
COMMENT ON CONSTRAINT revocation_credential ON notify_bridge.revocation IS 'A user as a whole, or one credential.';
COMMENT ON CONSTRAINT revocation_reason ON notify_bridge.revocation IS 'Reasons of the close code 4001.';
COMMENT ON INDEX notify_bridge.revocation_pkey IS 'Names the row.';
COMMENT ON INDEX notify_bridge.revocation_txid_idx IS 'Finds what became visible since a snapshot.';
COMMENT ON INDEX notify_bridge.revocation_created_at_idx IS 'Finds old rows to delete.';
COMMENT ON SEQUENCE notify_bridge.revocation_id_seq IS 'Numbers for revocations.';

REVOKE ALL ON notify_bridge.served, notify_bridge.revocation FROM PUBLIC;

-- As before, with the columns that each table has.
CREATE OR REPLACE FUNCTION notify_bridge.grant_to(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  served record;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = grant_to.role) THEN
    RAISE undefined_object USING
      MESSAGE = format('role "%s" does not exist', grant_to.role),
      HINT = format('CREATE ROLE %I LOGIN, then repeat.', grant_to.role);
  END IF;
  EXECUTE format('GRANT USAGE ON SCHEMA notify_bridge TO %I', role);
  EXECUTE format(
    'GRANT SELECT ON notify_bridge.migration, notify_bridge.source, notify_bridge.served, notify_bridge.replica,
       notify_bridge.revocation TO %I', role);
  EXECUTE format(
    'GRANT EXECUTE ON FUNCTION
       notify_bridge.register_replica(text, text, integer, text), notify_bridge.arm(integer, boolean),
       notify_bridge.touch_replica(integer), notify_bridge.unregister_replica(integer),
       notify_bridge.resend(regclass, bigint[]), notify_bridge.purge(integer, integer, boolean),
       notify_bridge.repair_txids() TO %I', role);
  FOR served IN
    SELECT s.relation, n.oid AS schema_oid, n.nspname AS schema_name,
      (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum)
       FROM pg_attribute AS a
       WHERE a.attrelid = c.oid
         AND a.attname IN (s.sent_column, s.sent_at_column, s.read_column, s.read_at_column)
         AND a.attnum > 0 AND NOT a.attisdropped) AS marks
    FROM notify_bridge.source AS s
    JOIN pg_class AS c ON c.oid = s.relation
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LOOP
    IF NOT has_schema_privilege(role, served.schema_oid, 'USAGE') THEN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', served.schema_name, role);
    END IF;
    EXECUTE format('GRANT SELECT, UPDATE (%s) ON %s TO %I', served.marks, served.relation, role);
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.grant_to(name) IS
  'Gives an existing role what a bridge needs and nothing else: read the served tables and the bridge''s own, mark rows sent and read, and call the bridge''s functions. Repeat it after attaching a table and after a migration.';
