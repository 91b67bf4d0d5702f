-- The schema, the record of applied migrations and the list of served tables.
-- The runner has made the first two before it applies anything; with plain psql they are made here.

CREATE SCHEMA IF NOT EXISTS notify_bridge;

CREATE TABLE IF NOT EXISTS notify_bridge.migration (
  version integer CONSTRAINT migration_pkey PRIMARY KEY,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON SCHEMA notify_bridge IS
  'What NotifyBridge keeps beside the tables it serves. Writers of notifications need no right on it.';
COMMENT ON TABLE notify_bridge.migration IS 'Migrations applied to this database, each exactly once.';
COMMENT ON COLUMN notify_bridge.migration.version IS 'The number at the start of the migration''s file name.';
COMMENT ON COLUMN notify_bridge.migration.name IS 'The rest of the file name.';
COMMENT ON COLUMN notify_bridge.migration.checksum IS 'Checksum of the text that was applied.';
COMMENT ON COLUMN notify_bridge.migration.applied_at IS 'When it was applied.';
COMMENT ON CONSTRAINT migration_pkey ON notify_bridge.migration IS 'A migration is applied once.';
COMMENT ON INDEX notify_bridge.migration_pkey IS 'A migration is applied once.';

-- regclass rather than oid: it follows a rename, and pg_dump writes it as a name, so it survives a restore too.
CREATE TABLE notify_bridge.source (
  relation regclass NOT NULL,
  is_own boolean NOT NULL,
  first_txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  attached_at timestamptz NOT NULL DEFAULT now(),
  purged_txid xid8,
  CONSTRAINT source_pkey PRIMARY KEY (relation)
);

COMMENT ON TABLE notify_bridge.source IS 'The tables whose rows are delivered.';
COMMENT ON COLUMN notify_bridge.source.relation IS
  'The table. One that was dropped stays listed until it is detached, and is skipped.';
COMMENT ON COLUMN notify_bridge.source.is_own IS
  'True for the table that the migrations made: only there are old rows deleted without further ado.';
COMMENT ON COLUMN notify_bridge.source.first_txid IS
  'The transaction that added the table: rows with a txid below it are not new.';
COMMENT ON COLUMN notify_bridge.source.attached_at IS 'When the table was added.';
COMMENT ON COLUMN notify_bridge.source.purged_txid IS
  'The newest transaction of which the retention has deleted a row: a cursor that has not seen it can''t be resumed from.';
COMMENT ON CONSTRAINT source_pkey ON notify_bridge.source IS 'A table is served once.';
COMMENT ON INDEX notify_bridge.source_pkey IS 'A table is served once.';

REVOKE ALL ON SCHEMA notify_bridge FROM PUBLIC;
REVOKE ALL ON notify_bridge.migration, notify_bridge.source FROM PUBLIC;
