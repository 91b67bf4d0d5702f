BEGIN;
SELECT plan(68);

-- Two days of May, and a row without a recipient. Rows 1-6 are sent after n seconds, 1-3 are read n minutes later.
INSERT INTO public.notification (id, user_id, data, created_at, is_sent, sent_at, is_read, read_at)
SELECT n, n % 2 + 1, jsonb_build_object('type', CASE WHEN n % 3 = 0 THEN 'order' ELSE 'invoice' END, 'meta', jsonb_build_object('kind', n)),
  created_at, n <= 6, CASE WHEN n <= 6 THEN created_at + n * interval '1 second' END,
  n <= 3, CASE WHEN n <= 3 THEN created_at + n * interval '61 seconds' END
FROM (SELECT n, timestamptz '2026-05-01 00:00Z' + n * interval '5 hours' AS created_at FROM generate_series(1, 8) AS n) AS rows;
INSERT INTO public.notification (id, user_id, data, created_at) VALUES (9, NULL, NULL, '2026-05-01 00:00Z');

CREATE FUNCTION pg_temp.deliveries(VARIADIC given text[]) RETURNS TABLE (line text) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT concat_ws(''|'', to_char(r.bucket AT TIME ZONE ''UTC'', ''MM-DD HH24:MI''), coalesce(r.key, ''-''),
    r.created, r.sent, coalesce(r.read::text, ''-''), coalesce(r.archived::text, ''-''), r.unsent)
    FROM notify_bridge.report_deliveries(%s) AS r', array_to_string(given, ', '));
END $$;

SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-05-01''', 'until => ''2026-05-04''') $$,
  ARRAY['05-01 00:00|-|5|4|3|-|1', '05-02 00:00|-|4|2|0|-|2', '05-03 00:00|-|0|0|0|-|0'],
  'rows are counted by day, and a day without rows is there');
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-05-01 05:00''', 'until => ''2026-05-01 10:00''', 'bucket => ''1 hour''') $$,
  ARRAY['05-01 05:00|-|1|1|1|-|0', '05-01 06:00|-|0|0|0|-|0', '05-01 07:00|-|0|0|0|-|0', '05-01 08:00|-|0|0|0|-|0', '05-01 09:00|-|0|0|0|-|0'],
  'since is included, until is not');
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-05-01''', 'until => ''2026-05-02''', 'by => ''user''') $$,
  ARRAY['05-01 00:00|1|2|2|1|-|0', '05-01 00:00|2|2|2|2|-|0', '05-01 00:00|-|1|0|0|-|1'],
  'by user: a row without one counts under NULL');
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-05-01''', 'until => ''2026-05-04''', 'by => ''source''', 'bucket => ''1 month''') $$,
  ARRAY['05-01 00:00|public.notification|9|6|3|-|3'], 'by source: tables have the names that SQL gives them');
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-05-01''', 'until => ''2026-05-04''', 'by => ''type''', 'bucket => ''1 month''') $$,
  ARRAY['05-01 00:00|invoice|6|4|2|-|2', '05-01 00:00|order|2|2|1|-|0', '05-01 00:00|-|1|0|0|-|1'],
  'by a path in the payload; the largest key comes first');
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-05-02 10:00''', 'until => ''2026-05-04''', 'by => ''meta.kind''') $$,
  ARRAY['05-02 00:00|7|1|0|0|-|1', '05-02 00:00|8|1|0|0|-|1'], 'a path may have several parts');
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-05-02 10:00''', 'until => ''2026-05-04''', 'by => ''.user''') $$,
  ARRAY['05-02 00:00|-|2|0|0|-|2'], 'and a dot before it, so that it may be called user');
SELECT is((SELECT sum(created) FROM notify_bridge.report_deliveries('-infinity', 'infinity')), 9::numeric, 'without bounds all rows count');
SELECT is((SELECT count(*) FROM notify_bridge.report_deliveries()), 8::bigint, 'the last seven days are the default');

