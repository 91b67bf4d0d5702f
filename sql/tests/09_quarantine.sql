BEGIN;
SELECT plan(39);

-- Times are the server's clock, so the tests read the pauses and not the moments.
CREATE TEMPORARY VIEW pauses AS
SELECT q.row_id, q.stage, q.attempts,
  round(extract(epoch FROM q.next_attempt - clock_timestamp())) AS seconds FROM notify_bridge.quarantined AS q;
CREATE FUNCTION pg_temp.own() RETURNS integer LANGUAGE sql AS
  $$ SELECT s.number FROM notify_bridge.source AS s WHERE s.is_own $$;

ALTER TABLE public.notification DISABLE TRIGGER notify_bridge_txid;
INSERT INTO public.notification (id, user_id, is_sent, sent_at, txid)
SELECT n, 1, n = 9, CASE WHEN n = 9 THEN now() END, '5' FROM generate_series(1, 9) AS n;
CREATE TABLE public.named ("Key" text PRIMARY KEY, user_id integer, data jsonb);
ALTER TABLE public.named OWNER TO notify_bridge_owner;
SELECT lives_ok($$ SELECT notify_bridge.attach('public.named') $$, 'a table with texts for ids is attached');
CREATE FUNCTION pg_temp.named() RETURNS integer LANGUAGE sql AS
  $$ SELECT s.number FROM notify_bridge.source AS s WHERE s.relation = 'public.named'::regclass $$;

-- Entering.
SELECT is(notify_bridge.quarantine_rows('mark', ARRAY[pg_temp.own(), pg_temp.own()], '{1,2}', '{5,5}', '{P0001,23514}'),
  2::bigint, 'two rows are set aside');
SELECT is(notify_bridge.quarantine_rows('mark', ARRAY[pg_temp.own(), pg_temp.own()], '{1,3}', '{5,5}', '{P0002,P0001}'),
  1::bigint, 'one of them again, and another: one is new');
SELECT results_eq($$ SELECT source, row_id, sqlstate, stage, attempts FROM notify_bridge.quarantine ORDER BY row_id $$,
  $$ VALUES ('public.notification', '1', 'P0002', 'mark', 2), ('public.notification', '2', '23514', 'mark', 1),
    ('public.notification', '3', 'P0001', 'mark', 1) $$, 'the view names them, with their last error');
SELECT is(notify_bridge.quarantine_rows('mark', ARRAY[pg_temp.own(), pg_temp.own()], '{4,4}', '{5,5}', '{P0001,P0001}'),
  1::bigint, 'a row given twice is one entry');
SELECT is(notify_bridge.quarantine_rows('read', ARRAY[pg_temp.own()], '{1}', '{5}', '{P0001}'), 1::bigint,
  'another stage is another entry');
SELECT is(notify_bridge.quarantine_rows('mark', ARRAY[pg_temp.own()], '{1}', '{6}', '{P0001}'), 1::bigint,
  'and so is another txid');
SELECT is(notify_bridge.quarantine_rows('mark', ARRAY[pg_temp.named()], ARRAY[NULL]::text[], ARRAY[NULL]::text[], '{42501}'),
  1::bigint, 'a whole table is set aside');
SELECT is(notify_bridge.quarantine_rows('mark', ARRAY[pg_temp.named()], '{""}', '{5}', '{P0001}'), 1::bigint,
  'which is not the row whose id is empty');
SELECT is(notify_bridge.quarantine_rows('mark', ARRAY[pg_temp.named()], ARRAY[repeat('long id ', 10000)], '{5}', '{P0001}'),
  1::bigint, 'ids may be longer than an index entry');
SELECT is(notify_bridge.quarantine_rows('mark', ARRAY[-1], '{1}', '{5}', '{P0001}'), 0::bigint,
  'a table that is no longer served is left out');
SELECT is(notify_bridge.quarantine_rows('mark', '{}', '{}', '{}', '{}'), 0::bigint, 'nothing is nothing');
SELECT throws_ok($$ SELECT notify_bridge.quarantine_rows('lose', ARRAY[pg_temp.own()], '{1}', '{5}', '{P0001}') $$,
  '23514', NULL, 'there are three stages');

-- Pauses.
SELECT is(seconds, 2::numeric, 'the second pause is two seconds') FROM pauses WHERE row_id = '1' AND stage = 'mark' AND attempts = 2;
SELECT is(seconds, 1::numeric, 'the first is one') FROM pauses WHERE row_id = '2';
SELECT results_eq($$ SELECT extract(epoch FROM notify_bridge.quarantine_pause('mark', n))::integer FROM unnest('{1,2,5,10,11,2000000000}'::integer[]) AS n $$,
  'VALUES (1), (2), (16), (512), (600), (600)', 'they grow to ten minutes');
