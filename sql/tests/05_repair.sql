BEGIN;
SELECT plan(13);

-- As a restore writes them that fires no trigger.
ALTER TABLE public.notification DISABLE TRIGGER notify_bridge_txid;
INSERT INTO public.notification (id, user_id, is_sent, sent_at, txid) VALUES
  (1, 1, false, NULL, '9000000000'), (2, 1, true, now(), '9000000001'), (3, 1, false, NULL, '17'),
  (4, 1, false, NULL, NULL), (5, 1, false, NULL, DEFAULT), (6, 1, true, NULL, '9000000002');
ALTER TABLE public.notification ENABLE ALWAYS TRIGGER notify_bridge_txid;
UPDATE notify_bridge.source SET first_txid = '8999999999';

SELECT results_eq('SELECT * FROM notify_bridge.repair_rows()', $$ VALUES ('public.notification', 3::bigint, NULL::text) $$,
  'rows of a future that this cluster has not reached are repaired');
SELECT is(txid, pg_current_xact_id(), 'an unsent one is new') FROM public.notification WHERE id = 1;
SELECT results_eq('SELECT txid::text FROM public.notification WHERE id IN (2, 6) ORDER BY id', ARRAY['3', '3'], 'others get the oldest id there is');
SELECT results_eq('SELECT id, is_sent FROM public.notification WHERE id IN (1, 2) ORDER BY id',
  'VALUES (1::bigint, false), (2, true)', 'unsent stays unsent, and sent stays sent');
SELECT results_eq('SELECT txid::text FROM public.notification WHERE id IN (3, 4) ORDER BY id',
  $$ VALUES ('17'), (NULL) $$, 'others keep theirs');
SELECT is((SELECT txid FROM public.notification WHERE id = 5), pg_current_xact_id(), 'also those of this transaction');
SELECT is(notify_bridge.repair_txids(), 0::bigint, 'after a dump was restored, bridges repair what is recorded too');
SELECT is((SELECT first_txid::text FROM notify_bridge.source), '3', 'and the served table starts at it');
SELECT is_empty('SELECT * FROM notify_bridge.repair_rows()', 'a second time there is nothing to do');

-- One table's failure is that table's.
CREATE TABLE public.aa (id bigint PRIMARY KEY, user_id bigint, data jsonb, CHECK (data IS NOT NULL) NOT VALID);
ALTER TABLE public.aa OWNER TO notify_bridge_owner;
SELECT lives_ok($$ SELECT notify_bridge.attach('public.aa') $$, 'another table');
ALTER TABLE public.aa DISABLE TRIGGER ALL, DROP CONSTRAINT aa_data_check;
INSERT INTO public.aa (id, user_id, txid) VALUES (1, 1, '9000000000');
ALTER TABLE public.aa ADD CHECK (data IS NOT NULL) NOT VALID;
UPDATE public.notification SET txid = '9000000000', sent_at = NULL, is_sent = false WHERE id = 1;
SELECT results_eq('SELECT * FROM notify_bridge.repair_rows() ORDER BY source',
  $$ VALUES ('public.aa', 0::bigint, '23514'), ('public.notification', 1, NULL) $$, 'that fails holds up no other');
ALTER TABLE public.aa DROP CONSTRAINT aa_data_check;
SELECT results_eq('SELECT * FROM notify_bridge.repair_rows()', $$ VALUES ('public.aa', 1::bigint, NULL::text) $$, 'and is repaired later');
DROP TABLE public.aa;
SELECT is_empty('SELECT * FROM notify_bridge.repair_rows()', 'a dropped table is passed over');

SELECT * FROM finish();
ROLLBACK;
