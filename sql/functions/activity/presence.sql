-- Presence: who is connected, to which bridge, since when.

CREATE OR REPLACE FUNCTION notify_bridge.record_seen(recipients text[], at timestamptz) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  -- In one order everywhere, so that two bridges don't deadlock.
  INSERT INTO notify_bridge.seen_user AS s (recipient, last_seen)
  SELECT r.recipient, $2 FROM unnest($1) AS r (recipient) ORDER BY r.recipient COLLATE "C"
  ON CONFLICT (recipient) DO UPDATE SET last_seen = excluded.last_seen WHERE s.last_seen < excluded.last_seen
$$;

COMMENT ON FUNCTION notify_bridge.record_seen(text[], timestamptz) IS 'Records when these users were seen last.';

-- Times are microseconds since 1970.
CREATE OR REPLACE FUNCTION notify_bridge.record_presence(
  recorder integer, is_whole boolean, recipients text[], devices integer[], since bigint[], seen bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  others text[];
BEGIN
  IF is_whole THEN
    WITH gone AS (
      DELETE FROM notify_bridge.connected_user AS u
      WHERE u.recorder = record_presence.recorder
        AND NOT EXISTS (SELECT FROM unnest(recipients) AS r (recipient) WHERE r.recipient = u.recipient)
      RETURNING u.recipient)
    SELECT array_agg(g.recipient) INTO others FROM gone AS g;
    PERFORM notify_bridge.record_seen(others, clock_timestamp());
  END IF;
  INSERT INTO notify_bridge.connected_user AS u (recipient, recorder, devices, since)
  SELECT r.recipient, record_presence.recorder, r.devices, timestamptz 'epoch' + r.since * interval '1 microsecond'
  FROM unnest(recipients, devices, since) AS r (recipient, devices, since) WHERE r.devices > 0
  ON CONFLICT (recipient, recorder) DO UPDATE SET devices = excluded.devices, since = excluded.since
  WHERE u.devices <> excluded.devices OR u.since <> excluded.since;
  DELETE FROM notify_bridge.connected_user AS u
  USING unnest(recipients, record_presence.devices) AS r (recipient, devices)
  WHERE u.recipient = r.recipient AND u.recorder = record_presence.recorder AND r.devices = 0;
  INSERT INTO notify_bridge.seen_user AS s (recipient, last_seen)
  SELECT r.recipient, timestamptz 'epoch' + r.seen * interval '1 microsecond'
  FROM unnest(recipients, devices, seen) AS r (recipient, devices, seen) WHERE r.devices = 0
  ORDER BY r.recipient COLLATE "C"
  ON CONFLICT (recipient) DO UPDATE SET last_seen = excluded.last_seen WHERE s.last_seen < excluded.last_seen;
END
$$;

COMMENT ON FUNCTION notify_bridge.record_presence(integer, boolean, text[], integer[], bigint[], bigint[]) IS
  'Records how many sockets users have at this bridge, since when, and for those without any when they were seen last. is_whole: no other user has one.';

-- In REPEATABLE READ and SERIALIZABLE the snapshot is old, and so is each bridge's sign of life in it.
CREATE OR REPLACE VIEW notify_bridge.presence AS
SELECT u.recipient, r.replica, u.devices, u.since, statement_timestamp() AS last_seen
FROM notify_bridge.recorder AS r JOIN notify_bridge.connected_user AS u ON u.recorder = r.id
WHERE r.touched_at > CASE WHEN current_setting('transaction_isolation') LIKE 'read %' THEN statement_timestamp()
    ELSE transaction_timestamp() END - interval '8 seconds';

COMMENT ON VIEW notify_bridge.presence IS
  'The users with sockets, one row for each bridge that they are connected to: devices is the number of sockets there, replica is notify_bridge.replica.id, last_seen is now.';

CREATE OR REPLACE FUNCTION notify_bridge.online(recipient text) RETURNS boolean
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT EXISTS (SELECT FROM notify_bridge.presence AS p WHERE p.recipient = $1) $$;

COMMENT ON FUNCTION notify_bridge.online(text) IS 'Whether the user has a socket at any bridge.';

-- With the caller's rights: the cast may be a function of the caller.
CREATE OR REPLACE FUNCTION notify_bridge.online(recipient anyelement) RETURNS boolean
LANGUAGE sql STABLE STRICT SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$ SELECT EXISTS (SELECT FROM notify_bridge.presence AS p WHERE p.recipient = $1::text) $$;

COMMENT ON FUNCTION notify_bridge.online(anyelement) IS 'The same for an integer or a uuid.';

-- A bridge that was killed: until its users are written to seen_user, they were seen when it gave its last sign of life.
CREATE OR REPLACE FUNCTION notify_bridge.last_seen(recipient text) RETURNS timestamptz
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT max(seen.at) FROM (
    SELECT p.last_seen FROM notify_bridge.presence AS p WHERE p.recipient = $1
    UNION ALL
    SELECT greatest(u.since, r.touched_at) FROM notify_bridge.connected_user AS u JOIN notify_bridge.recorder AS r ON r.id = u.recorder
    WHERE u.recipient = $1
    UNION ALL
    SELECT s.last_seen FROM notify_bridge.seen_user AS s WHERE s.recipient = $1) AS seen (at)
$$;

COMMENT ON FUNCTION notify_bridge.last_seen(text) IS
  'When the user was connected last: now while online, else the end of the last socket. NULL where the user was not seen for a year.';

CREATE OR REPLACE FUNCTION notify_bridge.last_seen(recipient anyelement) RETURNS timestamptz
LANGUAGE sql STABLE STRICT SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$ SELECT notify_bridge.last_seen($1::text) $$;

COMMENT ON FUNCTION notify_bridge.last_seen(anyelement) IS 'The same for an integer or a uuid.';
