-- The delivery log.

CREATE OR REPLACE VIEW notify_bridge.delivery_log AS
SELECT CASE WHEN c.oid IS NOT NULL THEN format('%I.%I', n.nspname, c.relname)
    ELSE coalesce(s.added ->> 'name', l.source::text) END COLLATE "default" AS source,
  l.row_id, l.at, l.event, l.replica, l.devices, l.source AS number
FROM notify_bridge.logged_delivery AS l
LEFT JOIN notify_bridge.source AS s ON s.number = l.source
LEFT JOIN pg_class AS c ON c.oid = s.relation
LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace;

COMMENT ON VIEW notify_bridge.delivery_log IS
  'What happened to rows, where NOTIFY_BRIDGE_DELIVERY_LOG_DAYS is set: sent and acknowledged with the number of devices, resent, purged. It holds nothing of a payload.';

CREATE OR REPLACE FUNCTION notify_bridge.record_deliveries(
  recorder integer, sources integer[], row_ids text[], at bigint[], events text[], devices integer[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO notify_bridge.logged_delivery (source, row_id, at, event, replica, devices)
  SELECT d.source, d.row_id, timestamptz 'epoch' + d.at * interval '1 microsecond', d.event, r.replica, d.devices
  FROM notify_bridge.recorder AS r,
    unnest(sources, row_ids, at, events, devices) AS d (source, row_id, at, event, devices)
  WHERE r.id = record_deliveries.recorder;
END
$$;

COMMENT ON FUNCTION notify_bridge.record_deliveries(integer, integer[], text[], bigint[], text[], integer[]) IS
  'Writes events of rows at this bridge to the delivery log. Times are microseconds since 1970.';

CREATE OR REPLACE FUNCTION notify_bridge.logs_deliveries() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM notify_bridge.recorder AS r
    WHERE r.logs_deliveries AND r.touched_at > clock_timestamp() - interval '1 minute')
$$;

COMMENT ON FUNCTION notify_bridge.logs_deliveries() IS 'Whether a running bridge keeps the delivery log.';

CREATE OR REPLACE FUNCTION notify_bridge.log_statement(source integer, row_ids text[], event text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO notify_bridge.logged_delivery (source, row_id, at, event)
  SELECT $1, r.id, clock_timestamp(), $3 FROM unnest($2) AS r (id) WHERE notify_bridge.logs_deliveries()
$$;

COMMENT ON FUNCTION notify_bridge.log_statement(integer, text[], text) IS
  'Writes what a statement did to rows to the delivery log, where a running bridge keeps it.';
