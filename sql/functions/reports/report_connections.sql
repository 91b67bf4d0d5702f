-- Sockets by time, from the connection log.

-- In SQL, since PL/pgSQL allows no column that is called like a parameter: $3 is the parameter bucket. An end of a socket
-- comes before the beginning of another one at the same time, and a bucket begins with those that are open then.
CREATE OR REPLACE FUNCTION notify_bridge.report_connections(
  since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, bucket interval DEFAULT '1 day', time_zone text DEFAULT 'UTC')
RETURNS TABLE (bucket timestamptz, opened bigint, closed jsonb, peak bigint, median_seconds double precision)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH span AS MATERIALIZED (
    SELECT r.since, r.until, notify_bridge.report_buckets(r.since, r.until, $3, $4) AS starts
    FROM (SELECT CASE WHEN $2 = 'infinity' THEN now() ELSE coalesce($2, now()) END) AS e (until)
    CROSS JOIN notify_bridge.report_range(NULL,
      CASE WHEN $1 = '-infinity' THEN least((SELECT min(l.opened) FROM notify_bridge.connection_log AS l), e.until) ELSE $1 END,
      e.until) AS r
  ), connection AS MATERIALIZED (
    SELECT l.opened, l.closed, coalesce(l.code::text, l.closed_by) AS code,
      CASE WHEN l.opened >= s.since THEN width_bucket(l.opened, s.starts) END AS opening,
      CASE WHEN l.closed < s.until THEN width_bucket(l.closed, s.starts) END AS closing
    FROM span AS s JOIN notify_bridge.connection_log AS l ON l.opened < s.until AND (l.closed >= s.since OR l.closed IS NULL)
  ), change AS (
    SELECT coalesce(c.opening, 1) AS place, greatest(c.opened, s.since) AS at, 1 AS step FROM span AS s, connection AS c
    UNION ALL
    SELECT c.closing, c.closed, -1 FROM connection AS c WHERE c.closing IS NOT NULL
    UNION ALL
    SELECT b.place, greatest(b.at, s.since), 0 FROM span AS s, unnest(s.starts) WITH ORDINALITY AS b (at, place)
  ), peak AS (
    SELECT l.place, max(l.open)::bigint AS peak
    FROM (SELECT c.place, sum(c.step) OVER (ORDER BY c.at, c.step) AS open FROM change AS c) AS l GROUP BY l.place
  ), opening AS (
    SELECT c.opening AS place, count(*) AS opened FROM connection AS c GROUP BY c.opening
  ), closing AS (
    SELECT e.place, jsonb_object_agg(e.code, e.count) AS closed
    FROM (SELECT c.closing AS place, c.code, count(*) AS count FROM connection AS c WHERE c.closing IS NOT NULL GROUP BY 1, 2) AS e
    GROUP BY e.place
  ), duration AS (
    SELECT c.closing AS place, percentile_cont(0.5) WITHIN GROUP (ORDER BY date_part('epoch', c.closed - c.opened)) AS median
    FROM connection AS c GROUP BY c.closing
  )
  SELECT b.at, coalesce(o.opened, 0), coalesce(c.closed, '{}'), coalesce(p.peak, 0), d.median
  FROM span AS s CROSS JOIN unnest(s.starts) WITH ORDINALITY AS b (at, place)
  LEFT JOIN opening AS o ON o.place = b.place
  LEFT JOIN closing AS c ON c.place = b.place
  LEFT JOIN peak AS p ON p.place = b.place
  LEFT JOIN duration AS d ON d.place = b.place
  ORDER BY b.place
$$;

COMMENT ON FUNCTION notify_bridge.report_connections(timestamptz, timestamptz, interval, text) IS
  'The sockets of the connection log by bucket of time_zone: how many were opened, how many were closed by their code (lost: their bridge was killed), the most that were open at once, and the median of how long those that were closed had been open.';
