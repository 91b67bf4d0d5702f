-- Rows whose txid is of another cluster: copied by a session of its own, and by one that applies logical replication.
BEGIN;
SELECT plan(31);
CREATE TABLE public.event ("Key" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "to" varchar(10), n integer, data jsonb);
CREATE TABLE public.part (id bigint, user_id bigint, data jsonb, PRIMARY KEY (id, user_id)) PARTITION BY RANGE (user_id);
CREATE TABLE public.part_low PARTITION OF public.part FOR VALUES FROM (0) TO (100);
ALTER TABLE public.event OWNER TO notify_bridge_owner;
ALTER TABLE public.part OWNER TO notify_bridge_owner;
SELECT lives_ok($$ SELECT notify_bridge.attach('public.event', recipient => 'to'), notify_bridge.attach('public.part', id => 'id') $$, 'tables are attached');
SELECT is_empty($$ SELECT what FROM notify_bridge.attach('public.event', recipient => 'to') WHERE step = 'did' $$, 'attaching again adds nothing');
CREATE TABLE public.part_high PARTITION OF public.part FOR VALUES FROM (100) TO (200);
CREATE TEMPORARY VIEW state AS
SELECT 'own' AS source, id, sent_at IS NOT NULL AS sent, txid FROM public.notification
UNION ALL SELECT 'event', n, sent_at IS NOT NULL, txid FROM public.event
UNION ALL SELECT 'part', id, sent_at IS NOT NULL, txid FROM public.part;
CREATE FUNCTION pg_temp.is(source text, wanted text, description text) RETURNS text LANGUAGE sql AS $$
  SELECT is((SELECT string_agg(s.id || CASE WHEN s.txid = pg_current_xact_id() THEN ' new'
      ELSE coalesce(' ' || s.txid::text, ' none') END || CASE WHEN s.sent THEN ' sent' ELSE '' END, ', ' ORDER BY s.id)
    FROM state AS s WHERE s.source = $1), wanted, description)
$$;

-- A dump that holds only data, from a cluster of higher and of lower ids.
INSERT INTO public.notification (id, user_id, is_sent, sent_at, txid) VALUES
  (1, 1, false, NULL, '5'), (2, 1, false, NULL, '9000000000'), (3, 1, true, now(), '5'), (4, 1, true, now(), '9000000000'),
  (5, 1, true, NULL, '9000000000'), (6, 1, false, now(), '9000000000'), (7, 1, false, NULL, DEFAULT);
SELECT pg_temp.is('own', '1 new, 2 new, 3 5 sent, 4 3 sent, 5 3, 6 3 sent, 7 new', 'unsent rows are new, others are old');
INSERT INTO public.event ("to", n, sent_at, txid) VALUES ('a', 1, NULL, '5'), ('a', 2, NULL, '9000000000'), ('a', 3, now(), '9000000000');
SELECT pg_temp.is('event', '1 new, 2 new, 3 3 sent', 'likewise in an attached table');
INSERT INTO public.part (id, user_id, txid) VALUES (1, 1, '5'), (2, 150, '9000000000');
SELECT pg_temp.is('part', '1 new, 2 new', 'and in each partition');

-- The session that applies logical replication, as far as triggers go.
DELETE FROM public.notification;
SET LOCAL session_replication_role = replica;
INSERT INTO public.notification (id, user_id, is_sent, sent_at, txid) VALUES
  (1, 1, false, NULL, '5'), (2, 1, false, NULL, '9000000000'), (3, 1, true, now(), '9000000000'), (4, 1, false, NULL, NULL);
