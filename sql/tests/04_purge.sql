BEGIN;
SELECT plan(29);

-- ids tell the kind: 1-10 sent and old, 11-15 unsent and old, 16-18 never to be sent and old, 19-22 sent and new.
INSERT INTO public.notification (id, user_id, is_sent, sent_at, created_at)
SELECT n, 1, n <= 10 OR n >= 16, CASE WHEN n <= 10 OR n >= 19 THEN now() END,
  now() - CASE WHEN n <= 18 THEN interval '31 days' + n * interval '1 minute' ELSE interval '29 days' END
FROM generate_series(1, 22) AS n;
-- An ORM's save() put is_sent back: sent all the same.
UPDATE public.notification SET is_sent = false WHERE id = 10;

SELECT is(notify_bridge.purge(0), 0::bigint, 'zero days keep everything');
SELECT throws_ok('SELECT notify_bridge.purge(-1)', '22023', 'days and unsent_days must not be below 0', 'negative days are refused');
SELECT throws_ok('SELECT notify_bridge.purge(NULL)', '22023', NULL, 'so is NULL');
SELECT throws_ok('SELECT notify_bridge.purge(30, 0)', '22023', NULL, 'so is an empty batch');

SELECT is(notify_bridge.purge(30, 4, true), 13::bigint, 'a dry run counts all that are due');
SELECT is((SELECT count(*) FROM public.notification), 22::bigint, 'and deletes none');
SELECT is(notify_bridge.purge(30, 4), 4::bigint, 'a batch is not exceeded');
SELECT is_empty('SELECT FROM public.notification WHERE id IN (10, 16, 17, 18)', 'the oldest go first');
SELECT is(notify_bridge.purge(30, 4), 4::bigint, 'it can be repeated');
SELECT is(notify_bridge.purge(30), 5::bigint, 'until less than a batch is left');
SELECT is(notify_bridge.purge(30), 0::bigint, 'and nothing after that');
SELECT results_eq('SELECT id FROM public.notification ORDER BY id',
  'SELECT n::bigint FROM generate_series(11, 22) AS n WHERE n NOT BETWEEN 16 AND 18',
  'unsent rows and new ones are kept');

-- Unsent rows go where they are old enough for that, too, and never before sent ones.
SELECT is(notify_bridge.purge(30, 100, true), 0::bigint, 'unsent rows are not due');
SELECT is(notify_bridge.purge(30, 100, true, 40), 0::bigint, 'nor are those that are not old enough');
SELECT results_eq('SELECT source, rows, bytes > 0, oldest < now() - interval ''31 days'', failure FROM notify_bridge.purge_preview(30, 31)',
  $$ VALUES ('public.notification', 5::bigint, true, true, NULL::text) $$, 'a preview shows what would go');
SELECT is(notify_bridge.purge(40, 100, true, 31), 0::bigint, 'none goes before a sent row of its age');
SELECT is(notify_bridge.purge(30, 100, false, 31), 5::bigint, 'those that are old enough go');
SELECT throws_ok('SELECT notify_bridge.purge(30, 100, false, -1)', '22023', NULL, 'negative days are refused');
INSERT INTO notify_bridge.replica (id, lock_class, application, host, pid, version) OVERRIDING SYSTEM VALUE
SELECT n, 0, 'test', 'test', 0, 'test' FROM generate_series(-2, -1) AS n;
SELECT results_eq('SELECT n, notify_bridge.is_purge_turn(n) FROM generate_series(-2, -1) AS n', 'VALUES (-2, true), (-1, false)',
  'the first bridge applies the retention');

-- Attached tables are deleted from only where it was said, by a number of their own and the columns they have.
CREATE TABLE public.attached ("Nr" integer PRIMARY KEY, user_id integer, data jsonb, sent boolean, made timestamptz);
ALTER TABLE public.attached OWNER TO notify_bridge_owner;
INSERT INTO public.attached SELECT n, 1, '{}', n > 2, now() - interval '10 days' FROM generate_series(1, 5) AS n;
SELECT lives_ok($$ SELECT notify_bridge.attach('public.attached', created => 'made') $$, 'a table is attached');
UPDATE public.attached SET sent_at = now() WHERE "Nr" = 2;
SELECT is(notify_bridge.purge(1, 10000, true), 4::bigint, 'its old rows are not due');
SELECT lives_ok($$ SELECT notify_bridge.attach('public.attached', retention_days => 9) $$, 'until it has a retention');
SELECT is(notify_bridge.purge(0, 10000, true), 4::bigint, 'then they are, whatever holds for our own');
SELECT is(notify_bridge.purge(1, 6), 6::bigint, 'one batch is for all tables');
SELECT is(notify_bridge.purge(1, 6), 2::bigint, 'and the rest comes with the next');
SELECT results_eq('SELECT "Nr" FROM public.attached', 'VALUES (1)', 'unsent rows are kept there too');
DELETE FROM notify_bridge.source WHERE is_own;
SELECT is(notify_bridge.purge(1), 0::bigint, 'without a table of ours there is nothing more to purge');
ALTER TABLE public.attached RENAME made TO born;
SELECT is(notify_bridge.purge(1), 0::bigint, 'a table whose column was renamed is skipped');
DROP TABLE public.attached;
SELECT is(notify_bridge.purge(1), 0::bigint, 'and so is one that was dropped');

SELECT * FROM finish();
ROLLBACK;
