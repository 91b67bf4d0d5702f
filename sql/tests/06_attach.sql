BEGIN;
-- As the role that owns the schema, which is no superuser.
GRANT USAGE ON SCHEMA tap TO notify_bridge_owner;
SET LOCAL ROLE notify_bridge_owner;
SELECT plan(75);

-- A backend's table as Django makes it.
CREATE TABLE public.auth_user (id serial PRIMARY KEY, username text);
INSERT INTO public.auth_user (username) VALUES ('ann'), ('bob');
CREATE TABLE public.workorder_notification (
  id bigserial PRIMARY KEY, recipient_id integer NOT NULL REFERENCES public.auth_user, title text NOT NULL, content text,
  data jsonb, is_sent boolean NOT NULL DEFAULT false, is_read boolean NOT NULL DEFAULT false, read_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO public.workorder_notification (recipient_id, title) VALUES (1, 'from before');

CREATE FUNCTION pg_temp.mapping(of regclass) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', recipient_column || ':' || recipient_kind, id_column || ':' || id_kind, payload || ':' || payload_kind,
    'sent=' || concat_ws(',', sent_column, sent_at_column), 'created=' || coalesce(created_column, ''),
    'read=' || concat_ws(',', read_column, read_at_column), txid_column)
  FROM notify_bridge.source WHERE relation = of
$$;
CREATE FUNCTION pg_temp.columns(of regclass) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = of AND attnum > 0 AND NOT attisdropped
$$;
CREATE FUNCTION pg_temp.problem(of regclass) RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(problem, 'none') FROM notify_bridge.served WHERE relation = of
$$;

-- Guessing, and what attach adds.
SELECT results_eq($$ SELECT step FROM notify_bridge.attach('public.workorder_notification') $$,
  $$ VALUES ('did'), ('did'), ('did'), ('did'), ('did'), ('did'), ('did'), ('did'), ('did'), ('todo'), ('note'), ('note') $$, 'attach says what it did');
SELECT is(pg_temp.mapping('public.workorder_notification'),
  'recipient_id:integer id:integer data:jsonb sent=is_sent,sent_at created=created_at read=is_read,read_at txid', 'and infers right');
SELECT is(pg_temp.problem('public.workorder_notification'), 'none', 'the table is served');
INSERT INTO public.workorder_notification (recipient_id, title) VALUES (1, 'new');
SELECT results_eq('SELECT title, txid IS NULL FROM public.workorder_notification ORDER BY id',
  $$ VALUES ('from before', true), ('new', false) $$, 'rows from before have no txid, new ones have');
SELECT ok(first_txid <= pg_current_xact_id(), 'the first transaction that can write is known')
FROM notify_bridge.source WHERE NOT is_own;
SELECT results_eq($$ SELECT t.tgenabled::text, t.tgtype::integer, t.tgfoid::regproc::text FROM pg_trigger AS t
  WHERE t.tgrelid = 'public.workorder_notification'::regclass AND t.tgname = 'notify_bridge_ring' $$,
  $$ VALUES ('A', 4, 'notify_bridge.ring') $$, 'the trigger comes AFTER INSERT, once a statement, ENABLE ALWAYS');
SELECT results_eq($$ SELECT indexrelid::regclass::text COLLATE "default" FROM pg_index WHERE indrelid = 'public.workorder_notification'::regclass ORDER BY 1 $$,
  $$ VALUES ('public.workorder_notification_pkey'), ('public.workorder_notification_recipient_id_txid_idx'), ('public.workorder_notification_txid_idx') $$, 'and two indexes');
SELECT results_eq($$ SELECT step FROM notify_bridge.attach('public.workorder_notification') $$, $$ VALUES ('todo'), ('note'), ('note') $$,
  'a second time nothing is changed');
SELECT is(pg_temp.columns('public.workorder_notification'),
  'id,recipient_id,title,content,data,is_sent,is_read,read_at,created_at,txid,sent_at', 'nor added');

-- A later attach changes what it says, and keeps the rest.
SELECT lives_ok($$ SELECT notify_bridge.attach('public.workorder_notification', read => '',
  payload => 'jsonb_build_object(''title'', title, ''content'', content) || coalesce(data, ''{}'') -- all') $$, 'an expression with a comment is taken');
