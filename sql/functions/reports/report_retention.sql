-- What the retention would delete.

CREATE OR REPLACE FUNCTION notify_bridge.report_retention(days integer DEFAULT 30, source text DEFAULT NULL)
RETURNS TABLE (day date, rows bigint, bytes bigint, due bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
  SET max_parallel_workers_per_gather = 0 SET enable_seqscan = on
AS $$
#variable_conflict use_column
BEGIN
  IF days IS NULL OR days < 0 THEN
    RAISE invalid_parameter_value USING MESSAGE = 'days can''t be NULL or below 0', HINT = 'It is an age, such as days => 30.';
  END IF;
  RETURN QUERY EXECUTE format(
    'SELECT t.day, sum(t.rows)::bigint, round(sum(z.bytes * t.rows / t.all_rows))::bigint, sum(t.due)::bigint
     FROM (
       SELECT g.*, sum(g.rows) OVER (PARTITION BY g.number) AS all_rows
       FROM (
         SELECT n.number, n.created::date AS day, count(*) AS rows,
           count(*) FILTER (WHERE n.is_sent AND n.created < $1) AS due
         FROM %s AS n GROUP BY n.number, n.created::date) AS g) AS t
     JOIN (
       SELECT s.number, (SELECT sum(pg_total_relation_size(r.relid)) FROM notify_bridge.tables_of(s.relation) AS r) AS bytes
       FROM notify_bridge.source AS s) AS z ON z.number = t.number
     GROUP BY t.day ORDER BY t.day',
    notify_bridge.report_rows(report_retention.source, false))
  USING now() - make_interval(days => report_retention.days);
END
$$;

COMMENT ON FUNCTION notify_bridge.report_retention(integer, text) IS
  'Rows by the day of their creation (UTC), of one served table (source) or of all: how many, their share of the table''s size with its indexes, and how many of them purge would delete that are older than days. Unsent rows are never due.';
