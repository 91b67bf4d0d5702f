BEGIN;
SELECT plan(9);

INSERT INTO public.notification (id, user_id, is_sent, sent_at, txid)
SELECT n, 1, true, now(), '5' FROM generate_series(1, 4) AS n;
INSERT INTO public.notification (id, user_id, txid) VALUES (5, 1, NULL);

SELECT is(notify_bridge.resend('public.notification', '{1,3,99,5}'), 3::bigint, 'counts the rows that exist');
SELECT results_eq($$
  SELECT id, is_sent, sent_at IS NULL, txid = pg_current_xact_id() FROM public.notification ORDER BY id
$$, $$ VALUES (1::bigint, false, true, true), (2, true, false, false), (3, false, true, true), (4, true, false, false),
  (5, false, true, true) $$, 'these rows are unsent, with the txid of now, and no others');
SELECT is(notify_bridge.resend('public.notification', '{}'), 0::bigint, 'no ids, no rows');
SELECT is(notify_bridge.resend('public.notification', NULL), 0::bigint, 'NULL, no rows');
SELECT throws_ok($$ SELECT notify_bridge.resend('pg_catalog.pg_class', '{1}') $$, '55000',
  'pg_class is not served by notify-bridge', 'a table that is not served is refused');

CREATE TEMPORARY TABLE notification (id bigint, is_sent boolean, sent_at timestamptz, txid xid8);
INSERT INTO notification VALUES (1, true, now(), '5');
SELECT throws_ok($$ SELECT notify_bridge.resend('pg_temp.notification', '{1}') $$, '55000', NULL,
  'a table of the same name in another schema is refused');

-- A name that needs quotes, renamed while it is served.
ALTER TABLE public.notification RENAME TO "odd ""name; --";
SELECT is(notify_bridge.resend('public."odd ""name; --"', '{2}'), 1::bigint, 'any name of a table works');
SELECT is((SELECT count(*) FROM public."odd ""name; --" WHERE NOT is_sent), 4::bigint, 'and its row is unsent');
SELECT is((SELECT count(*) FROM pg_temp.notification WHERE is_sent), 1::bigint, 'the other table is as it was');

SELECT * FROM finish();
ROLLBACK;
