BEGIN;
SELECT plan(31);

-- 1 to 20 are old and sent; 3 and 17 are held by a foreign key, 5 by a trigger that raises, 7 by one that returns NULL.
INSERT INTO public.notification (id, user_id, is_sent, sent_at, created_at, txid)
SELECT n, 1, true, now(), now() - interval '31 days' + n * interval '1 minute', (n + 3)::text::xid8
FROM generate_series(1, 20) AS n;
CREATE TABLE public.reply (notification_id bigint REFERENCES public.notification);
INSERT INTO public.reply VALUES (3), (17);
CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.id = 5 THEN
    RAISE EXCEPTION 'the payload of a secret' USING ERRCODE = 'UE001';
  END IF;
  RETURN CASE WHEN OLD.id = 7 THEN NULL ELSE OLD END;
END
$$;
CREATE TRIGGER keep BEFORE DELETE ON public.notification FOR EACH ROW EXECUTE FUNCTION public.keep();

-- Another table, with rows of its own and a number after the first one's.
CREATE TABLE public.attached ("Nr" text PRIMARY KEY, user_id integer, data jsonb, made timestamptz);
ALTER TABLE public.attached OWNER TO notify_bridge_owner;
SELECT lives_ok($$ SELECT notify_bridge.attach('public.attached', created => 'made', retention_days => 9) $$, 'another table');
INSERT INTO public.attached ("Nr", user_id, made, sent_at)
SELECT 'row ' || n, 1, now() - interval '10 days', now() FROM generate_series(1, 5) AS n;

SELECT is(notify_bridge.purge(30, 1000, true), 25::bigint, 'all of them are due');
SELECT is(notify_bridge.purge(30), 21::bigint, 'those that can be deleted are, in both tables');
SELECT results_eq('SELECT id FROM public.notification ORDER BY id', 'VALUES (3::bigint), (5), (7), (17)', 'and the others are skipped');
SELECT is_empty('SELECT * FROM public.attached', 'a table that follows is not held up');
SELECT results_eq($$ SELECT source, row_id, sqlstate, stage, attempts FROM notify_bridge.quarantine ORDER BY row_id::bigint $$,
  $$ VALUES ('public.notification', '3', '23503', 'purge', 1), ('public.notification', '5', 'UE001', 'purge', 1),
    ('public.notification', '7', '02000', 'purge', 1), ('public.notification', '17', '23503', 'purge', 1) $$,
  'each is set aside, with its error');
SELECT is((SELECT purged_txid FROM notify_bridge.source WHERE is_own), '23'::xid8, 'the newest deleted transaction is known');

-- The next run does not meet them, and rows that are due later are deleted past them.
INSERT INTO public.notification (id, user_id, is_sent, sent_at, created_at)
SELECT n, 1, true, now(), now() - interval '31 days' FROM generate_series(21, 24) AS n;
SELECT is(notify_bridge.purge(30, 2), 2::bigint, 'a batch is filled with others');
SELECT is(notify_bridge.purge(30, 2), 2::bigint, 'and so is the next');
SELECT is(notify_bridge.purge(30, 2), 0::bigint, 'until nothing is left');
SELECT is((SELECT max(attempts) FROM notify_bridge.quarantine), 1, 'which tried none of them again');

-- When they are due again: 3 can be deleted now, 5 was resent, 7 and 17 are as they were.
DELETE FROM public.reply WHERE notification_id = 3;
SELECT notify_bridge.resend('public.notification', '{5}');
UPDATE notify_bridge.quarantined SET next_attempt = now() - interval '1 s';
SELECT is(notify_bridge.purge(30), 1::bigint, 'a row that can be deleted again is');
SELECT results_eq('SELECT row_id, attempts FROM notify_bridge.quarantine ORDER BY row_id', $$ VALUES ('17', 2), ('7', 2) $$,
  'it leaves the quarantine, and so does one that is no longer due');
SELECT is(notify_bridge.retry_quarantined('public.notification', '{17}'), 1::bigint, 'an operator has one tried at once');
DELETE FROM public.reply;
SELECT is(notify_bridge.purge(30), 1::bigint, 'and the next run deletes it');

