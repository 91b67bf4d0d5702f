-- Rows that an ORM writes with txid NULL, because it writes all columns: they are new, and stay what they are when saved again.
BEGIN;
SELECT plan(20);
CREATE ROLE orm;
CREATE TABLE public.note (key uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id integer, data jsonb, title text);
CREATE TABLE public.log (id integer, at date, user_id integer, data jsonb, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE public.log_1 PARTITION OF public.log FOR VALUES FROM (minvalue) TO ('2026-01-01');
INSERT INTO public.note (user_id, title) VALUES (1, 'old');
GRANT SELECT, UPDATE, DELETE ON public.note, public.log TO notify_bridge_owner;
SELECT count(*) FROM notify_bridge.attach('public.note') AS a, notify_bridge.attach('public.log', id => 'id') AS b;
CREATE TABLE public.log_2 PARTITION OF public.log FOR VALUES FROM ('2026-01-01') TO (maxvalue);
GRANT SELECT, INSERT, UPDATE ON public.notification, public.note, public.log TO orm;
CREATE FUNCTION pg_temp.is_new(xid8) RETURNS boolean LANGUAGE sql AS 'SELECT $1 = pg_current_xact_id()';
CREATE FUNCTION pg_temp.orm(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  SET LOCAL ROLE orm;
  EXECUTE statement;
  RESET ROLE;
END
$$;

SELECT lives_ok($t$ SELECT pg_temp.orm($s$ INSERT INTO public.notification (id, user_id, data, txid) VALUES (-1, 1, '{}', NULL), (-2, 1, '{}', DEFAULT), (-3, 1, '{}', NULL) $s$) $t$,
  'an INSERT of all columns');
SELECT is((SELECT count(*) FROM public.notification WHERE id < 0 AND pg_temp.is_new(txid)), 3::bigint, 'makes new rows');
SELECT lives_ok($t$ SELECT pg_temp.orm($s$ INSERT INTO public.note (user_id, title, txid) VALUES (1, 'new', NULL) $s$) $t$, 'of an attached table, with a key of another name');
SELECT ok(pg_temp.is_new(txid), 'too') FROM public.note WHERE title = 'new';
SELECT lives_ok($t$ SELECT pg_temp.orm($s$ INSERT INTO public.log (id, at, user_id, txid) VALUES (1, '2025-01-01', 1, NULL), (1, '2026-01-01', 1, NULL) $s$) $t$, 'of a partitioned one');
SELECT is((SELECT count(*) FROM public.log WHERE pg_temp.is_new(txid)), 2::bigint, 'in old and new partitions');
SELECT lives_ok($$ INSERT INTO public.log_2 (id, at, user_id, txid) VALUES (2, '2026-01-01', 1, NULL) $$, 'and straight into a partition');
SELECT ok(pg_temp.is_new(txid), 'which is new too') FROM public.log WHERE id = 2;

-- An ORM that saves an object which it has made writes what it has in memory.
UPDATE public.notification SET txid = '77' WHERE id = -1;
SELECT lives_ok($t$ SELECT pg_temp.orm($s$ UPDATE public.notification SET data = '{"seen": 1}', txid = NULL WHERE id < 0 $s$) $t$, 'an UPDATE of all columns');
SELECT results_eq('SELECT txid::text FROM public.notification WHERE id = -1', ARRAY['77'], 'leaves a row its transaction');
SELECT is((SELECT count(*) FROM public.notification WHERE id < -1 AND pg_temp.is_new(txid)), 2::bigint, 'each its own');
SELECT lives_ok($t$ SELECT pg_temp.orm($s$ INSERT INTO public.notification (id, user_id, txid) VALUES (-1, 1, NULL) ON CONFLICT (id) DO UPDATE SET data = '[]', txid = excluded.txid $s$) $t$, 'an upsert');
SELECT results_eq('SELECT txid::text FROM public.notification WHERE id = -1', ARRAY['77'], 'likewise');
SELECT lives_ok($t$ SELECT pg_temp.orm($s$ UPDATE public.note SET title = 'older', txid = NULL WHERE title = 'old' $s$) $t$, 'a row from before the table was attached');
SELECT ok(txid IS NULL, 'stays one') FROM public.note WHERE title = 'older';

-- Not delivered in silence.
REVOKE UPDATE ON public.note FROM orm;
SELECT throws_ok($t$ SELECT pg_temp.orm($s$ INSERT INTO public.note (user_id, txid) VALUES (1, NULL) $s$) $t$, '23502', 'txid of public.note may not be NULL: such a row is never sent',
  'a writer that may not write it is refused');
SELECT lives_ok($t$ SELECT pg_temp.orm('INSERT INTO public.note (user_id) VALUES (1)') $t$, 'and needs no right for a row that leaves txid out');
SET LOCAL session_replication_role = replica;
INSERT INTO public.note (user_id, title, txid) VALUES (1, 'copied', NULL);
SET LOCAL session_replication_role = origin;
SELECT ok(txid IS NULL, 'a copy of old rows stays one') FROM public.note WHERE title = 'copied';

SELECT count(*) FROM notify_bridge.attach('public.note') AS a;
GRANT UPDATE ON public.note TO orm;
ALTER TABLE public.note RENAME key TO id;
SELECT count(*) FROM notify_bridge.attach('public.note', id => 'id') AS a;
SELECT lives_ok($t$ SELECT pg_temp.orm($s$ INSERT INTO public.note (user_id, title, txid) VALUES (1, 'renamed', NULL) $s$) $t$, 'attaching again follows a renamed key');
SELECT count(*) FROM notify_bridge.detach('public.note') AS a;
SELECT lives_ok($t$ SELECT pg_temp.orm($s$ INSERT INTO public.note (user_id, title) VALUES (1, 'detached') $s$) $t$, 'detaching ends it');

SELECT * FROM finish();
ROLLBACK;