SELECT is((SELECT (payload_columns, payload_kind)::text FROM notify_bridge.source WHERE NOT is_own), '("{content,data,title}",jsonb)', 'its columns are known');
SELECT lives_ok($$ SELECT notify_bridge.attach('public.workorder_notification', created => '') $$, 'another change');
SELECT matches(pg_temp.mapping('public.workorder_notification'), '^recipient_id:integer id:integer jsonb_build_object.*sent=is_sent,sent_at created= read= txid$',
  'keeps what was said before, and that a column is none');

-- Later changes by the backend's own migrations.
ALTER TABLE public.workorder_notification RENAME content TO body;
SELECT is(pg_temp.problem('public.workorder_notification'), 'column content is missing: it was renamed or dropped', 'a renamed column of an expression is a problem');
SELECT throws_like($$ SELECT notify_bridge.attach('public.workorder_notification') $$, '%column "content" does not exist', 'which repeating alone does not mend');
SELECT lives_ok($$ SELECT notify_bridge.attach('public.workorder_notification', payload => 'data') $$, 'but naming another payload does');
ALTER TABLE public.workorder_notification RENAME TO renamed;
SELECT is(pg_temp.problem('public.renamed'), 'none', 'a renamed table is served on');
ALTER TABLE public.renamed ALTER data TYPE text;
SELECT is(pg_temp.problem('public.renamed'), 'column data is text now: attach the table again', 'a column of another type is a problem');
ALTER TABLE public.renamed ALTER data TYPE jsonb USING data::jsonb, ALTER id DROP DEFAULT, ALTER id TYPE uuid USING gen_random_uuid();
SELECT is(pg_temp.problem('public.renamed'), 'column id is uuid now: attach the table again', 'so is a key of another kind');
SELECT lives_ok($$ SELECT notify_bridge.attach('public.renamed') $$, 'attaching again takes it as it is');
SELECT is(pg_temp.problem('public.renamed'), 'none', 'and it is served');
ALTER TABLE public.renamed DROP COLUMN is_sent;
SELECT lives_ok($$ SELECT notify_bridge.attach('public.renamed') $$, 'a column that is gone');
SELECT matches(pg_temp.mapping('public.renamed'), 'sent=sent_at created=', 'is done without');

-- Detaching.
SELECT results_eq($$ SELECT step FROM notify_bridge.detach('public.renamed') $$, $$ VALUES ('did'), ('did'), ('did'), ('did'), ('did'), ('did'), ('did') $$, 'detach says what it did');
SELECT is(pg_temp.columns('public.renamed'), 'id,recipient_id,title,body,data,is_read,read_at,created_at', 'the table has the columns that it had');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'public.renamed'::regclass AND tgname LIKE 'notify%'), 0::bigint, 'and no trigger');
SELECT is((SELECT count(*) FROM pg_index WHERE indrelid = 'public.renamed'::regclass), 1::bigint, 'and its own index');
SELECT results_eq($$ SELECT step FROM notify_bridge.detach('public.renamed') $$, $$ VALUES ('note') $$, 'a second time nothing happens');

-- The own table is dropped, but only where it is empty.
SAVEPOINT own;
INSERT INTO public.notification DEFAULT VALUES;
SELECT throws_like($$ SELECT notify_bridge.detach('public.notification') $$,
  'public.notification is notify-bridge''s own table and holds rows%', 'our own is not detached while it holds rows');
DELETE FROM public.notification;
SELECT results_eq($$ SELECT what FROM notify_bridge.detach('public.notification') $$, $$ VALUES
  ('dropped table public.notification'), ('public.notification is no longer served'),
  ('notify-bridge migrate makes public.notification again, except with --no-table') $$, 'an empty one is dropped');
SELECT is(to_regclass('public.notification'), NULL, 'and gone');
SELECT results_eq($$ SELECT step FROM notify_bridge.detach(0) $$, $$ VALUES ('note') $$, 'and was the last one');
SELECT ok(notify_bridge.create_own_table() AND NOT notify_bridge.create_own_table(), 'it can be made again, once');
SELECT is(pg_temp.problem('public.notification'), 'none', 'and is served');
DROP TABLE public.notification;
SELECT lives_ok($$ SELECT notify_bridge.detach(relation) FROM notify_bridge.source WHERE is_own $$, 'one that was dropped is detached too');
ROLLBACK TO own;

