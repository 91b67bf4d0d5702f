-- Rows by the time of their creation and by a key.
--
-- Each table is counted by one statement. Where the key is in the payload, its expression may raise an error for a row.
-- Then the rows are read once more, in batches, and a batch that fails is halved until the row is alone: it counts under
-- the key NULL.

-- In SQL, since PL/pgSQL allows no column that is called like a parameter: $3 is the parameter bucket.
CREATE OR REPLACE FUNCTION notify_bridge.report_deliveries(
  since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, bucket interval DEFAULT '1 day', source text DEFAULT NULL,
  by text DEFAULT NULL, time_zone text DEFAULT 'UTC')
RETURNS TABLE (bucket timestamptz, key text, created bigint, sent bigint, read bigint, archived bigint, unsent bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH span AS MATERIALIZED (
    SELECT r.since, r.until, notify_bridge.report_buckets(r.since, r.until, $3, $6) AS starts
    FROM notify_bridge.report_range($4, $1, $2) AS r
  ), counted AS MATERIALIZED (
    SELECT c.* FROM span AS s, notify_bridge.report_counts(s.since, s.until, s.starts, $4, $5) AS c
  ), has AS (
    SELECT CASE WHEN bool_or(c.sent IS NOT NULL) THEN 0 END AS sent, CASE WHEN bool_or(c.read IS NOT NULL) THEN 0 END AS read
    FROM counted AS c
  ), total AS (
    SELECT c.place, c.key, sum(c.created)::bigint AS created, sum(c.sent)::bigint AS sent, sum(c.read)::bigint AS read,
      sum(c.unsent)::bigint AS unsent
    FROM counted AS c WHERE c.created > 0 GROUP BY c.place, c.key
  )
  SELECT s.starts[coalesce(t.place, b.place)], t.key, coalesce(t.created, 0), CASE WHEN t.created > 0 THEN t.sent ELSE has.sent END,
    CASE WHEN t.created > 0 THEN t.read ELSE has.read END, NULL::bigint, CASE WHEN t.created > 0 THEN t.unsent ELSE has.sent END
  FROM total AS t
  FULL JOIN (SELECT generate_subscripts(s.starts, 1) AS place FROM span AS s WHERE $5 IS NULL) AS b ON b.place = t.place
  CROSS JOIN has CROSS JOIN span AS s
  ORDER BY coalesce(t.place, b.place), t.created DESC, t.key
$$;

COMMENT ON FUNCTION notify_bridge.report_deliveries(timestamptz, timestamptz, interval, text, text, text) IS
  'Rows created from since to before until, by buckets that begin in time_zone, of one served table (source) or of all: how many were created, sent and read, and how many are unsent. by: NULL, ''user'', ''source'', or a path in the payload such as ''type'' or ''meta.kind''. Rows without a time of creation are in the bucket NULL.';

CREATE OR REPLACE FUNCTION notify_bridge.report_counts(
  since timestamptz, until timestamptz, starts timestamptz[], source text, by text)
RETURNS TABLE (place integer, key text, created bigint, sent bigint, read bigint, unsent bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  SET max_parallel_workers_per_gather = 0 SET enable_seqscan = on
AS $$
#variable_conflict use_column
DECLARE
  path CONSTANT text[] := CASE WHEN by NOT IN ('user', 'source') THEN string_to_array(ltrim(by, '.'), '.') END;
  t record;
  statement text;
BEGIN
  FOR t IN SELECT * FROM notify_bridge.report_tables(report_counts.source) LOOP
    -- A row of zeros shows which columns the table has.
    RETURN QUERY SELECT NULL::integer, NULL::text, 0::bigint, CASE WHEN t.is_sent IS NOT NULL THEN 0::bigint END,
      CASE WHEN t.is_read IS NOT NULL THEN 0::bigint END, CASE WHEN t.is_sent IS NOT NULL THEN 0::bigint END;
    IF path IS NULL THEN
      statement := notify_bridge.report_counting(t.created, t.is_sent, t.is_read,
        CASE by WHEN 'user' THEN t.recipient WHEN 'source' THEN quote_literal(t.name) END,
        format('%s AS n WHERE %s', t.relation, t.in_range));
      RETURN QUERY EXECUTE statement USING since, until, starts;
    ELSE
      RETURN QUERY SELECT c.* FROM notify_bridge.report_counts_by_path(
        since, until, starts, path, t.relation, t.in_range, t.payload, t.created, t.is_sent, t.is_read) AS c;
    END IF;
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.report_counts(timestamptz, timestamptz, timestamptz[], text, text) IS
  'The counts of report_deliveries, for each table apart: place is the number of the bucket. Of each table comes a row of zeros too, null for what it has no column for.';

CREATE OR REPLACE FUNCTION notify_bridge.report_counting(created text, is_sent text, is_read text, key text, rows text)
RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format(
    'SELECT g.place, g.key::text, count(*), %1$s, %2$s, %3$s
     FROM (SELECT %4$s AS place, %5$s AS key, %6$s AS is_sent, %7$s AS is_read FROM %8$s) AS g GROUP BY g.place, g.key',
    CASE WHEN is_sent IS NULL THEN 'NULL::bigint' ELSE 'count(*) FILTER (WHERE g.is_sent)' END,
    CASE WHEN is_read IS NULL THEN 'NULL::bigint' ELSE 'count(*) FILTER (WHERE g.is_read)' END,
    CASE WHEN is_sent IS NULL THEN 'NULL::bigint' ELSE 'count(*) FILTER (WHERE NOT g.is_sent)' END,
    coalesce('width_bucket(' || created || ', $3)', 'NULL::integer'), coalesce(key, 'NULL::text'),
    coalesce(is_sent, 'NULL::boolean'), coalesce(is_read, 'NULL::boolean'), rows)
$$;

COMMENT ON FUNCTION notify_bridge.report_counting(text, text, text, text, text) IS
  'The statement that counts rows n by bucket and key, from expressions of report_tables, a key and a FROM clause. Its parameter $3 is the starts of the buckets.';

-- That an expression is not valid any more shows without a row.
CREATE OR REPLACE FUNCTION notify_bridge.report_counts_by_path(
  since timestamptz, until timestamptz, starts timestamptz[], path text[],
  relation regclass, in_range text, payload text, created text, is_sent text, is_read text)
RETURNS TABLE (place integer, key text, created_rows bigint, sent bigint, read bigint, unsent bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
  stored CONSTANT text := format('%s AS n WHERE %s', relation, in_range);
  key_text text := format('((%s) #>> $4)', payload);
BEGIN
  BEGIN
    EXECUTE format('SELECT %s FROM %s AS n LIMIT 0', replace(key_text, '$4', '$1'), relation) USING path;
  EXCEPTION WHEN OTHERS THEN
    key_text := NULL;
  END;
  BEGIN
    RETURN QUERY SELECT c.* FROM notify_bridge.report_run(
      notify_bridge.report_counting(created, is_sent, is_read, key_text, stored), since, until, starts, path) AS c;
    RETURN;
  EXCEPTION WHEN OTHERS THEN
    IF key_text IS NULL THEN
      RAISE;
    END IF;
  END;
  RETURN QUERY EXECUTE format('SELECT c.* FROM notify_bridge.report_run_safely(NULL::%s[], $1, $2, $3, $4, $5, $6, $7) AS c', relation)
  USING
    format('SELECT array_agg(b.n) FROM (SELECT n, (row_number() OVER () - 1) / 500 AS batch FROM %s) AS b GROUP BY b.batch', stored),
    notify_bridge.report_counting(created, is_sent, is_read, key_text, 'unnest($5) AS n'),
    notify_bridge.report_counting(created, is_sent, is_read, NULL, 'unnest($5) AS n'),
    since, until, starts, path;
END
$$;

COMMENT ON FUNCTION notify_bridge.report_counts_by_path(
  timestamptz, timestamptz, timestamptz[], text[], regclass, text, text, text, text, text) IS
  'The counts of one table by a path in its payload.';

-- A function, so that all of its rows are there before the first is used: a statement that fails leaves none behind.
CREATE OR REPLACE FUNCTION notify_bridge.report_run(
  statement text, since timestamptz, until timestamptz, starts timestamptz[], path text[])
RETURNS TABLE (place integer, key text, created bigint, sent bigint, read bigint, unsent bigint)
LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
AS $$
BEGIN
  RETURN QUERY EXECUTE statement USING since, until, starts, path;
END
$$;

COMMENT ON FUNCTION notify_bridge.report_run(text, timestamptz, timestamptz, timestamptz[], text[]) IS
  'Runs a statement of report_counting, with the settings that a bridge has when it reads a payload.';

-- Sorting the rows into batches keeps them on disk; hashing would keep all of them in memory.
CREATE OR REPLACE FUNCTION notify_bridge.report_run_safely(
  rows anyarray, batches text, statement text, keyless text, since timestamptz, until timestamptz, starts timestamptz[], path text[])
RETURNS TABLE (place integer, key text, created bigint, sent bigint, read bigint, unsent bigint)
LANGUAGE plpgsql VOLATILE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
  SET enable_hashagg = off
AS $$
BEGIN
  FOR rows IN EXECUTE batches USING since, until LOOP
    RETURN QUERY SELECT c.* FROM notify_bridge.report_run_batch(rows, statement, keyless, starts, path) AS c;
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.report_run_safely(anyarray, text, text, text, timestamptz, timestamptz, timestamptz[], text[]) IS
  'Counts the rows of a statement that returns them in batches, those that the expression of the key fails for under the key NULL.';

CREATE OR REPLACE FUNCTION notify_bridge.report_run_batch(
  rows anyarray, statement text, keyless text, starts timestamptz[], path text[])
RETURNS TABLE (place integer, key text, created bigint, sent bigint, read bigint, unsent bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  middle CONSTANT integer := cardinality(rows) / 2;
BEGIN
  BEGIN
    RETURN QUERY EXECUTE statement USING NULL::timestamptz, NULL::timestamptz, starts, path, rows;
    RETURN;
  EXCEPTION WHEN OTHERS THEN
    NULL;
  END;
  IF middle = 0 THEN
    RETURN QUERY EXECUTE keyless USING NULL::timestamptz, NULL::timestamptz, starts, path, rows;
  ELSE
    RETURN QUERY SELECT c.* FROM notify_bridge.report_run_batch(rows[:middle], statement, keyless, starts, path) AS c;
    RETURN QUERY SELECT c.* FROM notify_bridge.report_run_batch(rows[middle + 1:], statement, keyless, starts, path) AS c;
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.report_run_batch(anyarray, text, text, timestamptz[], text[]) IS
  'Counts rows by the key, and halves them where its expression fails.';