SELECT pg_temp.is('own', '1 new, 2 new, 3 3 sent, 4 none', 'what is replicated is new, and NULL stays');
SET LOCAL session_replication_role = origin;
UPDATE public.notification SET txid = '77', is_sent = true, sent_at = now() WHERE id <= 2;
SET LOCAL session_replication_role = replica;
UPDATE public.notification SET data = '{"a": 1}', is_sent = false, sent_at = NULL, txid = '9000000000';
SELECT pg_temp.is('own', '1 77 sent, 2 77 sent, 3 3 sent, 4 new', 'an update keeps what was sent here; a row from before that was sent again is new');
SELECT results_eq('SELECT DISTINCT is_sent, data FROM public.notification WHERE id < 4', $$ VALUES (true, '{"a": 1}'::jsonb) $$, 'and sets the rest');
UPDATE public.notification SET txid = NULL WHERE id = 2;
SELECT pg_temp.is('own', '1 77 sent, 2 77 sent, 3 3 sent, 4 new', 'also where it sets NULL');
SET LOCAL session_replication_role = origin;
SET LOCAL notify_bridge.marking = on; -- As if it had not been sent yet.
UPDATE public.notification SET is_sent = false, sent_at = NULL, txid = '77' WHERE id = 1;
SET LOCAL notify_bridge.marking = off;
SET LOCAL session_replication_role = replica;
UPDATE public.notification SET is_sent = true, sent_at = now(), txid = '9000000000' WHERE id = 1;
SELECT pg_temp.is('own', '1 77 sent, 2 77 sent, 3 3 sent, 4 new', 'what was sent there is sent here');
UPDATE public.notification SET user_id = 2, txid = '9000000000' WHERE id = 2;
SELECT pg_temp.is('own', '1 77 sent, 2 new, 3 3 sent, 4 new', 'a row with another recipient is new');
UPDATE public.notification SET user_id = NULL, txid = '9000000000' WHERE id = 3;
SELECT pg_temp.is('own', '1 77 sent, 2 new, 3 3 sent, 4 new', 'but not for nobody');
SELECT is(notify_bridge.resend('public.notification', '{1}'), 1::bigint, 'resend works in such a session too');
SELECT pg_temp.is('own', '1 new, 2 new, 3 3 sent, 4 new', 'and makes a row new');
INSERT INTO public.part (id, user_id, txid) VALUES (3, 1, '5'), (4, 150, '9000000000');
UPDATE public.part SET data = '{}', txid = '9000000000' WHERE id = 1;
SELECT pg_temp.is('part', '1 new, 2 new, 3 new, 4 new', 'partitions likewise');
UPDATE public.event SET txid = '9000000000' WHERE n = 3;
UPDATE public.event SET "to" = 'b', sent_at = now(), txid = '9000000000' WHERE n = 1;
SELECT pg_temp.is('event', '1 new, 2 new, 3 3 sent', 'and a table without a boolean');
SET LOCAL session_replication_role = origin;

-- pg_restore --disable-triggers leaves all of them enabled for sessions of a backend.
ALTER TABLE public.notification ENABLE TRIGGER ALL;
UPDATE public.notification SET is_sent = false, sent_at = NULL, txid = '5' WHERE id = 3;
SELECT pg_temp.is('own', '1 new, 2 new, 3 5, 4 new', 'triggers for replication do nothing in others');
SELECT isnt_empty($$ SELECT FROM notify_bridge.source AS s WHERE s.is_own AND NOT notify_bridge.has_replication_triggers(s) $$, 'which is noticed');
SELECT lives_ok($$ SELECT notify_bridge.attach_replication(s.number) FROM notify_bridge.source AS s WHERE s.is_own $$, 'and repaired');
SELECT isnt_empty($$ SELECT FROM notify_bridge.source AS s WHERE s.is_own AND notify_bridge.has_replication_triggers(s) $$, 'by attaching again');

-- Migrations of the backend: no column but txid is held, and no statement fails.
SELECT lives_ok($$ ALTER TABLE public.event RENAME TO occasion $$, 'a table can be renamed');
INSERT INTO public.occasion ("to", n, txid) VALUES ('a', 4, '5');
SELECT is(txid, pg_current_xact_id(), 'and still finds such rows') FROM public.occasion WHERE n = 4;
SELECT lives_ok($$ ALTER TABLE public.occasion RENAME "to" TO recipient $$, 'a column can be renamed');
SELECT lives_ok($$ ALTER TABLE public.occasion RENAME "Key" TO id $$, 'also the key');
SELECT lives_ok($$ INSERT INTO public.occasion (recipient, n, txid) VALUES ('a', 5, '5') $$, 'and an INSERT does not fail');
SET LOCAL session_replication_role = replica;
SELECT lives_ok($$ UPDATE public.occasion SET n = n $$, 'nor does replication');
SET LOCAL session_replication_role = origin;
DROP VIEW state;
SELECT lives_ok($$ ALTER TABLE public.occasion DROP COLUMN recipient $$, 'a column can be dropped');
SELECT lives_ok($$ SELECT notify_bridge.detach('public.occasion') $$, 'the table is detached');
SELECT is_empty($$ SELECT FROM pg_trigger WHERE tgrelid = 'public.occasion'::regclass $$, 'with its triggers');
SELECT lives_ok($$ SELECT notify_bridge.detach('public.part') $$, 'so is a partitioned one');
SELECT is_empty($$ SELECT FROM pg_proc WHERE proname ~ '^keep_' AND proname !~ ('_' || (SELECT number FROM notify_bridge.source WHERE is_own) || '$') $$, 'and their functions');

SELECT * FROM finish();
ROLLBACK;
