-- Schema notify_bridge: the records of migrate, the table mappings, the replicas, the rows set aside, the ended access
-- and the tickets.
-- Functions, views and triggers are in functions/; public.notification is made by notify_bridge.create_own_table().

CREATE SCHEMA IF NOT EXISTS notify_bridge;
COMMENT ON SCHEMA notify_bridge IS
  'NotifyBridge: records, table mappings and functions. Writers of notifications need no right on it.';
REVOKE ALL ON SCHEMA notify_bridge FROM PUBLIC;

-- --------------------------------------------------------------------------------------------------- installation

CREATE TABLE notify_bridge.migration (
  version integer NOT NULL,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT migration_pkey PRIMARY KEY (version)
);

COMMENT ON TABLE notify_bridge.migration IS 'Schema files applied to this database, each exactly once.';
COMMENT ON COLUMN notify_bridge.migration.version IS 'The number at the start of the file''s name.';
COMMENT ON COLUMN notify_bridge.migration.name IS 'The rest of the file''s name.';
COMMENT ON COLUMN notify_bridge.migration.checksum IS 'SHA-256 of the applied text, in hex.';
COMMENT ON COLUMN notify_bridge.migration.applied_at IS 'Start of the transaction that applied it.';
COMMENT ON CONSTRAINT migration_pkey ON notify_bridge.migration IS 'A schema file is applied once.';
COMMENT ON INDEX notify_bridge.migration_pkey IS 'A schema file is applied once.';

CREATE TABLE notify_bridge.functions (
  version integer NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT functions_pkey PRIMARY KEY (version)
);

COMMENT ON TABLE notify_bridge.functions IS
  'Versions of the functions, views and triggers. They are replaced all together; the highest version is installed.';
COMMENT ON COLUMN notify_bridge.functions.version IS 'Grows with each change of a function.';
COMMENT ON COLUMN notify_bridge.functions.checksum IS 'SHA-256 of all files of functions/ in the order of their paths, in hex.';
COMMENT ON COLUMN notify_bridge.functions.applied_at IS 'Start of the transaction that applied them.';
COMMENT ON CONSTRAINT functions_pkey ON notify_bridge.functions IS 'One row for each version.';
COMMENT ON INDEX notify_bridge.functions_pkey IS 'One row for each version.';

-- ------------------------------------------------------------------------------------------------- table mappings

-- regclass rather than oid: pg_dump writes it as a name, so it survives a restore as well as a rename.
CREATE TABLE notify_bridge.source (
  relation regclass NOT NULL,
  number integer GENERATED ALWAYS AS IDENTITY,
  is_own boolean NOT NULL,
  id_column name NOT NULL,
  id_kind text NOT NULL,
  recipient_column name NOT NULL,
  recipient_kind text NOT NULL,
  payload text NOT NULL,
  payload_kind text NOT NULL,
  payload_column name,
  payload_columns name[] NOT NULL DEFAULT '{}',
  txid_column name NOT NULL,
  sent_column name,
  sent_at_column name NOT NULL,
  created_column name,
  created_zone text,
  read_column name,
  read_at_column name,
  retention_days integer,
  added jsonb NOT NULL DEFAULT '{}',
  attached_at timestamptz NOT NULL DEFAULT now(),
  first_txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  purged_txid xid8,
  CONSTRAINT source_pkey PRIMARY KEY (relation),
  CONSTRAINT source_number_key UNIQUE (number),
  CONSTRAINT source_id_kind CHECK (id_kind IN ('integer', 'uuid', 'text')),
  CONSTRAINT source_recipient_kind CHECK (recipient_kind IN ('integer', 'uuid', 'text')),
  CONSTRAINT source_payload_kind CHECK (payload_kind IN ('jsonb', 'json')),
  CONSTRAINT source_retention_days CHECK (retention_days > 0)
);

COMMENT ON TABLE notify_bridge.source IS 'The tables whose rows are delivered, and how a bridge reads them.';
COMMENT ON COLUMN notify_bridge.source.relation IS
  'The table. A dropped table stays listed until it is detached, and is skipped.';
COMMENT ON COLUMN notify_bridge.source.number IS 'Names the table inside a bridge, and orders rows of one transaction.';
COMMENT ON COLUMN notify_bridge.source.is_own IS
  'True for public.notification as migrate makes it. A bridge''s settings hold its retention.';
COMMENT ON COLUMN notify_bridge.source.id_column IS 'Names a row, together with txid_column.';
COMMENT ON COLUMN notify_bridge.source.id_kind IS 'integer (of any size), uuid, or text (also varchar).';
COMMENT ON COLUMN notify_bridge.source.recipient_column IS 'The user who receives the row.';
COMMENT ON COLUMN notify_bridge.source.recipient_kind IS 'As id_kind.';
COMMENT ON COLUMN notify_bridge.source.payload IS
  'An SQL expression over the row''s columns, of type payload_kind: clients get it as data.';
