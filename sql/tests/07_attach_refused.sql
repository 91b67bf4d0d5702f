BEGIN;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
GRANT USAGE ON FOREIGN SERVER nowhere TO notify_bridge_owner;
CREATE TABLE public.theirs (id integer PRIMARY KEY, user_id integer, data jsonb);
GRANT USAGE ON SCHEMA tap TO notify_bridge_owner;
SET LOCAL ROLE notify_bridge_owner;
SELECT plan(52);

CREATE TABLE public.members (id integer PRIMARY KEY);
CREATE TABLE public.good (id integer PRIMARY KEY, user_id integer, data jsonb, note text, made timestamp, day date);

-- What is no table of rows that somebody inserts.
CREATE TEMPORARY TABLE temporary (id integer PRIMARY KEY, user_id integer, data jsonb);
CREATE VIEW public.seen AS SELECT * FROM public.good;
CREATE MATERIALIZED VIEW public.kept AS SELECT * FROM public.good;
CREATE FOREIGN TABLE public.far (id integer, user_id integer, data jsonb) SERVER nowhere;
CREATE TABLE public.parent (id integer PRIMARY KEY, user_id integer, data jsonb);
CREATE TABLE public.child (PRIMARY KEY (id)) INHERITS (public.parent);
CREATE TABLE public.whole (id integer NOT NULL, user_id integer, data jsonb) PARTITION BY RANGE (id);
CREATE TABLE public.part PARTITION OF public.whole DEFAULT;
SELECT throws_ok(format('SELECT notify_bridge.attach(%L)', name), '42809', format('%s %s', shown, why), format('%s is refused', name))
FROM (VALUES
  ('pg_temp.temporary', 'temporary', 'is temporary: no other session sees its rows'),
  ('public.seen', 'public.seen', 'is not a table: attach the one that rows are inserted into'),
  ('public.kept', 'public.kept', 'is not a table: attach the one that rows are inserted into'),
  ('public.far', 'public.far', 'is not a table: attach the one that rows are inserted into'),
  ('public.child', 'public.child', 'inherits from another table, or another one from it: only declarative partitions can be served'),
  ('public.parent', 'public.parent', 'inherits from another table, or another one from it: only declarative partitions can be served'),
  ('public.part', 'public.part', 'is a partition: attach public.whole'),
  ('pg_catalog.pg_class', 'pg_class', 'belongs to PostgreSQL'),
  ('notify_bridge.source', 'notify_bridge.source', 'belongs to notify-bridge')) AS t (name, shown, why);
ALTER TABLE public.whole DETACH PARTITION public.part;
CREATE FOREIGN TABLE public.far_part PARTITION OF public.whole DEFAULT SERVER nowhere;
SELECT throws_ok($$ SELECT notify_bridge.attach('public.whole') $$, '42809', 'partition public.far_part is a foreign table', 'a foreign partition is refused');
SELECT throws_ok('SELECT notify_bridge.attach(999999999)', '42809', '999999999 does not exist', 'so is a number that names no table');

-- Rights.
SELECT throws_ok($$ SELECT notify_bridge.attach('public.theirs') $$, '42501', 'public.theirs belongs to postgres, and notify_bridge_owner may not change it', 'a table of somebody else');
RESET ROLE;
SELECT throws_ok($$ SELECT notify_bridge.attach('public.theirs') $$, '42501', 'notify_bridge_owner, which schema notify_bridge belongs to, may not change public.theirs',
  'a table that the owner of the schema may not change');
REVOKE CREATE ON SCHEMA public FROM notify_bridge_owner;
SET LOCAL ROLE notify_bridge_owner;
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good') $$, '42501', 'notify_bridge_owner may not create indexes in schema public', 'a schema that is closed');
RESET ROLE;
GRANT CREATE ON SCHEMA public TO notify_bridge_owner;
SET LOCAL ROLE notify_bridge_owner;

-- Columns that can't be what they are said to be.
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good', 'usr') $$, '42703', 'public.good has no column usr', 'a column that is not there');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good', 'data') $$, '42804', NULL, 'a recipient that is no key');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good', id => 'made') $$, '42804', NULL, 'an id that is no key');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good', id => 'user_id') $$, '55000', NULL, 'an id that names no row');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good', sent => 'note') $$, '42804', 'column note of public.good is text, which can''t be its sent', 'a mark that is no boolean');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good', read => 'nope') $$, '42703', NULL, 'a mark that is not there');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good', created => 'day') $$, '42804', NULL, 'a day is no time');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good', retention_days => 3) $$, '55000', NULL, 'a retention that goes by nothing');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good', retention_days => -3) $$, '22023', NULL, 'a retention below nothing');
ALTER TABLE public.good ADD generated boolean GENERATED ALWAYS AS (id > 3) STORED, ADD always timestamptz NOT NULL DEFAULT now();
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good', sent => 'generated') $$, '42804', NULL, 'a mark that is generated');
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good', sent => 'always') $$, '42804', NULL, 'a time of sending that is always set');
ALTER TABLE public.good DROP generated, DROP always;

-- Options that can't be inferred.
ALTER TABLE public.good ADD actor_id integer REFERENCES public.members;
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good') $$, '42P08',
  'the recipient of public.good can''t be inferred: it may be actor_id or user_id', 'two columns that may be the recipient');
