-- The connection log.

-- A row comes when a socket opens and again when it ends, or once for both. The later one counts.
CREATE OR REPLACE FUNCTION notify_bridge.record_connections(
  recorder integer, numbers bigint[], recipients text[], addresses text[], user_agents text[], protocols text[],
  opened bigint[], closed bigint[], codes integer[], closers text[], row_counts bigint[], byte_counts bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO notify_bridge.connection_log AS l
    (recipient, address, user_agent, protocol, opened, closed, code, closed_by, rows, bytes, replica, recorder, number)
  SELECT c.recipient, c.address, c.user_agent, c.protocol, timestamptz 'epoch' + c.opened * interval '1 microsecond',
    timestamptz 'epoch' + c.closed * interval '1 microsecond', c.code, c.closed_by, c.rows, c.bytes, r.replica, r.id, c.number
  FROM notify_bridge.recorder AS r,
    unnest(numbers, recipients, addresses, user_agents, protocols, opened, closed, codes, closers, row_counts, byte_counts)
      AS c (number, recipient, address, user_agent, protocol, opened, closed, code, closed_by, rows, bytes)
  WHERE r.id = record_connections.recorder
  ON CONFLICT (recorder, number) DO UPDATE SET
    closed = excluded.closed, code = excluded.code, closed_by = excluded.closed_by, rows = excluded.rows, bytes = excluded.bytes;
END
$$;

COMMENT ON FUNCTION notify_bridge.record_connections(integer, bigint[], text[], text[], text[], text[], bigint[], bigint[], integer[], text[], bigint[], bigint[]) IS
  'Writes sockets of this bridge to the connection log, open or closed. Times are microseconds since 1970.';

CREATE OR REPLACE FUNCTION notify_bridge.purge_logs(connection_days integer, delivery_days integer, batch integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  connections bigint := 0;
  deliveries bigint := 0;
BEGIN
  IF connection_days > 0 THEN
    DELETE FROM notify_bridge.connection_log AS l WHERE l.ctid = ANY (ARRAY(
      SELECT o.ctid FROM notify_bridge.connection_log AS o
      WHERE o.opened < now() - make_interval(days => connection_days)
        AND o.closed < now() - make_interval(days => connection_days)
      LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS connections = ROW_COUNT;
  END IF;
  IF delivery_days > 0 THEN
    DELETE FROM notify_bridge.logged_delivery AS l WHERE l.ctid = ANY (ARRAY(
      SELECT o.ctid FROM notify_bridge.logged_delivery AS o WHERE o.at < now() - make_interval(days => delivery_days)
      LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS deliveries = ROW_COUNT;
  END IF;
  DELETE FROM notify_bridge.seen_user AS s WHERE s.ctid = ANY (ARRAY(
    SELECT o.ctid FROM notify_bridge.seen_user AS o WHERE o.last_seen < now() - interval '1 year'
    LIMIT batch FOR UPDATE SKIP LOCKED));
  RETURN greatest(connections, deliveries);
END
$$;

COMMENT ON FUNCTION notify_bridge.purge_logs(integer, integer, integer) IS
  'Deletes at most batch rows of each log that ended more than so many days ago (0: none), and users who were not seen for a year. Repeat it until it returns less than batch.';