COMMENT ON COLUMN notify_bridge.source.payload_kind IS 'jsonb or json.';
COMMENT ON COLUMN notify_bridge.source.payload_column IS
  'The column to INSERT a payload into; null where payload reads several columns.';
COMMENT ON COLUMN notify_bridge.source.payload_columns IS 'The columns that payload reads.';
COMMENT ON COLUMN notify_bridge.source.txid_column IS
  'The transaction that wrote the row; null for rows older than the attachment.';
COMMENT ON COLUMN notify_bridge.source.sent_column IS
  'A boolean that is set together with sent_at_column; null where the table has none.';
COMMENT ON COLUMN notify_bridge.source.sent_at_column IS 'When the row was sent.';
COMMENT ON COLUMN notify_bridge.source.created_column IS 'When the row was made; null where the table has none.';
COMMENT ON COLUMN notify_bridge.source.created_zone IS
  'The time zone in which created_column, a timestamp without one, is read; null where it is a timestamptz.';
COMMENT ON COLUMN notify_bridge.source.read_column IS
  'A boolean that is set when the user has read the row; null where the table has none.';
COMMENT ON COLUMN notify_bridge.source.read_at_column IS 'When the user read the row; null where the table has none.';
COMMENT ON COLUMN notify_bridge.source.retention_days IS
  'Days after which sent rows of an attached table are deleted; null keeps them. Always null for the own table.';
COMMENT ON COLUMN notify_bridge.source.added IS
  'columns: those that attach added and detach drops. name: the table''s name, for people, once it is dropped.';
COMMENT ON COLUMN notify_bridge.source.attached_at IS 'When the table was added.';
COMMENT ON COLUMN notify_bridge.source.first_txid IS
  'The oldest transaction that could write to the table after it was added: rows with a txid below it are not new.';
COMMENT ON COLUMN notify_bridge.source.purged_txid IS
  'The newest transaction of which the retention has deleted a row: a cursor that has not seen it can''t be resumed from.';
COMMENT ON CONSTRAINT source_pkey ON notify_bridge.source IS 'A table is served once.';
COMMENT ON CONSTRAINT source_number_key ON notify_bridge.source IS 'A number names one table.';
COMMENT ON CONSTRAINT source_id_kind ON notify_bridge.source IS 'Types that a bridge can compare.';
COMMENT ON CONSTRAINT source_recipient_kind ON notify_bridge.source IS 'Types that a bridge can compare.';
COMMENT ON CONSTRAINT source_payload_kind ON notify_bridge.source IS 'Types that a bridge can send.';
COMMENT ON CONSTRAINT source_retention_days ON notify_bridge.source IS 'At least a day.';
COMMENT ON INDEX notify_bridge.source_pkey IS 'A table is served once.';
COMMENT ON INDEX notify_bridge.source_number_key IS 'A number names one table.';
COMMENT ON SEQUENCE notify_bridge.source_number_seq IS 'Numbers of tables, never reused.';

-- ----------------------------------------------------------------------------------------------------- quarantine

-- Rows and tables that a bridge has set aside, so that one that fails holds up no other. The index names each once; ids
-- may be longer than an index entry, hence the hash. A table's entries go with its mapping.
CREATE TABLE notify_bridge.quarantined (
  source integer NOT NULL,
  row_id text,
  txid xid8 NOT NULL DEFAULT '0',
  stage text NOT NULL,
  sqlstate text NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  attempts integer NOT NULL DEFAULT 1,
  next_attempt timestamptz NOT NULL,
  CONSTRAINT quarantined_source_fkey FOREIGN KEY (source) REFERENCES notify_bridge.source (number) ON DELETE CASCADE,
  CONSTRAINT quarantined_stage CHECK (stage IN ('read', 'mark', 'purge'))
);
CREATE UNIQUE INDEX quarantined_item_idx ON notify_bridge.quarantined
  (source, stage, txid, hashtextextended(coalesce(row_id, ''), 0), (row_id IS NULL));
CREATE INDEX quarantined_next_attempt_idx ON notify_bridge.quarantined (stage, next_attempt);

COMMENT ON TABLE notify_bridge.quarantined IS
  'Rows and tables that can''t be read, marked or deleted, each tried again with growing pauses. View quarantine shows them with the tables'' names.';
