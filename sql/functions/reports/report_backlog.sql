-- Rows that wait for a device of their user. Rows with txid NULL, from before their table was attached, wait for none.

CREATE OR REPLACE FUNCTION notify_bridge.report_backlog(source text DEFAULT NULL)
RETURNS TABLE (age_bucket text, rows bigint, users bigint, oldest timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET max_parallel_workers_per_gather = 0 SET enable_seqscan = on
AS $$
#variable_conflict use_column
DECLARE
  ages CONSTANT interval[] := '{7 days, 1 day, 1 hour, 10 minutes, 1 minute}';
  names CONSTANT text[] := ARRAY['over 7 days', '1 to 7 days', '1 to 24 hours', '10 to 60 minutes', '1 to 10 minutes', 'under 1 minute'];
  starts CONSTANT timestamptz[] := ARRAY(SELECT now() - a.age FROM unnest(ages) AS a (age) ORDER BY a.age DESC);
BEGIN
  RETURN QUERY EXECUTE format(
    'SELECT $2[coalesce(w.place, p.place) + 1], coalesce(w.rows, 0), coalesce(w.users, 0), w.oldest
     FROM (
       SELECT width_bucket(n.created, $1) AS place, count(*) AS rows, count(DISTINCT n.recipient) AS users, min(n.created) AS oldest
       FROM %s AS n WHERE NOT n.is_sent AND n.txid IS NOT NULL GROUP BY 1) AS w
     FULL JOIN generate_series(0, cardinality($1)) AS p (place) ON p.place = w.place
     ORDER BY coalesce(w.place, p.place) DESC NULLS LAST',
    notify_bridge.report_rows(report_backlog.source, false))
  USING starts, names;
END
$$;

COMMENT ON FUNCTION notify_bridge.report_backlog(text) IS
  'Unsent rows of one served table (source) or of all, by their age: how many, of how many users, and when the oldest was created. Rows from before a table was attached are not sent and not counted.';
