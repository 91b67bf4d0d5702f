-- How long rows took to be sent, and then to be read.

-- In SQL, since PL/pgSQL allows no column that is called like a parameter: $3 is the parameter bucket.
CREATE OR REPLACE FUNCTION notify_bridge.report_latency(
  since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, bucket interval DEFAULT '1 day', source text DEFAULT NULL,
  time_zone text DEFAULT 'UTC')
RETURNS TABLE (bucket timestamptz, rows bigint, sent_p50 double precision, sent_p95 double precision, sent_p99 double precision,
  read_p50 double precision, read_p95 double precision, read_p99 double precision)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH span AS MATERIALIZED (
    SELECT r.since, r.until, notify_bridge.report_buckets(r.since, r.until, $3, $5) AS starts
    FROM notify_bridge.report_range($4, $1, $2) AS r
  ), measured AS MATERIALIZED (
    SELECT q.* FROM span AS s, notify_bridge.report_percentiles(s.since, s.until, s.starts, $4) AS q
  )
  SELECT s.starts[coalesce(q.place, b.place)], coalesce(q.rows, 0),
    q.sent[1], q.sent[2], q.sent[3], q.read[1], q.read[2], q.read[3]
  FROM measured AS q
  FULL JOIN (SELECT generate_subscripts(s.starts, 1) AS place FROM span AS s) AS b ON b.place = q.place
  CROSS JOIN span AS s
  ORDER BY coalesce(q.place, b.place)
$$;

COMMENT ON FUNCTION notify_bridge.report_latency(timestamptz, timestamptz, interval, text, text) IS
  'Seconds from the creation of a row to its sending, and from its sending to its reading, as percentiles over all rows that were created in a bucket, of one served table (source) or of all together. Rows without a time of creation are in the bucket NULL.';

-- An interval without an end, from an infinite time, is left out. The rows are sorted by bucket, hence the work_mem.
CREATE OR REPLACE FUNCTION notify_bridge.report_percentiles(
  since timestamptz, until timestamptz, starts timestamptz[], source text)
RETURNS TABLE (place integer, rows bigint, sent double precision[], read double precision[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  SET max_parallel_workers_per_gather = 0 SET enable_seqscan = on SET work_mem = '64MB'
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY EXECUTE format(
    'SELECT g.place, count(*), percentile_cont(%1$L::float8[]) WITHIN GROUP (ORDER BY g.sent),
       percentile_cont(%1$L::float8[]) WITHIN GROUP (ORDER BY g.read)
     FROM (
       SELECT width_bucket(n.created, $3) AS place,
         CASE WHEN isfinite(n.created) AND isfinite(n.sent_at) THEN date_part(''epoch'', n.sent_at - n.created) END AS sent,
         CASE WHEN isfinite(n.sent_at) AND isfinite(n.read_at) THEN date_part(''epoch'', n.read_at - n.sent_at) END AS read
       FROM %2$s AS n) AS g
     GROUP BY g.place',
    '{0.5,0.95,0.99}', notify_bridge.report_rows(report_percentiles.source, true))
  USING since, until, starts;
END
$$;

COMMENT ON FUNCTION notify_bridge.report_percentiles(timestamptz, timestamptz, timestamptz[], text) IS
  'The figures of report_latency: place is the number of the bucket, and the arrays hold the percentiles 50, 95 and 99.';