-- Names that the table uses for something else.
CREATE TABLE public.taken (id integer PRIMARY KEY, user_id text, data json, sent_at timestamptz, txid integer);
SELECT lives_ok($$ SELECT notify_bridge.attach('public.taken') $$, 'names that are taken are in nobody''s way');
SELECT is(pg_temp.mapping('public.taken'), 'user_id:text id:integer data:json sent=notify_bridge_sent_at created= read= notify_bridge_txid', 'ours are prefixed');
SELECT lives_ok($$ SELECT notify_bridge.detach('public.taken') $$, 'detach');
SELECT is(pg_temp.columns('public.taken'), 'id,user_id,data,sent_at,txid', 'leaves theirs');
SELECT lives_ok($$ SELECT notify_bridge.attach('public.taken', sent => 'sent_at') $$, 'a column that is said to be ours');
SELECT is(pg_temp.mapping('public.taken'), 'user_id:text id:integer data:json sent=sent_at created= read= notify_bridge_txid', 'is used');
SELECT lives_ok($$ SELECT notify_bridge.detach('public.taken') $$, 'and detach');
SELECT is(pg_temp.columns('public.taken'), 'id,user_id,data,sent_at,txid', 'leaves it all the same');
ALTER TABLE public.taken ADD notify_bridge_txid xid8;
SELECT throws_ok($$ SELECT notify_bridge.attach('public.taken') $$, '42701', NULL, 'a column that looks like ours and is not stops it');

-- Names of every kind, in another schema, partitioned; and what a bridge does with such a table.
CREATE SCHEMA "Ä b";
CREATE TABLE "Ä b"."Tägliche ""Post"" %s" ("Id" uuid DEFAULT gen_random_uuid(), "Für" varchar(40), "Inhalt" text, am timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY ("Id", am)) PARTITION BY RANGE (am);
CREATE TABLE "Ä b".alt PARTITION OF "Ä b"."Tägliche ""Post"" %s" FOR VALUES FROM ('2020-01-01') TO ('2025-01-01') PARTITION BY HASH (am);
CREATE TABLE "Ä b".alt_0 PARTITION OF "Ä b".alt FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "Ä b".alt_1 PARTITION OF "Ä b".alt FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE "Ä b".neu PARTITION OF "Ä b"."Tägliche ""Post"" %s" DEFAULT;
SELECT throws_ok($$ SELECT notify_bridge.attach('"Ä b"."Tägliche ""Post"" %s"', payload => 'Inhalt') $$, '42P08',
  'the recipient of "Ä b"."Tägliche ""Post"" %s" can''t be inferred: no column looks like it', 'what can''t be inferred is asked for');
SELECT lives_ok($$ SELECT notify_bridge.attach('"Ä b"."Tägliche ""Post"" %s"', 'Für', payload => 'Inhalt', created => 'am') $$, 'any name works');
SELECT is(pg_temp.mapping('"Ä b"."Tägliche ""Post"" %s"'), 'Für:text Id:uuid to_jsonb("Inhalt"):jsonb sent=sent_at created=am read= txid', 'a text becomes jsonb');
SELECT is(pg_temp.problem('"Ä b"."Tägliche ""Post"" %s"'), 'none', 'a partitioned table is served');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgfoid = 'notify_bridge.ring()'::regprocedure AND tgenabled = 'A'
  AND tgrelid IN (SELECT relid FROM pg_partition_tree('"Ä b"."Tägliche ""Post"" %s"'))), 5::bigint, 'every table of it rings');
CREATE TABLE "Ä b".spät PARTITION OF "Ä b"."Tägliche ""Post"" %s" FOR VALUES FROM ('2050-01-01') TO ('2051-01-01');
SELECT results_eq($$ SELECT what FROM notify_bridge.attach('"Ä b"."Tägliche ""Post"" %s"') WHERE step = 'did' $$,
  $$ VALUES ('added trigger notify_bridge_ring: wakes the bridge, once for each INSERT statement') $$, 'a later partition lacks nothing but its trigger');
