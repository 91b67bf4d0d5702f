-- The stretch of time of a report, and the buckets that it is divided into.
--
-- The starts of the buckets are made once, and each row is put into one by width_bucket. So whatever is special about a
-- time zone costs nothing for a row.

CREATE OR REPLACE FUNCTION notify_bridge.report_range(source text, INOUT since timestamptz, INOUT until timestamptz)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  oldest timestamptz;
  newest timestamptz;
BEGIN
  until := coalesce(until, now());
  since := coalesce(since, CASE WHEN isfinite(until) THEN until ELSE now() END - interval '7 days');
  IF since > until THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('since, %s, is after until, %s', since, until),
      HINT = 'Give an earlier since, or a later until.';
  ELSIF NOT isfinite(since) OR NOT isfinite(until) THEN
    EXECUTE format(
      'SELECT (SELECT min(n.created) FROM %1$s AS n WHERE isfinite(n.created)), (SELECT max(n.created) FROM %1$s AS n WHERE isfinite(n.created))',
      notify_bridge.report_rows(source, false))
    INTO oldest, newest;
    since := CASE WHEN isfinite(since) THEN since ELSE coalesce(least(oldest, until), nullif(until, 'infinity'), now()) END;
    until := CASE WHEN isfinite(until) THEN until ELSE greatest(newest + interval '1 microsecond', since) END;
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.report_range(text, timestamptz, timestamptz) IS
  'The stretch of time of a report: by default the last seven days. -infinity and infinity stand for the oldest and the newest row.';

-- A bucket shorter than a day begins anew at each midnight. A clock that is set back shows some times twice: buckets of at
-- most an hour begin at both, longer ones at the first. A time that is left out becomes the one after the change.
CREATE OR REPLACE FUNCTION notify_bridge.report_buckets(
  since timestamptz, until timestamptz, bucket interval, time_zone text) RETURNS timestamptz[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET IntervalStyle = 'postgres'
AS $$
DECLARE
  longest CONSTANT integer := 100000;
  width CONSTANT interval := justify_hours(bucket);
  months CONSTANT integer := date_part('year', width) * 12 + date_part('month', width);
  days CONSTANT integer := date_part('day', width);
  parts CONSTANT interval := width - make_interval(months => months, days => days);
  midnight CONSTANT interval := '0';
  is_short CONSTANT boolean := months = 0 AND days = 0;
  now_there timestamp;
  first timestamp;
BEGIN
  IF bucket IS NULL OR width <= midnight OR (months > 0)::integer + (days > 0)::integer + (parts <> midnight)::integer <> 1
    OR months < 0 OR days < 0 OR parts < midnight
  THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('the bucket can''t be %s', coalesce(bucket::text, 'NULL')),
      HINT = 'It is less than a day, such as 1 hour, or whole days, weeks, months or years.';
  ELSIF date_part('epoch', until - since) / date_part('epoch', width) > longest THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('buckets of %s would be more than %s', bucket, longest),
      HINT = 'Give a longer bucket, or a shorter time.';
  END IF;
  now_there := since AT TIME ZONE time_zone;
  first := CASE
    WHEN months > 0 THEN timestamp '2000-01-01' + make_interval(months => months * floor(
      ((date_part('year', now_there) - 2000) * 12 + date_part('month', now_there) - 1) / months)::integer)
    WHEN days > 0 THEN timestamp '2000-01-03' + make_interval(days => days * floor(
      (now_there::date - date '2000-01-03') / days::double precision)::integer)
    ELSE date_trunc('day', now_there)
  END;
  RETURN ARRAY(
    WITH clock AS (
      SELECT coalesce(part.clock, day.clock) AS clock
      FROM generate_series(first, (until AT TIME ZONE time_zone) + interval '1 day',
        CASE WHEN is_short THEN interval '1 day' ELSE width END) AS day (clock)
      LEFT JOIN LATERAL generate_series(day.clock, day.clock + interval '1 day' - interval '1 microsecond', width) AS part (clock)
        ON is_short
    ), instant AS (
      -- AT TIME ZONE takes the second one of two. The first one has the offset from before the change.
      SELECT c.clock, c.clock AT TIME ZONE time_zone AS second,
        (c.clock - (before.there - before.utc)) AT TIME ZONE 'UTC' AS first
      FROM clock AS c
      CROSS JOIN LATERAL (SELECT
        (c.clock AT TIME ZONE time_zone - interval '3 hours') AT TIME ZONE time_zone,
        (c.clock AT TIME ZONE time_zone - interval '3 hours') AT TIME ZONE 'UTC') AS before (there, utc)
    ), start AS (
      SELECT i.second AS at FROM instant AS i
      WHERE is_short AND width <= interval '1 hour' OR i.first AT TIME ZONE time_zone <> i.clock OR i.first > i.second
      UNION
      SELECT i.first FROM instant AS i WHERE i.first AT TIME ZONE time_zone = i.clock AND i.first <= i.second
    )
    SELECT s.at FROM start AS s
    WHERE s.at < until AND s.at >= (SELECT max(e.at) FROM start AS e WHERE e.at <= since) ORDER BY s.at);
END
$$;

COMMENT ON FUNCTION notify_bridge.report_buckets(timestamptz, timestamptz, interval, text) IS
  'The starts of the buckets, ascending; the first one is the bucket that since is in. They begin at whole days, weeks (Monday), months or parts of a day of the time zone.';
