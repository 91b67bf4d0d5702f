BEGIN;
SELECT plan(17);

-- ids tell the kind: 1-10 sent and old, 11-15 unsent and old, 16-18 never to be sent and old, 19-22 sent and new.
INSERT INTO public.notification (id, user_id, is_sent, sent_at, created_at)
SELECT n, 1, n <= 10 OR n >= 16, CASE WHEN n <= 10 OR n >= 19 THEN now() END,
  now() - CASE WHEN n <= 18 THEN interval '31 days' + n * interval '1 minute' ELSE interval '29 days' END
FROM generate_series(1, 22) AS n;
-- An ORM's save() put is_sent back: sent all the same.
UPDATE public.notification SET is_sent = false WHERE id = 10;

SELECT throws_ok('SELECT notify_bridge.purge(0)', '22023', 'days and batch must be at least 1', 'zero days are refused');
SELECT throws_ok('SELECT notify_bridge.purge(-1)', '22023', NULL, 'negative days are refused');
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

-- Attached tables are never deleted from.
CREATE TABLE public.attached (LIKE public.notification INCLUDING DEFAULTS);
INSERT INTO public.attached (id, user_id, is_sent, sent_at, created_at) VALUES (1, 1, true, now(), now() - interval '1 year');
INSERT INTO notify_bridge.source (relation, is_own) VALUES ('public.attached', false);
SELECT is(notify_bridge.purge(30), 0::bigint, 'old rows of an attached table are not due');
SELECT is((SELECT count(*) FROM public.attached), 1::bigint, 'and are kept');
DELETE FROM notify_bridge.source WHERE is_own;
SELECT is(notify_bridge.purge(1), 0::bigint, 'without a table of ours there is nothing to purge');
INSERT INTO notify_bridge.source (relation, is_own) VALUES ('public.notification', true);
SELECT is(notify_bridge.purge(1), 4::bigint, 'with it there is');
DROP TABLE public.notification;
SELECT is(notify_bridge.purge(1), 0::bigint, 'a table that was dropped is skipped');

SELECT * FROM finish();
ROLLBACK;
