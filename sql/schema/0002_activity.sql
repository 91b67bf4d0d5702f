-- Presence, the connection log and the delivery log: what the bridges record of their sockets, at most once a second each.
-- Views and functions are in functions/activity/.

-- Ordinary tables: unlogged ones can't be read on a standby, where reports run, and a crash would empty them. Their
-- transactions don't wait for the disk.
CREATE TABLE notify_bridge.recorder (
  id integer GENERATED ALWAYS AS IDENTITY,
  replica integer NOT NULL,
  logs_deliveries boolean NOT NULL,
  touched_at timestamptz NOT NULL,
  CONSTRAINT recorder_pkey PRIMARY KEY (id)
) WITH (fillfactor = 10);

COMMENT ON TABLE notify_bridge.recorder IS
  'Running bridges that record presence or logs, with the last sign of life. What one of them recorded counts while that is fresh.';
COMMENT ON COLUMN notify_bridge.recorder.id IS 'Names the process for its whole life; notify_bridge.replica.id is new with each LISTEN session.';
COMMENT ON COLUMN notify_bridge.recorder.replica IS 'The bridge, as notify_bridge.replica.id.';
COMMENT ON COLUMN notify_bridge.recorder.logs_deliveries IS 'Whether it keeps the delivery log.';
COMMENT ON COLUMN notify_bridge.recorder.touched_at IS 'Its last statement.';
COMMENT ON CONSTRAINT recorder_pkey ON notify_bridge.recorder IS 'One row for each process.';
COMMENT ON INDEX notify_bridge.recorder_pkey IS 'One row for each process.';
COMMENT ON SEQUENCE notify_bridge.recorder_id_seq IS 'Numbers of recorders, never reused.';

CREATE TABLE notify_bridge.connected_user (
  recipient text NOT NULL,
  recorder integer NOT NULL,
  devices integer NOT NULL,
  since timestamptz NOT NULL,
  CONSTRAINT connected_user_pkey PRIMARY KEY (recipient, recorder)
) WITH (fillfactor = 70);

COMMENT ON TABLE notify_bridge.connected_user IS 'The users with sockets, by bridge. View presence shows those of bridges that live.';
COMMENT ON COLUMN notify_bridge.connected_user.recipient IS 'The user, as text.';
COMMENT ON COLUMN notify_bridge.connected_user.recorder IS 'The bridge, as notify_bridge.recorder.id.';
COMMENT ON COLUMN notify_bridge.connected_user.devices IS 'The user''s sockets at this bridge, at least one.';
COMMENT ON COLUMN notify_bridge.connected_user.since IS 'When the user came to have a socket there.';
COMMENT ON CONSTRAINT connected_user_pkey ON notify_bridge.connected_user IS 'One row for a user and a bridge.';
COMMENT ON INDEX notify_bridge.connected_user_pkey IS 'One row for a user and a bridge.';

CREATE TABLE notify_bridge.seen_user (
  recipient text NOT NULL,
  last_seen timestamptz NOT NULL,
  CONSTRAINT seen_user_pkey PRIMARY KEY (recipient)
) WITH (fillfactor = 70);

COMMENT ON TABLE notify_bridge.seen_user IS 'When the last socket of a user at a bridge ended. Kept for a year.';
COMMENT ON COLUMN notify_bridge.seen_user.recipient IS 'The user, as text.';
COMMENT ON COLUMN notify_bridge.seen_user.last_seen IS 'The end of the socket, or the last sign of life of a bridge that was killed.';
COMMENT ON CONSTRAINT seen_user_pkey ON notify_bridge.seen_user IS 'One row for a user.';
COMMENT ON INDEX notify_bridge.seen_user_pkey IS 'One row for a user.';

CREATE TABLE notify_bridge.connection_log (
  recipient text NOT NULL,
  address text NOT NULL,
  user_agent text,
  protocol text NOT NULL,
  opened timestamptz NOT NULL,
  closed timestamptz,
  code integer,
  closed_by text,
  rows bigint NOT NULL,
  bytes bigint NOT NULL,
  replica integer NOT NULL,
  recorder integer NOT NULL,
  number bigint NOT NULL,
  CONSTRAINT connection_log_pkey PRIMARY KEY (recorder, number)
);
CREATE INDEX connection_log_recipient_idx ON notify_bridge.connection_log (recipient, opened);
CREATE INDEX connection_log_opened_idx ON notify_bridge.connection_log (opened);
CREATE INDEX connection_log_open_idx ON notify_bridge.connection_log (recorder) WHERE closed IS NULL;