COMMENT ON COLUMN notify_bridge.quarantined.source IS 'The table, as notify_bridge.source.number.';
COMMENT ON COLUMN notify_bridge.quarantined.row_id IS 'The row, as text; null: the whole table.';
COMMENT ON COLUMN notify_bridge.quarantined.txid IS 'The transaction that wrote the row; 0 where there is none.';
COMMENT ON COLUMN notify_bridge.quarantined.stage IS 'What failed: read (for delivery), mark (as sent) or purge (by the retention).';
COMMENT ON COLUMN notify_bridge.quarantined.sqlstate IS 'The error; 02000 where the statement changed no row and gave no error.';
COMMENT ON COLUMN notify_bridge.quarantined.since IS 'When it failed first.';
COMMENT ON COLUMN notify_bridge.quarantined.attempts IS 'How often it failed.';
COMMENT ON COLUMN notify_bridge.quarantined.next_attempt IS 'When it is tried again.';
COMMENT ON CONSTRAINT quarantined_source_fkey ON notify_bridge.quarantined IS 'A table that is no longer served has no entries.';
COMMENT ON CONSTRAINT quarantined_stage ON notify_bridge.quarantined IS 'The three things that a bridge does with a row.';
COMMENT ON INDEX notify_bridge.quarantined_item_idx IS 'An item is set aside once.';
COMMENT ON INDEX notify_bridge.quarantined_next_attempt_idx IS 'Finds what is due.';

-- ------------------------------------------------------------------------------------------ replicas and doorbell

-- Fillfactor 10 leaves room in the one page of this table, so that heartbeats and arming stay heap-only updates and are
-- pruned away. No index may ever mention armed or touched_at.
CREATE TABLE notify_bridge.replica (
  id integer GENERATED ALWAYS AS IDENTITY,
  armed boolean NOT NULL DEFAULT false,
  lock_class integer NOT NULL DEFAULT 1315062866,
  application text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  version text NOT NULL,
  backend_pid integer NOT NULL DEFAULT pg_backend_pid(),
  started_at timestamptz NOT NULL DEFAULT now(),
  touched_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT replica_pkey PRIMARY KEY (id)
) WITH (fillfactor = 10);

COMMENT ON TABLE notify_bridge.replica IS
  'Running bridges, one row for each LISTEN session, which holds the advisory lock (lock_class, id) as long as it lives.';
COMMENT ON COLUMN notify_bridge.replica.id IS 'A new number at each registration; the second key of the advisory lock.';
COMMENT ON COLUMN notify_bridge.replica.armed IS
  'True while this bridge relies on the doorbell: commits must NOTIFY. False while it polls.';
COMMENT ON COLUMN notify_bridge.replica.lock_class IS 'The first key of the advisory lock.';
COMMENT ON COLUMN notify_bridge.replica.application IS 'Name of the program.';
COMMENT ON COLUMN notify_bridge.replica.host IS 'Host that it runs on.';
COMMENT ON COLUMN notify_bridge.replica.pid IS 'Its process id on that host.';
COMMENT ON COLUMN notify_bridge.replica.version IS 'Its version.';
COMMENT ON COLUMN notify_bridge.replica.backend_pid IS 'The server process of the LISTEN session, as in pg_stat_activity.';
COMMENT ON COLUMN notify_bridge.replica.started_at IS 'When it registered.';
COMMENT ON COLUMN notify_bridge.replica.touched_at IS 'Its last heartbeat.';
COMMENT ON CONSTRAINT replica_pkey ON notify_bridge.replica IS 'One row for each LISTEN session.';
COMMENT ON INDEX notify_bridge.replica_pkey IS 'One row for each LISTEN session.';
COMMENT ON SEQUENCE notify_bridge.replica_id_seq IS 'Numbers of replicas, never reused.';

-- A sequence is read without a query and without a snapshot, and every transaction sees a new value at once.
CREATE SEQUENCE notify_bridge.bell MINVALUE 0 MAXVALUE 1 START 1 CYCLE;
SELECT setval('notify_bridge.bell', 0);

COMMENT ON SEQUENCE notify_bridge.bell IS
  '1 while any row of notify_bridge.replica is armed, so that commits must ring, else 0. Set by notify_bridge.set_bell() alone, read by notify_bridge.ring().';

-- --------------------------------------------------------------------------------------------------------- logins

-- Written when access ends. A bridge reads it under the same snapshot as the rows, and applies it before them.
CREATE TABLE notify_bridge.revocation (
  id bigint GENERATED ALWAYS AS IDENTITY,
  user_id text NOT NULL,
  kind text NOT NULL,
  credential text,
  reason text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  CONSTRAINT revocation_pkey PRIMARY KEY (id),
  CONSTRAINT revocation_kind CHECK (kind IN ('user', 'sessions', 'tokens', 'session', 'token')),
  CONSTRAINT revocation_credential CHECK ((kind IN ('session', 'token')) = (credential IS NOT NULL)),
  CONSTRAINT revocation_reason CHECK (reason IN ('revoked', 'inactive'))
);
CREATE INDEX revocation_txid_idx ON notify_bridge.revocation (txid);
CREATE INDEX revocation_created_at_idx ON notify_bridge.revocation (created_at);