-- Buckets.
CREATE FUNCTION pg_temp.starts(timestamptz, timestamptz, interval, text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT to_char(s AT TIME ZONE 'UTC', 'MM-DD HH24:MI') FROM unnest(notify_bridge.report_buckets($1, $2, $3, $4)) AS s $$;
SELECT results_eq($$ SELECT pg_temp.starts('2026-03-28 12:00Z', '2026-03-31 12:00Z', '1 day', 'Europe/Berlin') $$,
  ARRAY['03-27 23:00', '03-28 23:00', '03-29 22:00', '03-30 22:00'], 'the day that the clock is put forward has 23 hours');
SELECT results_eq($$ SELECT pg_temp.starts('2026-10-24 23:30Z', '2026-10-25 02:30Z', '1 hour', 'Europe/Berlin') $$,
  ARRAY['10-24 23:00', '10-25 00:00', '10-25 01:00', '10-25 02:00'], 'an hour that comes twice is two hours');
SELECT results_eq($$ SELECT pg_temp.starts('2026-03-29 00:00Z', '2026-03-29 02:30Z', '30 minutes', 'Europe/Berlin') $$,
  ARRAY['03-29 00:00', '03-29 00:30', '03-29 01:00', '03-29 01:30', '03-29 02:00'], 'and one that is left out is none');
SELECT results_eq($$ SELECT pg_temp.starts('2026-10-24 23:30Z', '2026-10-25 20:00Z', '6 hours', 'Europe/Berlin') $$,
  ARRAY['10-24 22:00', '10-25 05:00', '10-25 11:00', '10-25 17:00'], 'longer buckets keep the hours of the clock');
SELECT results_eq($$ SELECT pg_temp.starts('2026-05-06 12:00Z', '2026-05-19 00:00Z', '1 week', 'Asia/Kolkata') $$,
  ARRAY['05-03 18:30', '05-10 18:30', '05-17 18:30'], 'weeks begin on Monday');
SELECT results_eq($$ SELECT pg_temp.starts('1999-11-15', '2000-07-02', '3 months', 'UTC') $$,
  ARRAY['10-01 00:00', '01-01 00:00', '04-01 00:00', '07-01 00:00'], 'quarters in January');
SELECT results_eq($$ SELECT pg_temp.starts('2026-03-29 00:00', '2026-03-29 23:00', '24 hours', 'America/Havana') $$,
  ARRAY['03-28 04:00', '03-29 04:00'], '24 hours are a day');
SELECT results_eq($$ SELECT pg_temp.starts('2026-11-01 00:00', '2026-11-02 12:00', '1 day', 'America/Havana') $$,
  ARRAY['10-31 04:00', '11-01 04:00', '11-02 05:00'], 'a midnight that comes twice begins one day');
SELECT throws_ok($$ SELECT notify_bridge.report_buckets(now(), now(), '36 hours', 'UTC') $$, '22023', 'the bucket can''t be 36:00:00', 'a bucket of a day and a half is refused');
SELECT throws_ok($$ SELECT notify_bridge.report_buckets(now(), now(), '0', 'UTC') $$, '22023', NULL, 'an empty one');
SELECT throws_ok($$ SELECT notify_bridge.report_buckets(now(), now(), '-1 day', 'UTC') $$, '22023', NULL, 'one that is negative');
SELECT throws_ok($$ SELECT notify_bridge.report_buckets(now(), now(), NULL, 'UTC') $$, '22023', NULL, 'NULL');
SELECT throws_ok($$ SELECT * FROM notify_bridge.report_deliveries(bucket => '1 second') $$, '22023', NULL, 'too many of them');
SELECT throws_ok($$ SELECT * FROM notify_bridge.report_deliveries(time_zone => 'Mars') $$, '22023', 'time zone "Mars" not recognized', 'and an unknown zone');
SELECT throws_ok($$ SELECT * FROM notify_bridge.report_deliveries('2026-05-02', '2026-05-01') $$, '22023',
  'since, 2026-05-02 00:00:00+00, is after until, 2026-05-01 00:00:00+00', 'since after until is refused');

-- Figures of one table.
SELECT results_eq($$ SELECT rows, sent_p50, round(sent_p95::numeric, 6), round(sent_p99::numeric, 6), read_p50 FROM notify_bridge.report_latency('2026-05-01', '2026-05-04') $$,
  $$ VALUES (5::bigint, 2.5::float8, 3.85, 3.97, 120::float8), (4, 5.5, 5.95, 5.99, NULL), (0, NULL, NULL, NULL, NULL) $$,
  'latencies are interpolated, of those rows that have both times');
SELECT results_eq($$ SELECT rows, users, oldest FROM notify_bridge.report_backlog() WHERE age_bucket = 'over 7 days' $$,
  $$ VALUES (3::bigint, 2::bigint, timestamptz '2026-05-01 00:00Z') $$, 'the backlog has the unsent rows by their age');
SELECT results_eq($$ SELECT recipient, created, sent, read, unsent, last_sent, last_read, online FROM notify_bridge.report_users('2026-05-01', '2026-05-04') $$,
  $$ VALUES ('1', 4::bigint, 3::bigint, 1::bigint, 1::bigint, timestamptz '2026-05-02 06:00:06Z', timestamptz '2026-05-01 10:02:02Z', false),
    ('2', 4, 3, 2, 1, '2026-05-02 01:00:05Z', '2026-05-01 15:03:03Z', false), (NULL, 1, 0, 0, 1, NULL, NULL, NULL::boolean) $$,
  'users have their rows and their last times');
SELECT is((SELECT count(*) FROM notify_bridge.report_users('2026-05-01', '2026-05-04', row_limit => 2)), 2::bigint, 'row_limit bounds them');
SELECT results_eq($$ SELECT day, rows, due FROM notify_bridge.report_retention(0) $$,
  $$ VALUES (date '2026-05-01', 5::bigint, 4::bigint), ('2026-05-02', 4, 2) $$, 'the retention is shown by day');
SELECT is((SELECT sum(due) FROM notify_bridge.report_retention(1)), notify_bridge.purge(1, dry_run => true)::numeric, 'with what purge would delete');
SELECT is((SELECT sum(bytes) FROM notify_bridge.report_retention()), pg_total_relation_size('public.notification')::numeric, 'days share the size of the table');
SELECT results_eq($$ SELECT event, detail, at FROM notify_bridge.timeline('public.notification', 3) $$,
  $$ VALUES ('inserted', 'for 2', timestamptz '2026-05-01 15:00Z'), ('sent', NULL, '2026-05-01 15:00:03Z'), ('read', NULL, '2026-05-01 15:03:03Z') $$,
  'the timeline of a row that was read');
SELECT is((SELECT count(*) FROM notify_bridge.timeline('notification', '8')), 1::bigint, 'of one that was not sent, with an id as text');
SELECT notify_bridge.quarantine_rows('read', ARRAY[s.number], '{9}', NULL, '{22012}') FROM notify_bridge.source AS s;
SELECT results_eq($$ SELECT event, detail FROM notify_bridge.timeline(NULL, 9) $$,
  $$ VALUES ('inserted', 'for nobody'), ('quarantined', 'stage read, SQLSTATE 22012, 1 attempt') $$, 'and of one that is set aside');
SELECT is_empty($$ SELECT * FROM notify_bridge.timeline('public.notification', 10) $$, 'a row that is not there has none');

-- Another table: a schema that nobody else may use, odd names, uuids, times without a zone, partitions, no is_read.
CREATE SCHEMA "Odd app" AUTHORIZATION notify_bridge_owner;
CREATE TABLE "Odd app"."Odd ""table" ("the id" uuid, "For" uuid, title text, made timestamp NOT NULL, PRIMARY KEY ("the id", made)) PARTITION BY RANGE (made);
CREATE TABLE "Odd app".early PARTITION OF "Odd app"."Odd ""table" FOR VALUES FROM (MINVALUE) TO ('2026-10-25 02:30');
CREATE TABLE "Odd app".late PARTITION OF "Odd app"."Odd ""table" FOR VALUES FROM ('2026-10-25 02:30') TO (MAXVALUE);
ALTER TABLE "Odd app"."Odd ""table" OWNER TO notify_bridge_owner;
ALTER TABLE "Odd app".early OWNER TO notify_bridge_owner;
ALTER TABLE "Odd app".late OWNER TO notify_bridge_owner;
SELECT is((SELECT count(*) > 0 FROM notify_bridge.attach('"Odd app"."Odd ""table"', recipient => 'For', id => 'the id',
  payload => 'jsonb_build_object(''type'', 12 / length(title))', created => 'made', created_zone => 'Europe/Berlin')), true, 'an odd table is attached');
INSERT INTO "Odd app"."Odd ""table" ("the id", "For", title, made)
SELECT format('00000000-0000-0000-0000-00000000000%s', n)::uuid, '00000000-0000-0000-0000-0000000000aa', repeat('x', CASE n WHEN 1 THEN 3 WHEN 2 THEN 0 ELSE 4 END),
  timestamp '2026-10-25 00:30' + n * interval '1 hour' FROM generate_series(0, 3) AS n;
UPDATE "Odd app"."Odd ""table" SET sent_at = (made AT TIME ZONE 'Europe/Berlin') + interval '100 seconds' WHERE made < '2026-10-25 02:00';
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-10-24 23:00Z''', 'until => ''2026-10-25 02:00Z''', 'bucket => ''1 hour''', 'source => ''Odd app.Odd "table''') $$,
  ARRAY['10-24 23:00|-|1|1|-|-|0', '10-25 00:00|-|0|0|-|-|0', '10-25 01:00|-|1|0|-|-|1'], 'times without a zone are read in that of the table, and no table has read counts without the column');
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-10-24''', 'until => ''2026-10-26''', 'by => ''type''', 'bucket => ''1 year''', 'source => ''"Odd app"."Odd ""table"''') $$,
  ARRAY['01-01 00:00|3|2|1|-|-|1', '01-01 00:00|4|1|1|-|-|0', '01-01 00:00|-|1|0|-|-|1'], 'a row whose payload raises an error counts under NULL');