SELECT results_eq($$ SELECT extract(epoch FROM notify_bridge.quarantine_pause('purge', n))::integer FROM unnest('{1,2,8,9,2000000000}'::integer[]) AS n $$,
  'VALUES (600), (1200), (76800), (86400), (86400)', 'those of the retention from ten minutes to a day');

-- Claiming.
SELECT is_empty($$ SELECT * FROM notify_bridge.claim_quarantined('purge', 10) $$, 'nothing of that stage is due');
SELECT is_empty($$ SELECT * FROM notify_bridge.claim_quarantined('mark', 10) $$, 'nothing is due before its pause has ended');
UPDATE notify_bridge.quarantined SET next_attempt = now() - interval '1 s' WHERE row_id IN ('2', '3') OR row_id IS NULL;
SELECT is((SELECT count(*) FROM notify_bridge.claim_quarantined('mark', 2)), 2::bigint, 'a claim is limited');
SELECT is((SELECT count(*) FROM notify_bridge.claim_quarantined('mark', 10)), 1::bigint, 'the next takes the rest');
SELECT is_empty($$ SELECT * FROM notify_bridge.claim_quarantined('mark', 10) $$, 'and nobody takes them twice');
SELECT results_eq($$ SELECT row_id, attempts, seconds FROM pauses WHERE row_id IN ('2', '3') ORDER BY 1 $$,
  $$ VALUES ('2', 2, 2::numeric), ('3', 2, 2) $$, 'a claim counts as an attempt');

-- Leaving.
SELECT is(notify_bridge.release_rows('mark', ARRAY[pg_temp.own(), pg_temp.own(), pg_temp.own()], '{2,3,99}', '{5,6,5}'), 1::bigint,
  'a row is released by its id and txid');
SELECT is(notify_bridge.release_rows('mark', ARRAY[pg_temp.named()], ARRAY[NULL]::text[], ARRAY[NULL]::text[]), 1::bigint,
  'a table by its number');
SELECT is((SELECT count(*) FROM notify_bridge.quarantine WHERE source = 'public.named'), 2::bigint, 'its rows stay');

-- By hand.
SELECT is(notify_bridge.retry_quarantined('public.notification', '{1,77}'), 3::bigint, 'an operator has a row tried again');
SELECT results_eq($$ SELECT stage, seconds FROM pauses WHERE row_id = '1' $$, $$ VALUES ('mark', 0::numeric), ('mark', 0) $$,
  'what could not be marked is due, what could not be read is set aside no more');
SELECT is(txid, pg_current_xact_id(), 'but is new') FROM public.notification WHERE id = 1;
SELECT is(notify_bridge.retry_quarantined('public.notification', NULL), 4::bigint, 'or all of a table');
SELECT throws_ok($$ SELECT notify_bridge.retry_quarantined('pg_class', '{1}') $$, '55000', 'pg_class is not served by notify-bridge');

-- Housekeeping: 1 was resent, 4 is deleted, 9 was marked by somebody else, 3 stays; so do both of the other table's.
ALTER TABLE public.named DISABLE TRIGGER notify_bridge_txid;
INSERT INTO public.named ("Key", user_id, txid) VALUES ('', 1, '5'), (repeat('long id ', 10), 1, '5');
SELECT is(notify_bridge.quarantine_rows('mark', ARRAY[pg_temp.own()], '{9}', '{5}', '{P0001}')
  + notify_bridge.quarantine_rows('purge', ARRAY[pg_temp.own()], '{9}', NULL, '{23503}'), 2::bigint, 'a sent row is set aside');
DELETE FROM public.notification WHERE id = 4;
SELECT is(notify_bridge.clean_quarantine(), 5::bigint, 'rows that are gone leave the quarantine');
SELECT results_eq($$ SELECT source, row_id, stage FROM notify_bridge.quarantine ORDER BY 1, 2 $$,
  $$ VALUES ('public.named', '', 'mark'), ('public.notification', '3', 'mark'), ('public.notification', '9', 'purge') $$,
  'and the others stay');
ALTER TABLE public.named RENAME COLUMN txid TO other;
SELECT is(notify_bridge.clean_quarantine(), 0::bigint, 'a table that can''t be read is passed over');
ALTER TABLE public.named RENAME COLUMN other TO txid;

-- A table that is no longer served has none.
SELECT lives_ok($$ SELECT notify_bridge.detach('public.named') $$, 'the table is detached');
SELECT is_empty($$ SELECT * FROM notify_bridge.quarantine WHERE source = 'public.named' $$, 'with its entries');
DROP TABLE public.notification;
SELECT is(notify_bridge.clean_quarantine(), 0::bigint, 'a dropped table is passed over');
SELECT set_eq($$ SELECT DISTINCT source FROM notify_bridge.quarantine $$, ARRAY['public.notification'], 'and keeps its name');

SELECT * FROM finish();
ROLLBACK;
