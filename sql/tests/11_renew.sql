BEGIN;
SELECT plan(27);

-- Rows of an earlier transaction: 1 sent, 2 unsent, 3 inserted as sent, 4 from before, 5 without a recipient.
SET LOCAL session_replication_role = replica; -- As rows from before are copied.
ALTER TABLE public.notification DISABLE TRIGGER notify_bridge_txid;
INSERT INTO public.notification (id, user_id, data, is_sent, sent_at, txid) VALUES
  (1, 1, '{}', true, now(), '5'), (2, 1, '{}', false, NULL, '5'), (3, 1, '{}', true, NULL, '5'),
  (4, 1, '{}', true, now(), NULL), (5, NULL, '{}', false, NULL, '5');
ALTER TABLE public.notification ENABLE ALWAYS TRIGGER notify_bridge_txid;
SET LOCAL session_replication_role = origin;
CREATE TEMPORARY VIEW state AS
SELECT id, user_id, is_sent, sent_at IS NOT NULL AS has_time,
  CASE WHEN txid IS NULL THEN 'none' WHEN txid = '5' THEN 'old' WHEN txid = pg_current_xact_id() THEN 'new' END AS txid
FROM public.notification;
CREATE FUNCTION pg_temp.is(row_id bigint, wanted text, description text) RETURNS text LANGUAGE sql AS
  $$ SELECT is((SELECT s::text FROM state AS s WHERE s.id = row_id), wanted, description) $$;

-- What is no reason.
UPDATE public.notification SET data = '{"a": 1}', is_read = true;
UPDATE public.notification SET user_id = user_id;
SELECT is_empty($$ SELECT FROM state WHERE txid = 'new' $$, 'other changes make no row new');
UPDATE public.notification SET is_sent = false WHERE id = 1;
SELECT pg_temp.is(1, '(1,1,f,t,old)', 'nor does is_sent alone, as an ORM saves it: sent_at counts');
UPDATE public.notification SET is_sent = true WHERE id = 1;

-- Another recipient.
UPDATE public.notification SET user_id = 2 WHERE id = 1;
SELECT pg_temp.is(1, '(1,2,f,f,new)', 'a sent row with another recipient is unsent and new');
UPDATE public.notification SET user_id = 2 WHERE id = 2;
SELECT pg_temp.is(2, '(2,2,f,f,new)', 'an unsent one is new too');
UPDATE public.notification SET user_id = 2 WHERE id = 3;
SELECT pg_temp.is(3, '(3,2,t,f,old)', 'one that was inserted as sent stays what it is');
UPDATE public.notification SET user_id = 2 WHERE id = 4;
SELECT pg_temp.is(4, '(4,2,t,t,none)', 'and so does one from before');
UPDATE public.notification SET user_id = 2 WHERE id = 5;
SELECT pg_temp.is(5, '(5,2,f,f,new)', 'a row that gets a recipient is new');
UPDATE public.notification SET user_id = NULL, txid = '5', is_sent = true, sent_at = now() WHERE id = 1;
SELECT pg_temp.is(1, '(1,,t,t,old)', 'a row that loses its recipient is left alone');
UPDATE public.notification SET user_id = 3 WHERE id = 1;
SELECT pg_temp.is(1, '(1,3,f,f,new)', 'until it gets another');

-- By hand.
UPDATE public.notification SET is_sent = true, sent_at = now(), txid = '5' WHERE id = 1;
UPDATE public.notification SET is_sent = false, sent_at = NULL WHERE id = 1;
SELECT pg_temp.is(1, '(1,3,f,f,new)', 'a row that is made unsent by hand is new');
UPDATE public.notification SET is_sent = true, sent_at = now(), txid = '5' WHERE id = 1;
UPDATE public.notification SET sent_at = NULL WHERE id = 1;
SELECT pg_temp.is(1, '(1,3,t,f,old)', 'one that is marked for nobody is not');

-- A bridge's marking, and a migration of the backend, keep out of it.
UPDATE public.notification SET is_sent = true, sent_at = now(), txid = '5' WHERE id = 2;
SET LOCAL notify_bridge.marking = on;
UPDATE public.notification SET user_id = 9 WHERE id = 2;
SELECT pg_temp.is(2, '(2,9,t,t,old)', 'with notify_bridge.marking a change is none');
SET LOCAL notify_bridge.marking = off;