UPDATE notify_bridge.source SET payload = 'jsonb_build_object(''type'', 12 / (0 * length(title)))' WHERE NOT is_own;
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-10-24''', 'until => ''2026-10-26''', 'by => ''type''', 'bucket => ''1 year''') $$,
  ARRAY['01-01 00:00|-|4|2|-|-|2'], 'and so do all where all raise one');
UPDATE notify_bridge.source SET payload = 'to_jsonb(n) - ''gone''' WHERE NOT is_own;
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-10-24''', 'until => ''2026-10-26''', 'by => ''title''', 'bucket => ''1 year''') $$,
  ARRAY['01-01 00:00|xxxx|2|1|-|-|1', '01-01 00:00||1|0|-|-|1', '01-01 00:00|xxx|1|1|-|-|0'], 'the payload may be of the whole row');
SELECT results_eq($$ SELECT rows, sent_p50, read_p50 FROM notify_bridge.report_latency('2026-05-01', '2026-10-26', '1 year') $$,
  $$ SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY l), 120::float8 FROM (VALUES (1), (2), (3), (4), (5), (6), (100), (100), (NULL), (NULL), (NULL), (NULL), (NULL)) AS v (l) $$,
  'percentiles are those of the rows of all tables together');
SELECT results_eq($$ SELECT recipient, created, read FROM notify_bridge.report_users('2026-05-01', '2026-10-26') $$,
  $$ VALUES ('00000000-0000-0000-0000-0000000000aa', 4::bigint, NULL::bigint), ('1', 4, 1), ('2', 4, 2), (NULL, 1, 0) $$, 'users of all tables are listed together');