COMMENT ON TABLE notify_bridge.revocation IS
  'Ended access: bridges close the sockets that were opened with it. Rows are kept for an hour.';
COMMENT ON COLUMN notify_bridge.revocation.id IS 'Names the row.';
COMMENT ON COLUMN notify_bridge.revocation.user_id IS
  'The user, as text. Empty: every user, or the user of the credential.';
COMMENT ON COLUMN notify_bridge.revocation.kind IS
  'user: all sockets of the user. sessions, tokens: those that were opened with a session, with a token. session, token: those that were opened with this credential.';
COMMENT ON COLUMN notify_bridge.revocation.credential IS
  'SHA-256 of the session key or of the token, in hex; the credential itself is stored nowhere.';
COMMENT ON COLUMN notify_bridge.revocation.reason IS 'The reason that the client gets: revoked or inactive.';
COMMENT ON COLUMN notify_bridge.revocation.created_at IS 'When it was written.';
COMMENT ON COLUMN notify_bridge.revocation.txid IS 'The transaction that ended the access.';
COMMENT ON CONSTRAINT revocation_pkey ON notify_bridge.revocation IS 'Names the row.';
COMMENT ON CONSTRAINT revocation_kind ON notify_bridge.revocation IS 'Kinds that a bridge can look for.';
COMMENT ON CONSTRAINT revocation_credential ON notify_bridge.revocation IS 'One credential has a hash, many have none.';
COMMENT ON CONSTRAINT revocation_reason ON notify_bridge.revocation IS 'Reasons of the close code 4001.';
COMMENT ON INDEX notify_bridge.revocation_pkey IS 'Names the row.';
COMMENT ON INDEX notify_bridge.revocation_txid_idx IS 'Finds the rows that became visible since a snapshot.';
COMMENT ON INDEX notify_bridge.revocation_created_at_idx IS 'Finds old rows to delete.';
COMMENT ON SEQUENCE notify_bridge.revocation_id_seq IS 'Numbers of revocations.';

CREATE TABLE notify_bridge.ticket (
  hash bytea NOT NULL,
  user_id text NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT ticket_pkey PRIMARY KEY (hash),
  CONSTRAINT ticket_user_id CHECK (octet_length(user_id) BETWEEN 1 AND 128)
);
CREATE INDEX ticket_expires_at_idx ON notify_bridge.ticket (expires_at);

COMMENT ON TABLE notify_bridge.ticket IS 'Tickets that were issued and not used yet. Each is valid for one connect.';
COMMENT ON COLUMN notify_bridge.ticket.hash IS 'SHA-256 of the ticket; the ticket itself is stored nowhere.';
COMMENT ON COLUMN notify_bridge.ticket.user_id IS 'The user that it lets in, as text.';
COMMENT ON COLUMN notify_bridge.ticket.expires_at IS 'When it stops being valid.';
COMMENT ON CONSTRAINT ticket_pkey ON notify_bridge.ticket IS 'A ticket is issued once.';
COMMENT ON CONSTRAINT ticket_user_id ON notify_bridge.ticket IS 'Ids that a bridge accepts as a user.';
COMMENT ON INDEX notify_bridge.ticket_pkey IS 'A ticket is issued once.';
COMMENT ON INDEX notify_bridge.ticket_expires_at_idx IS 'Finds expired tickets.';

CREATE TABLE notify_bridge.login (
  kind text NOT NULL,
  relation regclass NOT NULL,
  has_active boolean NOT NULL DEFAULT false,
  CONSTRAINT login_pkey PRIMARY KEY (kind),
  CONSTRAINT login_kind CHECK (kind IN ('user', 'session', 'token'))
);

COMMENT ON TABLE notify_bridge.login IS 'The tables that attach_logins has put triggers on.';
COMMENT ON COLUMN notify_bridge.login.kind IS 'user, session (django_session) or token (authtoken_token).';
COMMENT ON COLUMN notify_bridge.login.relation IS 'The table.';
COMMENT ON COLUMN notify_bridge.login.has_active IS
  'Whether the table of users had a column is_active when it was attached. If it is gone, nobody can tell who is active.';
COMMENT ON CONSTRAINT login_pkey ON notify_bridge.login IS 'One table of each kind.';
COMMENT ON CONSTRAINT login_kind ON notify_bridge.login IS 'Kinds that a bridge can look up.';
COMMENT ON INDEX notify_bridge.login_pkey IS 'One table of each kind.';

REVOKE ALL ON ALL TABLES IN SCHEMA notify_bridge FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA notify_bridge FROM PUBLIC;