-- Writers need no right for it, and find nothing by their search_path.
GRANT UPDATE (user_id), SELECT ON public.notification TO notify_bridge_writer;
CREATE SCHEMA trap;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
CREATE FUNCTION trap.spring(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'sprung'; END $$;
CREATE OPERATOR trap.<> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.spring);
CREATE OPERATOR trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.spring);
SET LOCAL ROLE notify_bridge_writer;
SET LOCAL search_path = trap, pg_catalog;
UPDATE public.notification SET user_id = 4 WHERE txid OPERATOR(pg_catalog.=) '5' AND id OPERATOR(pg_catalog.=) 2;
RESET ROLE;
SET LOCAL search_path = tap, pg_catalog;
SELECT pg_temp.is(2, '(2,4,f,f,new)', 'a writer changes a recipient');

-- Attached tables, by their own names and types; also one without a boolean, and partitions.
CREATE TABLE public.event ("Key" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "to" varchar(10), data jsonb, n integer);
ALTER TABLE public.event OWNER TO notify_bridge_owner;
SELECT set_has($$ SELECT what FROM notify_bridge.attach('public.event', recipient => 'to') $$,
  $$ VALUES ('added trigger notify_bridge_renew: a row whose recipient is changed is delivered again') $$, 'attach says so');
SELECT is_empty($$ SELECT what FROM notify_bridge.attach('public.event', recipient => 'to') WHERE what ~ 'renew' $$, 'once');
INSERT INTO public.event ("to", n, sent_at, txid) VALUES ('a', 1, now(), '5'), ('a', 2, now(), '5');
UPDATE public.event SET "to" = 'b' WHERE n = 1;
SELECT results_eq($$ SELECT n, sent_at IS NULL, txid = pg_current_xact_id() FROM public.event ORDER BY n $$,
  $$ VALUES (1, true, true), (2, false, false) $$, 'and a changed row is new');
CREATE TABLE public.part (id bigint, user_id bigint, data jsonb, PRIMARY KEY (id, user_id)) PARTITION BY RANGE (user_id);
CREATE TABLE public.part_low PARTITION OF public.part FOR VALUES FROM (0) TO (100);
CREATE TABLE public.part_high PARTITION OF public.part FOR VALUES FROM (100) TO (200);
ALTER TABLE public.part OWNER TO notify_bridge_owner;
ALTER TABLE public.part_low OWNER TO notify_bridge_owner;
ALTER TABLE public.part_high OWNER TO notify_bridge_owner;
SELECT lives_ok($$ SELECT notify_bridge.attach('public.part', id => 'id') $$, 'a partitioned table is attached');
INSERT INTO public.part (id, user_id, sent_at, txid) VALUES (1, 1, now(), '5'), (2, 1, now(), '5');
UPDATE public.part SET user_id = 2 WHERE id = 1;
UPDATE public.part SET user_id = 102 WHERE id = 2;
SELECT results_eq($$ SELECT id, sent_at IS NULL, txid = pg_current_xact_id() FROM public.part ORDER BY id $$,
  $$ VALUES (1::bigint, true, true), (2, true, true) $$, 'and its changed rows are new, in whatever partition');

-- Migrations of the backend: no column is held, and no UPDATE fails.
SELECT lives_ok($$ ALTER TABLE public.event ALTER COLUMN "to" TYPE text $$, 'a column''s type can be changed');
SELECT lives_ok($$ UPDATE public.event SET "to" = 'c' $$, 'and an UPDATE goes on');
SELECT lives_ok($$ ALTER TABLE public.event RENAME "to" TO recipient $$, 'a column can be renamed');
SELECT lives_ok($$ UPDATE public.event SET recipient = 'd' $$, 'and an UPDATE does not fail');
SELECT lives_ok($$ ALTER TABLE public.event DROP COLUMN recipient $$, 'a column can be dropped');
SELECT lives_ok($$ UPDATE public.event SET n = n + 1 $$, 'and an UPDATE does not fail then either');

-- Detaching takes all of it away.
SELECT lives_ok($$ SELECT notify_bridge.detach('public.event') $$, 'the table is detached');
SELECT is_empty($$ SELECT FROM pg_trigger WHERE tgrelid = 'public.event'::regclass $$, 'with its triggers');
SELECT results_eq($$ SELECT count(*) FROM pg_proc WHERE proname ~ '^renew_' $$, $$ VALUES (2::bigint) $$, 'and its function');

SELECT * FROM finish();
ROLLBACK;