SELECT results_eq($$ SELECT event FROM notify_bridge.timeline('Odd "table', '00000000-0000-0000-0000-000000000001'::uuid) $$,
  ARRAY['inserted', 'sent'], 'a timeline takes an id of any type');
SELECT throws_ok($$ SELECT * FROM notify_bridge.timeline(NULL, 1) $$, '42P08', 'more than one table is served', 'but of two tables one has to be named');
SELECT throws_ok($$ SELECT * FROM notify_bridge.report_backlog('nobody.knows') $$, '42P01', 'nobody.knows is not served by notify-bridge', 'an unknown table is refused');

-- Migrations of the backend, one after the other.
ALTER TABLE "Odd app"."Odd ""table" ALTER sent_at TYPE text;
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-10-24''', 'until => ''2026-10-26''', 'bucket => ''1 year''', 'source => ''Odd "table''') $$,
  ARRAY['01-01 00:00|-|4|-|-'], 'a column that has another type now counts as none');
ALTER TABLE "Odd app"."Odd ""table" DROP COLUMN sent_at, DROP COLUMN title, DROP COLUMN "For";
UPDATE notify_bridge.source SET payload = 'jsonb_build_object(''type'', title)' WHERE NOT is_own;
SELECT results_eq($$ SELECT key, created, sent, read, unsent FROM notify_bridge.report_deliveries('2026-10-24', '2026-10-26', '1 year', 'Odd "table', 'type') $$,
  $$ VALUES (NULL::text, 4::bigint, NULL::bigint, NULL::bigint, NULL::bigint) $$, 'one that is gone is NULL, and a payload that reads it too');