INSERT INTO "Ä b"."Tägliche ""Post"" %s" ("Für", "Inhalt", am) SELECT 'x', n, '2019-01-01'::timestamptz + n * interval '1 year' FROM generate_series(1, 9) AS n;
UPDATE "Ä b"."Tägliche ""Post"" %s" SET sent_at = now(), txid = '5';
SELECT is(notify_bridge.resend('"Ä b"."Tägliche ""Post"" %s"', ARRAY(SELECT "Id" FROM "Ä b"."Tägliche ""Post"" %s" LIMIT 3)), 3::bigint, 'rows are sent again');
SELECT is((SELECT count(*) FROM "Ä b"."Tägliche ""Post"" %s" WHERE sent_at IS NULL AND txid = pg_current_xact_id()), 3::bigint, 'each of them');
UPDATE "Ä b"."Tägliche ""Post"" %s" SET txid = '9000000000' WHERE sent_at IS NULL;
SELECT is(notify_bridge.repair_txids(), 3::bigint, 'ids from the future are repaired');
SELECT lives_ok($$ SELECT notify_bridge.detach('"Ä b"."Tägliche ""Post"" %s"') $$, 'detach');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgfoid = 'notify_bridge.ring()'::regprocedure
  AND tgrelid <> 'notify_bridge.revocation'::regclass), 1::bigint, 'takes all triggers away');
SELECT is(pg_temp.columns('"Ä b".spät'), 'Id,Für,Inhalt,am', 'and all columns');

-- A table that was dropped.
CREATE TABLE public.dropped (id smallint PRIMARY KEY, user_id bigint, data jsonb);
SELECT lives_ok($$ SELECT notify_bridge.attach('public.dropped') $$, 'a table');
CREATE TEMPORARY TABLE was AS SELECT 'public.dropped'::regclass::oid AS number;
DROP TABLE public.dropped;
SELECT is((SELECT problem FROM notify_bridge.served WHERE name IS NULL), 'the table was dropped: it was public.dropped', 'that was dropped is a problem');
SELECT results_eq('SELECT what FROM was, notify_bridge.detach(was.number::regclass)', $$ VALUES ('public.dropped is no longer served') $$, 'until it is detached');
SELECT is((SELECT count(*) FROM notify_bridge.source), 1::bigint, 'then it is forgotten');

-- Our own table may be looked at again.
ALTER TABLE public.notification ALTER user_id TYPE text;
SELECT is(pg_temp.problem('public.notification'), 'column user_id is text now: attach the table again', 'our own table changed');
SELECT is_empty($$ SELECT step FROM notify_bridge.attach('public.notification') WHERE step = 'did' AND what LIKE 'added%' $$, 'attaching adds nothing to it');
SELECT is(pg_temp.problem('public.notification'), 'none', 'but sees what it is now');
SELECT is((SELECT (is_own, recipient_kind, added - 'name')::text FROM notify_bridge.source), '(t,text,"{""columns"": []}")', 'and it is ours as before');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.notification', retention_days => 3) $$, '22023', NULL, 'its retention is a setting');

-- A time without a zone is read in a zone that the mapping names.
CREATE TABLE public.clock (id integer PRIMARY KEY, user_id integer, data jsonb, created timestamp);
SELECT set_config('TimeZone', 'Asia/Tokyo', true);
SELECT is((SELECT created_zone FROM notify_bridge.attach_plan('public.clock')), (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'),
  'it is that of the database, whatever the session says');
SELECT lives_ok($$ SELECT notify_bridge.attach('public.clock', created_zone => 'America/New_York', retention_days => 1) $$, 'or the given one');
SELECT is((SELECT created_column || ' ' || created_zone FROM notify_bridge.served WHERE relation = 'public.clock'::regclass),
  'created America/New_York', 'which is recorded');
SELECT lives_ok($$ SELECT notify_bridge.attach('public.clock') $$, 'attaching again');
SELECT is((SELECT created_zone FROM notify_bridge.source WHERE relation = 'public.clock'::regclass), 'America/New_York', 'keeps it');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.clock', created_zone => 'Nowhere') $$, '22023', NULL, 'there is no such zone');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.notification', created_zone => 'UTC') $$, '22023', NULL, 'a timestamptz needs none');
INSERT INTO public.clock (id, user_id, created, sent_at)
SELECT n, 1, (now() - make_interval(hours => n)) AT TIME ZONE 'America/New_York', now() FROM unnest('{23,25}'::integer[]) AS n;
SELECT is(notify_bridge.purge(0), 1::bigint, 'retention counts the hours of that zone');
SELECT results_eq('SELECT id FROM public.clock', ARRAY[23], 'and keeps what is younger');
ALTER TABLE public.clock ALTER created TYPE timestamptz;
SELECT is(pg_temp.problem('public.clock'), 'column created is timestamp with time zone now: attach the table again', 'a column that gets a zone is noticed');

SELECT * FROM finish();
ROLLBACK;
