-- Rows by their recipient.

CREATE OR REPLACE FUNCTION notify_bridge.report_users(
  since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, source text DEFAULT NULL, row_limit integer DEFAULT 100)
RETURNS TABLE (recipient text, created bigint, sent bigint, read bigint, unsent bigint, last_sent timestamptz,
  last_read timestamptz, online boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET max_parallel_workers_per_gather = 0 SET enable_seqscan = on
AS $$
#variable_conflict use_column
DECLARE
  range record;
BEGIN
  IF row_limit < 0 THEN
    RAISE invalid_parameter_value USING MESSAGE = 'row_limit can''t be below 0', HINT = 'NULL stands for all recipients.';
  END IF;
  SELECT r.since, r.until INTO range
  FROM notify_bridge.report_range(report_users.source, report_users.since, report_users.until) AS r;
  RETURN QUERY EXECUTE format(
    'SELECT u.*, CASE WHEN u.recipient IS NOT NULL THEN
       EXISTS (SELECT FROM notify_bridge.presence AS p WHERE p.recipient = u.recipient) END
     FROM (SELECT n.recipient, count(*) AS created,
       CASE WHEN count(n.is_sent) > 0 THEN count(*) FILTER (WHERE n.is_sent) END,
       CASE WHEN count(n.is_read) > 0 THEN count(*) FILTER (WHERE n.is_read) END,
       CASE WHEN count(n.is_sent) > 0 THEN count(*) FILTER (WHERE NOT n.is_sent) END,
       max(n.sent_at), max(n.read_at)
     FROM %s AS n GROUP BY n.recipient ORDER BY 2 DESC, 1 LIMIT $3) AS u
     ORDER BY u.created DESC, u.recipient',
    notify_bridge.report_rows(report_users.source, true))
  USING range.since, range.until, row_limit;
END
$$;

COMMENT ON FUNCTION notify_bridge.report_users(timestamptz, timestamptz, text, integer) IS
  'The recipients of rows created from since to before until, of one served table (source) or of all, those with the most rows first: how many rows were created, sent and read, how many are unsent, the last times, and who is online. At most row_limit rows; NULL: all.';