SELECT results_eq($$ SELECT rows, sent_p50 FROM notify_bridge.report_latency('2026-10-24', '2026-10-26', '1 year', 'Odd "table') $$, $$ VALUES (4::bigint, NULL::float8) $$, 'latencies are NULL');
SELECT results_eq($$ SELECT recipient, created, sent, last_sent FROM notify_bridge.report_users('2026-10-24', '2026-10-26', 'Odd "table') $$,
  $$ VALUES (NULL::text, 4::bigint, NULL::bigint, NULL::timestamptz) $$, 'recipients are');
SELECT is((SELECT sum(rows) FROM notify_bridge.report_backlog('Odd "table')), 0::numeric, 'there is no backlog');
SELECT results_eq($$ SELECT event, detail FROM notify_bridge.timeline('Odd "table', '00000000-0000-0000-0000-000000000001') $$, $$ VALUES ('inserted', 'for nobody') $$, 'a timeline has what is left');
SELECT is((SELECT sum(due) FROM notify_bridge.report_retention(0, 'Odd "table')), 0::numeric, 'and nothing is due');
CREATE TABLE public.bare (id text PRIMARY KEY, user_id integer, data json);
ALTER TABLE public.bare OWNER TO notify_bridge_owner;
SELECT is((SELECT count(*) > 0 FROM notify_bridge.attach('public.bare')), true, 'a table without a time of creation is attached');
INSERT INTO public.bare (id, user_id, data) VALUES ('a', 1, '{"type": "x"}'), ('b', 2, '{"type": "\u0000"}');
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-05-01''', 'until => ''2026-05-02''', 'source => ''bare''') $$,
  ARRAY['05-01 00:00|-|0|0|-|-|0', '-|2|0|-|-|2'], 'its rows are in no bucket, and counted all the same');