ALTER TABLE public.good RENAME user_id TO other;
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good') $$, '42P08', NULL, 'one that is rather who wrote it');
ALTER TABLE public.good DROP actor_id;
ALTER TABLE public.good RENAME other TO user_id;
ALTER TABLE public.good ADD more jsonb;
ALTER TABLE public.good RENAME data TO first;
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good') $$, '42P08', NULL, 'two columns that may be the payload');
ALTER TABLE public.good DROP more;
ALTER TABLE public.good RENAME first TO data;

-- Payloads.
SELECT throws_like(format('SELECT notify_bridge.attach(''public.good'', payload => %L)', payload), 'the payload can''t be used: ' || why, format('%s is refused', payload))
FROM (VALUES
  ('nope', 'column "nope" does not exist'), ('sum(id)', 'aggregate functions are not allowed in WHERE'),
  ('row_number() OVER ()', 'window functions are not allowed in WHERE'), ('generate_series(1, id)', 'set-returning functions are not allowed in WHERE'),
  ('data), (note', 'it is more than one expression'), ('data FROM public.good; DROP TABLE public.good; --', 'syntax error%'),
  ('data) AS data FROM public.good AS n; DROP TABLE public.members; CREATE VIEW public.v AS SELECT (data', 'syntax error%'),
  ('data /* never ends', 'unterminated /* comment%'), ('$1', 'there is no parameter $1'), ('own(id)', 'function own(integer) does not exist')) AS t (payload, why);
INSERT INTO public.good (id, note) VALUES (1, 'no number');
SELECT throws_like($$ SELECT notify_bridge.attach('public.good', payload => 'note::integer') $$, 'the payload can''t be used: invalid input syntax%',
  'an expression that fails for a row that is there');
SELECT ok(to_regclass('public.members') IS NOT NULL, 'nothing else was run');

-- Texts that are equal for PostgreSQL and not for the bridge. Not every server has ICU, whose collations may be such.
CREATE COLLATION public.loose FROM "C";
RESET ROLE;
UPDATE pg_collation SET collisdeterministic = false WHERE oid = 'public.loose'::regcollation;
SET LOCAL ROLE notify_bridge_owner;
CREATE TABLE public.loosely (id text COLLATE public.loose PRIMARY KEY, user_id text, data jsonb);
SELECT throws_ok($$ SELECT notify_bridge.attach('public.loosely') $$, '42804',
  'column id of public.loosely has the nondeterministic collation public.loose, for which different texts are equal', 'a loose collation of ids');
ALTER TABLE public.loosely ALTER id TYPE text COLLATE "C", ALTER user_id TYPE varchar COLLATE public.loose;
SELECT throws_ok($$ SELECT notify_bridge.attach('public.loosely') $$, '42804', NULL, 'or of recipients');
ALTER TABLE public.loosely ALTER user_id TYPE varchar COLLATE "C";
SELECT lives_ok($$ SELECT notify_bridge.attach('public.loosely') $$, 'another one is served');
ALTER TABLE public.loosely ALTER user_id TYPE varchar COLLATE public.loose;
SELECT is((SELECT problem FROM notify_bridge.served WHERE relation = 'public.loosely'::regclass),
  'column user_id has the nondeterministic collation public.loose now', 'until it is given one');

-- Rows that policies hide from the bridge.
RESET ROLE;
CREATE ROLE hidden; CREATE ROLE seeing BYPASSRLS; SELECT notify_bridge.grant_to('hidden'), notify_bridge.grant_to('seeing');
SET LOCAL ROLE notify_bridge_owner;
CREATE TABLE public.guarded (id integer PRIMARY KEY, user_id integer, data jsonb);
ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.guarded USING (user_id = 1);
SELECT throws_matching($$ SELECT notify_bridge.attach('public.guarded') $$, 'row-level security of public.guarded hides rows from (hidden|notify_bridge), which would never be delivered', 'a policy');
CREATE POLICY bridge ON public.guarded FOR SELECT TO hidden, notify_bridge USING (true);
SELECT throws_matching($$ SELECT notify_bridge.attach('public.guarded') $$, 'hides rows from', 'one that shows all rows and lets none be marked');
CREATE POLICY marks ON public.guarded FOR UPDATE TO hidden, notify_bridge USING (true);
SELECT lives_ok($$ SELECT notify_bridge.attach('public.guarded') $$, 'both are enough');
CREATE POLICY narrow ON public.guarded AS RESTRICTIVE TO hidden USING (user_id > 0);
SELECT throws_matching($$ SELECT notify_bridge.attach('public.guarded') $$, 'hides rows from hidden', 'unless a restrictive one narrows them');

-- Triggers that copy whole rows.
CREATE TABLE public.history (LIKE public.good);
CREATE FUNCTION public.remember() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.history SELECT NEW.*; RETURN NEW; END $$;
CREATE TRIGGER remember AFTER INSERT ON public.good FOR EACH ROW EXECUTE FUNCTION public.remember();
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good') $$, '55000',
  'trigger remember of public.good copies whole rows, and would fail once the table has a column more', 'a history by NEW.* stops it');
CREATE FUNCTION public.remember_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.history SELECT * FROM fresh; RETURN NULL; END $$;
DROP TRIGGER remember ON public.good;
CREATE TRIGGER remember AFTER INSERT ON public.good REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION public.remember_all();
SELECT throws_ok($$ SELECT notify_bridge.attach('public.good') $$, '55000', NULL, 'so does one by a transition table');
SELECT is((SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.good'::regclass AND attname = 'txid' AND NOT attisdropped), 0::bigint, 'nothing was added');
SELECT lives_ok($$ SELECT notify_bridge.attach('public.good', force => true) $$, 'unless it is forced');

SELECT * FROM finish();
ROLLBACK;
