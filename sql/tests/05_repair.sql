BEGIN;
SELECT plan(7);

INSERT INTO public.notification (id, user_id, is_sent, sent_at, txid) VALUES
  (1, 1, false, NULL, '9000000000'), (2, 1, true, now(), '9000000001'), (3, 1, false, NULL, '17'),
  (5, 1, false, NULL, DEFAULT);
SET LOCAL session_replication_role = replica; -- As old rows are copied.
INSERT INTO public.notification (id, user_id, txid) VALUES (4, 1, NULL);
SET LOCAL session_replication_role = origin;
UPDATE notify_bridge.source SET first_txid = '8999999999';

SELECT is(notify_bridge.repair_txids(), 2::bigint, 'rows of a future that this cluster has not reached are repaired');
SELECT results_eq('SELECT id, txid::text FROM public.notification WHERE id IN (1, 2) ORDER BY id',
  $$ VALUES (1::bigint, '3'), (2, '3') $$, 'they get the oldest id there is');
SELECT results_eq('SELECT id, is_sent FROM public.notification WHERE id IN (1, 2) ORDER BY id',
  'VALUES (1::bigint, false), (2, true)', 'unsent stays unsent, and sent stays sent');
SELECT results_eq('SELECT txid::text FROM public.notification WHERE id IN (3, 4) ORDER BY id',
  $$ VALUES ('17'), (NULL) $$, 'others keep theirs');
SELECT is((SELECT txid FROM public.notification WHERE id = 5), pg_current_xact_id(), 'also those of this transaction');
SELECT is((SELECT first_txid::text FROM notify_bridge.source), '3', 'and the served table starts at it');
SELECT is(notify_bridge.repair_txids(), 0::bigint, 'a second time there is nothing to do');

SELECT * FROM finish();
ROLLBACK;