COMMENT ON TABLE notify_bridge.connection_log IS
  'The sockets of users, one row each, where NOTIFY_BRIDGE_CONNECTION_LOG_DAYS is set.';
COMMENT ON COLUMN notify_bridge.connection_log.recipient IS 'The user, as text.';
COMMENT ON COLUMN notify_bridge.connection_log.address IS 'The client''s address, as trusted proxies report it.';
COMMENT ON COLUMN notify_bridge.connection_log.user_agent IS 'The header User-Agent, its first 512 bytes; null without one.';
COMMENT ON COLUMN notify_bridge.connection_log.protocol IS 'websocket.';
COMMENT ON COLUMN notify_bridge.connection_log.opened IS 'When connection_established was written.';
COMMENT ON COLUMN notify_bridge.connection_log.closed IS
  'When the socket ended; null while it is open. Where the bridge was killed, its last sign of life.';
COMMENT ON COLUMN notify_bridge.connection_log.code IS
  'The close code; 1005 for a close frame without one, 1006 for an end without a close frame; null where the bridge was killed.';
COMMENT ON COLUMN notify_bridge.connection_log.closed_by IS 'client, server or network; lost where the bridge was killed.';
COMMENT ON COLUMN notify_bridge.connection_log.rows IS 'Rows that the socket took. Known at its end.';
COMMENT ON COLUMN notify_bridge.connection_log.bytes IS 'Bytes written to the socket, without those of TLS and of the handshake. Known at its end.';
COMMENT ON COLUMN notify_bridge.connection_log.replica IS 'The bridge, as notify_bridge.replica.id then.';
COMMENT ON COLUMN notify_bridge.connection_log.recorder IS 'The bridge, as notify_bridge.recorder.id.';
COMMENT ON COLUMN notify_bridge.connection_log.number IS 'Names the socket at its bridge.';
COMMENT ON CONSTRAINT connection_log_pkey ON notify_bridge.connection_log IS 'One row for a socket.';
COMMENT ON INDEX notify_bridge.connection_log_pkey IS 'One row for a socket.';
COMMENT ON INDEX notify_bridge.connection_log_recipient_idx IS 'Finds the sockets of a user.';
COMMENT ON INDEX notify_bridge.connection_log_opened_idx IS 'Finds the sockets of a time, and old rows to delete.';
COMMENT ON INDEX notify_bridge.connection_log_open_idx IS 'Finds the sockets that a killed bridge has left open.';

-- Ids may be longer than an index entry, hence the hash.
CREATE TABLE notify_bridge.logged_delivery (
  source integer NOT NULL,
  row_id text NOT NULL,
  at timestamptz NOT NULL,
  event text NOT NULL,
  replica integer,
  devices integer,
  CONSTRAINT logged_delivery_event CHECK (event IN ('sent', 'acknowledged', 'resent', 'purged'))
);
CREATE INDEX logged_delivery_row_idx ON notify_bridge.logged_delivery (source, hashtextextended(row_id, 0));
CREATE INDEX logged_delivery_at_idx ON notify_bridge.logged_delivery (at);

COMMENT ON TABLE notify_bridge.logged_delivery IS
  'What happened to rows, where NOTIFY_BRIDGE_DELIVERY_LOG_DAYS is set. View delivery_log shows it with the names of the tables.';
COMMENT ON COLUMN notify_bridge.logged_delivery.source IS 'The table, as notify_bridge.source.number.';
COMMENT ON COLUMN notify_bridge.logged_delivery.row_id IS 'The row, as text.';
COMMENT ON COLUMN notify_bridge.logged_delivery.at IS 'When it happened. Devices of the same second count together.';
COMMENT ON COLUMN notify_bridge.logged_delivery.event IS
  'sent: sockets took it. acknowledged: clients confirmed it. resent: made unsent. purged: deleted by the retention.';
COMMENT ON COLUMN notify_bridge.logged_delivery.replica IS 'The bridge, as notify_bridge.replica.id; null for what a statement did.';
COMMENT ON COLUMN notify_bridge.logged_delivery.devices IS 'How many; null for what a statement did.';
COMMENT ON CONSTRAINT logged_delivery_event ON notify_bridge.logged_delivery IS 'The events of a timeline that no column of the row tells.';
COMMENT ON INDEX notify_bridge.logged_delivery_row_idx IS 'Finds the events of a row.';
COMMENT ON INDEX notify_bridge.logged_delivery_at_idx IS 'Finds old rows to delete.';

REVOKE ALL ON ALL TABLES IN SCHEMA notify_bridge FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA notify_bridge FROM PUBLIC;