SELECT results_eq($$ SELECT pg_temp.deliveries('since => ''2026-05-01''', 'until => ''2026-05-02''', 'by => ''type''', 'source => ''bare''') $$,
  ARRAY['x|1|0|-|-|1', '-|1|0|-|-|1'], 'a json that can''t be a text counts under NULL');
SELECT results_eq($$ SELECT bucket, rows, sent_p50 FROM notify_bridge.report_latency('2026-05-01', '2026-05-02', source => 'bare') $$,
  $$ VALUES (timestamptz '2026-05-01 00:00Z', 0::bigint, NULL::float8), (NULL, 2, NULL) $$, 'latencies likewise');
SELECT results_eq($$ SELECT age_bucket, rows FROM notify_bridge.report_backlog('bare') WHERE rows > 0 $$, $$ VALUES (NULL::text, 2::bigint) $$, 'an unknown age is NULL');
SELECT results_eq($$ SELECT day, rows, due FROM notify_bridge.report_retention(0, 'bare') $$, $$ VALUES (NULL::date, 2::bigint, 0::bigint) $$, 'and so is a day');
DROP TABLE "Odd app"."Odd ""table";
SELECT lives_ok($$ SELECT * FROM notify_bridge.report_deliveries(by => 'type') $$, 'a dropped table is passed over');

-- Rights.
CREATE ROLE test_reports;
SELECT throws_ok($$ SELECT notify_bridge.grant_reports_to('nobody at all') $$, '42704', NULL, 'an unknown role gets no rights');
SELECT lives_ok($$ SELECT notify_bridge.grant_reports_to('test_reports') $$, 'a role gets them');
SELECT results_eq($$ SELECT p.proname::text COLLATE "default" FROM pg_proc AS p WHERE p.pronamespace = 'notify_bridge'::regnamespace
  AND has_function_privilege('test_reports', p.oid, 'EXECUTE') ORDER BY p.proname $$,
  ARRAY['last_seen', 'last_seen', 'online', 'online', 'report_backlog', 'report_connections', 'report_deliveries', 'report_latency', 'report_retention', 'report_users', 'timeline', 'timeline', 'user_rows'], 'for the reports');
SELECT results_eq($$ SELECT c.relname::text COLLATE "default" FROM pg_class AS c WHERE c.relnamespace IN ('notify_bridge'::regnamespace, 'public'::regnamespace) AND c.relkind <> 'i'
  AND has_table_privilege('test_reports', c.oid, 'SELECT') ORDER BY 1 $$,
  ARRAY['connection_log', 'delivery_log', 'presence'], 'for presence and the logs, and for no other table');
SELECT is_empty($$ SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'notify_bridge'::regnamespace AND p.proname ~ '^(report_|timeline)'
  AND (NOT p.proconfig::text LIKE '%search_path=pg_catalog, pg_temp%' OR p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0)) $$,
  'no function is for everybody, and each pins its search_path');
SET LOCAL ROLE test_reports;
SELECT set_config('test.rows', (SELECT sum(created) FROM notify_bridge.report_deliveries('-infinity', by => 'type'))::text, true);
RESET ROLE;
SELECT is(current_setting('test.rows'), '11', 'the role calls them');
CREATE ROLE test_backend;
GRANT USAGE, CREATE ON SCHEMA public TO test_backend;
ALTER TABLE public.bare OWNER TO test_backend;
SELECT throws_ok($$ SELECT * FROM notify_bridge.report_deliveries() $$, '42501', NULL, 'a right that the owner of the schema lacks is named');
GRANT SELECT ON public.bare TO notify_bridge_owner;
SELECT lives_ok($$ SELECT * FROM notify_bridge.report_deliveries() $$, 'until it has it');
ALTER TABLE public.bare ENABLE ROW LEVEL SECURITY;
SELECT throws_ok($$ SELECT * FROM notify_bridge.report_deliveries() $$, '42501', NULL, 'and so are policies that hide rows');

SELECT * FROM finish();
ROLLBACK;