-- A constraint that is checked at the commit.
ALTER TABLE public.reply ALTER CONSTRAINT reply_notification_id_fkey DEFERRABLE INITIALLY DEFERRED;
INSERT INTO public.notification (id, user_id, is_sent, sent_at, created_at)
SELECT n, 1, true, now(), now() - interval '31 days' FROM generate_series(31, 34) AS n;
INSERT INTO public.reply VALUES (32);
SELECT is(notify_bridge.purge(30), 3::bigint, 'a deferred constraint fails for its row alone');
SELECT is(sqlstate, '23503', 'which is set aside') FROM notify_bridge.quarantine WHERE row_id = '32';
DELETE FROM public.reply;
DELETE FROM public.notification WHERE id = 32;

-- A table that can't be deleted from at all.
INSERT INTO public.notification (id, user_id, is_sent, sent_at, created_at)
SELECT n, 1, true, now(), now() - interval '31 days' FROM generate_series(41, 44) AS n;
INSERT INTO public.attached ("Nr", user_id, made, sent_at)
SELECT 'row ' || n, 1, now() - interval '10 days', now() FROM generate_series(6, 8) AS n;
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = 'UE002'; END $$;
CREATE TRIGGER refuse BEFORE DELETE ON public.notification FOR EACH STATEMENT EXECUTE FUNCTION public.refuse();
SELECT is(notify_bridge.purge(30), 3::bigint, 'the others go on');
SELECT results_eq($$ SELECT source, row_id, sqlstate FROM notify_bridge.quarantine WHERE sqlstate = 'UE002' $$,
  $$ VALUES ('public.notification', NULL::text, 'UE002') $$, 'and it is set aside as a whole');
SELECT is((SELECT count(*) FROM public.notification WHERE id > 40), 4::bigint, 'with all of its rows');
DROP TRIGGER refuse ON public.notification;
SELECT is(notify_bridge.purge(30), 4::bigint, 'until it can be deleted from again');
SELECT is_empty($$ SELECT * FROM notify_bridge.quarantine WHERE row_id IS NULL $$, 'and leaves the quarantine then');
CREATE RULE never AS ON DELETE TO public.attached DO INSTEAD NOTHING;
INSERT INTO public.attached ("Nr", user_id, made, sent_at) VALUES ('ruled', 1, now() - interval '10 days', now());
SELECT is(notify_bridge.purge(30), 0::bigint, 'a rule that keeps the rows holds up nothing');
SELECT results_eq($$ SELECT source, row_id, sqlstate FROM notify_bridge.quarantine WHERE row_id IS NULL $$,
  $$ VALUES ('public.attached', NULL::text, '0A000') $$, 'and is named');
DROP RULE never ON public.attached;

-- Thousands that can't be deleted, older than one that can.
DROP TRIGGER keep ON public.notification;
SELECT is(notify_bridge.purge(30), 1::bigint, 'the table works again');
DELETE FROM public.notification WHERE id = 7;
SELECT is(notify_bridge.clean_quarantine(), 2::bigint, 'rows that somebody else deleted leave the quarantine');
INSERT INTO public.notification (id, user_id, is_sent, sent_at, created_at)
SELECT n, 1, true, now(), now() - interval '40 days' + n * interval '1 second' FROM generate_series(1001, 1500) AS n;
INSERT INTO public.reply SELECT n FROM generate_series(1001, 1499) AS n;
SELECT is(notify_bridge.purge(30, 100), 1::bigint, 'rows behind many others are reached');
SELECT is((SELECT count(*) FROM notify_bridge.quarantine WHERE sqlstate = '23503'), 499::bigint, 'which are all set aside');
UPDATE notify_bridge.quarantined SET next_attempt = now() - interval '1 s';
SELECT is(notify_bridge.purge(30, 100), 0::bigint, 'their turn comes');
SELECT is((SELECT count(*) FROM notify_bridge.quarantine WHERE attempts = 2), 100::bigint, 'a hundred at a time');
SELECT is(notify_bridge.purge(0), 0::bigint, 'a retention of no days tries none of them');

SELECT * FROM finish();
ROLLBACK;
