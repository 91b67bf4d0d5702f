BEGIN;
SELECT plan(75);

-- Tickets.
CREATE TEMPORARY TABLE made AS
SELECT notify_bridge.issue_ticket(42) AS of_integer, notify_bridge.issue_ticket('forty-two') AS of_literal,
  notify_bridge.issue_ticket('42'::varchar) AS of_varchar,
  notify_bridge.issue_ticket('11111111-2222-3333-4444-555555555555'::uuid) AS of_uuid;
SELECT matches(of_integer, '^nbt_[A-Za-z0-9_-]{43}$', 'a ticket can stand in a URL') FROM made;
SELECT isnt(of_integer, of_varchar, 'and each is another one') FROM made;
SELECT set_eq('SELECT user_id FROM notify_bridge.ticket',
  ARRAY['42', 'forty-two', '42', '11111111-2222-3333-4444-555555555555'], 'users of any kind are text');
SELECT is_empty('SELECT FROM notify_bridge.ticket, made WHERE encode(hash, ''escape'') LIKE ''%nbt_%'' OR user_id LIKE ''nbt_%''',
  'the ticket itself is not kept');
SELECT is((SELECT max(expires_at) <= clock_timestamp() + interval '30 seconds'
  AND min(expires_at) > clock_timestamp() + interval '20 seconds' FROM notify_bridge.ticket), true, 'it lasts 30 seconds');
SELECT throws_ok('SELECT notify_bridge.issue_ticket(NULL::bigint)', '22023', NULL, 'nobody gets none');
SELECT throws_ok($$ SELECT notify_bridge.issue_ticket('') $$, '22023', NULL, 'nor does the empty id');
SELECT throws_ok($$ SELECT notify_bridge.issue_ticket(repeat('ä', 65)) $$, '22023', NULL, 'nor one that no bridge takes');

CREATE FUNCTION pg_temp.ask(kind text, value text, user_table text DEFAULT NULL)
RETURNS TABLE (user_id text, secret text, is_active boolean, is_expired boolean) LANGUAGE sql AS $$
  SELECT l.user_id, l.secret, l.is_active, l.is_expired
  FROM notify_bridge.lookup_credentials(jsonb_build_array(jsonb_build_object('place', 7, 'kind', $1, 'value', $2)), $3) AS l WHERE l.place = 7
$$;
CREATE FUNCTION pg_temp.hash(text) RETURNS text LANGUAGE sql AS $$ SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex') $$;

SELECT results_eq($$ SELECT user_id, is_expired FROM made, pg_temp.ask('ticket', pg_temp.hash(of_integer)) $$,
  $$ VALUES ('42', false) $$, 'a ticket is good');
SELECT is_empty($$ SELECT FROM made, pg_temp.ask('ticket', pg_temp.hash(of_integer)) $$, 'once');
UPDATE notify_bridge.ticket SET expires_at = now() - interval '1 second' WHERE user_id = 'forty-two';
SELECT results_eq($$ SELECT user_id, is_expired FROM made, pg_temp.ask('ticket', pg_temp.hash(of_literal)) $$,
  $$ VALUES ('forty-two', true) $$, 'one that has expired is known as such');
SELECT results_eq($$
  SELECT l.place, l.user_id FROM made, notify_bridge.lookup_credentials(jsonb_build_array(
    jsonb_build_object('place', 2, 'kind', 'ticket', 'value', pg_temp.hash(of_uuid)),
    jsonb_build_object('place', 1, 'kind', 'ticket', 'value', pg_temp.hash(of_uuid)),
    jsonb_build_object('place', 3, 'kind', 'ticket', 'value', pg_temp.hash('nbt_x')))) AS l
$$, $$ VALUES (1, '11111111-2222-3333-4444-555555555555') $$, 'of two that bring it at once, one gets in');
CREATE TEMPORARY TABLE issued AS SELECT secret FROM pg_temp.ask('issue', '9');
SELECT is(t.user_id, '9', 'a bridge can issue one too') FROM issued AS i JOIN notify_bridge.ticket AS t ON t.hash = sha256(convert_to(i.secret, 'UTF8'));

-- Disconnecting.
SELECT notify_bridge.disconnect_user(42), notify_bridge.disconnect_user('me'),
  notify_bridge.disconnect_user('11111111-2222-3333-4444-555555555555'::uuid), notify_bridge.disconnect_user(NULL::integer);
SELECT set_eq('SELECT user_id, kind, credential, reason FROM notify_bridge.revocation',
  $$ VALUES ('42', 'user', NULL::text, 'revoked'), ('me', 'user', NULL, 'revoked'),
    ('11111111-2222-3333-4444-555555555555', 'user', NULL, 'revoked') $$, 'a user is disconnected, NULL is nobody');
SELECT results_eq($$ SELECT DISTINCT txid = pg_current_xact_id() FROM notify_bridge.revocation $$, $$ VALUES (true) $$,
  'by this transaction');
SELECT throws_ok($$ INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('1', 'session', 'revoked') $$,
  '23514', NULL, 'a session needs its hash');
SELECT throws_ok($$ INSERT INTO notify_bridge.revocation (user_id, kind, credential, reason) VALUES ('1', 'sessions', 'x', 'revoked') $$,
  '23514', NULL, 'all sessions have none');

-- The tables, as Django makes them.
SELECT results_eq('SELECT kind, problem FROM notify_bridge.login_tables()',
  $$ VALUES ('session', 'there is no table django_session'), ('token', 'there is no table authtoken_token'),
    ('user', 'there is no table auth_user') $$, 'what is missing is named');
SELECT is_empty($$ SELECT FROM pg_temp.ask('session', 'sleeping') $$, 'without their table there are no sessions but in cookies');
SELECT throws_ok($$ SELECT FROM pg_temp.ask('token', 'key1') $$, '42P01', 'there is no table authtoken_token', 'but tokens need theirs');
SELECT throws_ok('SELECT notify_bridge.attach_logins()', '42P01', 'there is no table auth_user', 'and not attached');
CREATE TABLE public.auth_user (id serial PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamptz,
  username varchar(150) NOT NULL, is_active boolean NOT NULL);
CREATE TABLE public.django_session (session_key varchar(40) PRIMARY KEY, session_data text NOT NULL, expire_date timestamptz NOT NULL);
CREATE TABLE public.authtoken_token (key varchar(40) PRIMARY KEY, created timestamptz NOT NULL DEFAULT now(),
  user_id integer NOT NULL UNIQUE REFERENCES public.auth_user (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE public."Odd ""users" (uid uuid PRIMARY KEY, password text);
SELECT results_eq('SELECT kind, relation::text COLLATE "default", is_attached, key_column::text COLLATE "default", key_kind, has_active, problem FROM notify_bridge.login_tables()', $$ VALUES
  ('session', 'public.django_session', false, 'session_key', 'text', NULL::boolean, NULL::text),
  ('token', 'public.authtoken_token', false, 'key', 'text', NULL, NULL),
  ('user', 'public.auth_user', false, 'id', 'integer', true, NULL) $$, 'Django''s tables are found');
SELECT results_eq($$ SELECT relation::text COLLATE "default", key_column::text COLLATE "default", key_kind, has_active, problem FROM notify_bridge.login_tables('Odd "users') WHERE kind = 'user' $$,
  $$ VALUES ('public."Odd ""users"', 'uid', 'uuid', false, NULL::text) $$, 'and another table of users, by its name');
SELECT is((SELECT relation::text COLLATE "default" FROM notify_bridge.login_tables('public."Odd ""users"') WHERE kind = 'user'),
  'public."Odd ""users"', 'or schema and name');
SELECT is((SELECT problem FROM notify_bridge.login_tables('nonsense') WHERE kind = 'user'), 'there is no table nonsense',
  'a wrong name is a problem');
SELECT is((SELECT problem FROM notify_bridge.login_tables('public.django_session') WHERE kind = 'user'),
  'public.django_session has no column password', 'so is a table of something else');
CREATE SCHEMA app;
CREATE TABLE app.member (id bigint PRIMARY KEY, password text, is_active boolean);
CREATE TABLE app.profile (id bigint PRIMARY KEY);
ALTER TABLE public.notification ADD CONSTRAINT to_profile FOREIGN KEY (user_id) REFERENCES app.profile (id) NOT VALID;
SELECT is((SELECT relation::text COLLATE "default" FROM notify_bridge.login_tables() WHERE kind = 'user'), 'public.auth_user',
  'a recipient that refers to no user says nothing');
ALTER TABLE public.notification ADD CONSTRAINT to_member FOREIGN KEY (user_id) REFERENCES app.member (id) NOT VALID;
SELECT is((SELECT relation::text COLLATE "default" FROM notify_bridge.login_tables() WHERE kind = 'user'), 'app.member',
  'one that refers to users names them');
ALTER TABLE public.notification DROP CONSTRAINT to_member, DROP CONSTRAINT to_profile;

-- Looking up.
INSERT INTO public.auth_user (id, password, username, is_active) VALUES
  (1, 'pw1', 'one', true), (2, 'pw2', 'two', false), (3, 'pw3', 'three', true), (4, 'pw4', 'four', true), (5, 'pw5', 'five', true);
INSERT INTO public.django_session VALUES
  ('sleeping', 'data1', now() + interval '1 day'), ('expired', 'data2', now() - interval '1 second'),
  ('long', repeat('x', 1048577), now() + interval '1 day'), ('ancient', 'data3', now() - interval '2 hours');
INSERT INTO public.authtoken_token (key, user_id) VALUES ('key1', 1), ('key2', 2), ('key3', 3), ('key4', 4);
SELECT results_eq($$ SELECT * FROM pg_temp.ask('session', 'sleeping') $$, $$ VALUES (NULL::text, 'data1', true, false) $$, 'a session');
SELECT results_eq($$ SELECT is_expired FROM pg_temp.ask('session', 'expired') $$, $$ VALUES (true) $$, 'one that has expired');
SELECT results_eq($$ SELECT secret FROM pg_temp.ask('session', 'long') $$, $$ VALUES (NULL::text) $$, 'one too long to be read');
SELECT is_empty($$ SELECT FROM pg_temp.ask('session', 'key1') $$, 'and one that is none');
SELECT results_eq($$ SELECT user_id, is_active FROM pg_temp.ask('token', 'key1') $$, $$ VALUES ('1', true) $$, 'a token');
SELECT results_eq($$ SELECT user_id, is_active FROM pg_temp.ask('token', 'key2') $$, $$ VALUES ('2', false) $$, 'one of an inactive user');
SELECT is_empty($$ SELECT FROM pg_temp.ask('token', 'sleeping') $$, 'and one that is none');
SELECT results_eq($$ SELECT user_id, secret, is_active FROM pg_temp.ask('user', '1') $$, $$ VALUES ('1', 'pw1', true) $$, 'a user');
SELECT is_empty(format($$ SELECT FROM pg_temp.ask('user', %L) $$, id), format('"%s" is nobody', id))
FROM unnest(ARRAY['99', '01', '1 ', 'x', '', '9999999999999999999', '99999999999999999999', '1e0']) AS id;
INSERT INTO public."Odd ""users" VALUES ('11111111-2222-3333-4444-55555555555a', 'pw');
SELECT results_eq($$ SELECT user_id, secret, is_active FROM pg_temp.ask('user', '11111111-2222-3333-4444-55555555555a', 'Odd "users') $$,
  $$ VALUES ('11111111-2222-3333-4444-55555555555a', 'pw', true) $$, 'a uuid; without is_active all are active');
SELECT results_eq(format($$ SELECT user_id, secret, is_active FROM pg_temp.ask('user', %L, 'Odd "users') $$, id),
  $$ VALUES ('11111111-2222-3333-4444-55555555555a', 'pw', true) $$, format('"%s" is the same uuid', id))
FROM unnest(ARRAY['11111111-2222-3333-4444-55555555555A', '1111111122223333444455555555555a']) AS id;
SELECT is_empty($$ SELECT FROM pg_temp.ask('user', '{11111111-2222-3333-4444-55555555555a}', 'Odd "users') $$, 'braces are none');
SELECT results_eq($$ SELECT user_id, secret, is_active FROM pg_temp.ask('active', '2') $$, $$ VALUES ('2', NULL::text, true) $$,
  'without attached logins nobody is inactive');

CREATE FUNCTION pg_temp.ask_all() RETURNS TABLE (place integer, answer text) LANGUAGE sql AS $$
  SELECT l.place, concat_ws(' ', l.user_id, left(l.secret, 4), l.is_active)
  FROM notify_bridge.lookup_credentials(jsonb_build_array(
    jsonb_build_object('place', 0, 'kind', 'user', 'value', '2'), jsonb_build_object('place', 1, 'kind', 'active', 'value', '2'),
    jsonb_build_object('place', 2, 'kind', 'token', 'value', 'key1'), jsonb_build_object('place', 3, 'kind', 'session', 'value', 'expired'),
    jsonb_build_object('place', 4, 'kind', 'issue', 'value', '2'), jsonb_build_object('place', 5, 'kind', 'ticket', 'value', '02'),
    jsonb_build_object('place', 6, 'kind', 'unheard-of', 'value', '2'))) AS l ORDER BY l.place, 2
$$;
SELECT results_eq('SELECT * FROM pg_temp.ask_all()',
  $$ VALUES (0, '2 pw2 f'), (1, '2 t'), (2, '1 t'), (3, 'data t'), (4, '2 nbt_ t') $$, 'all kinds at once');

-- Attaching.
SET CONSTRAINTS ALL IMMEDIATE;
TRUNCATE notify_bridge.revocation;
SELECT set_eq('SELECT notify_bridge.attach_logins()', $$ VALUES ('public.auth_user: triggers notify_bridge_revoke_...'),
  ('public.django_session: triggers notify_bridge_revoke_...'), ('public.authtoken_token: triggers notify_bridge_revoke_...') $$,
  'logins are attached');
SELECT lives_ok('SELECT notify_bridge.attach_logins()', 'it can be repeated');
SELECT results_eq($$ SELECT tgrelid::regclass::text COLLATE "default", tgname::text COLLATE "default" FROM pg_trigger
  WHERE tgname ~ '^notify_bridge_revoke' AND tgenabled = 'A' ORDER BY 1, 2 $$, $$ VALUES
  ('public.auth_user', 'notify_bridge_revoke_delete'), ('public.auth_user', 'notify_bridge_revoke_truncate'),
  ('public.auth_user', 'notify_bridge_revoke_update'),
  ('public.authtoken_token', 'notify_bridge_revoke_delete'), ('public.authtoken_token', 'notify_bridge_revoke_truncate'),
  ('public.authtoken_token', 'notify_bridge_revoke_update'),
  ('public.django_session', 'notify_bridge_revoke_delete'), ('public.django_session', 'notify_bridge_revoke_truncate') $$,
  'the triggers are always on');
SELECT results_eq($$ SELECT user_id, secret, is_active FROM pg_temp.ask('active', '2') $$, $$ VALUES ('2', NULL::text, false) $$,
  'now an inactive user is known');
SELECT is_empty($$ SELECT FROM pg_temp.ask('active', '99') $$, 'and a deleted one');
SELECT results_eq('SELECT * FROM pg_temp.ask_all()',
  $$ VALUES (0, '2 pw2 f'), (1, '2 f'), (2, '1 t'), (3, 'data t'), (4, '2 nbt_ t') $$, 'all kinds at once, attached');

CREATE FUNCTION pg_temp.revoked(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM notify_bridge.revocation;
  EXECUTE statement;
  RETURN QUERY SELECT concat_ws(' ', nullif(r.user_id, ''), r.kind, r.credential, r.reason) FROM notify_bridge.revocation AS r ORDER BY r.id;
END
$$;
SELECT is_empty($$ SELECT pg_temp.revoked('UPDATE public.auth_user SET last_login = now(), username = username || ''!''') $$, 'a login ends nothing');
SELECT is_empty($$ SELECT pg_temp.revoked('UPDATE public.auth_user SET is_active = true WHERE id = 2') $$, 'nor does being let in again');
SELECT results_eq($$ SELECT pg_temp.revoked('UPDATE public.auth_user SET is_active = id <> 3, last_login = now()') $$,
  ARRAY['3 user inactive'], 'a deactivated user loses all');
SELECT results_eq($$ SELECT pg_temp.revoked('UPDATE public.auth_user SET password = password || id WHERE id IN (1, 4)') $$,
  ARRAY['1 sessions revoked', '4 sessions revoked'], 'a changed password ends sessions');
SELECT results_eq($$ SELECT pg_temp.revoked('UPDATE public.auth_user SET password = ''x'', is_active = false WHERE id = 5') $$,
  ARRAY['5 user inactive'], 'both at once are one');
SELECT results_eq($$ SELECT pg_temp.revoked('UPDATE public.auth_user SET id = 6 WHERE id = 5') $$, ARRAY['5 user revoked'], 'another id is another user');
SELECT results_eq($$ SELECT pg_temp.revoked('DELETE FROM public.auth_user WHERE id = 6') $$, ARRAY['6 user revoked'], 'a deleted user loses all');
SELECT is_empty($$ SELECT pg_temp.revoked('DELETE FROM public.auth_user WHERE id = 99') $$, 'where none is deleted, none is told');
SELECT is_empty($$ SELECT pg_temp.revoked('UPDATE public.django_session SET session_data = ''other''') $$, 'a saved session goes on');
SELECT results_eq($$ SELECT pg_temp.revoked('DELETE FROM public.django_session WHERE session_key IN (''sleeping'', ''ancient'')') $$,
  ARRAY['session ' || pg_temp.hash('sleeping') || ' revoked'], 'a deleted one ends, what expired long ago has');
SELECT results_eq($$ SELECT pg_temp.revoked('DELETE FROM public.authtoken_token WHERE user_id = 1') $$,
  ARRAY['token ' || pg_temp.hash('key1') || ' revoked'], 'a deleted token');
SELECT results_eq($$ SELECT pg_temp.revoked('UPDATE public.authtoken_token SET key = ''new'', created = now() WHERE user_id = 2') $$,
  ARRAY['token ' || pg_temp.hash('key2') || ' revoked'], 'a replaced one');
SELECT is_empty($$ SELECT pg_temp.revoked('UPDATE public.authtoken_token SET created = now()') $$, 'a kept one goes on');
SELECT results_eq($$ SELECT pg_temp.revoked('TRUNCATE public.auth_user, public.django_session, public.authtoken_token') $$,
  ARRAY['user revoked', 'sessions revoked', 'tokens revoked'], 'emptied tables end it for all');

-- What the backend's migrations do afterwards.
ALTER TABLE public.auth_user ALTER COLUMN password TYPE text, ALTER COLUMN is_active TYPE boolean USING true, ALTER COLUMN id TYPE bigint;
ALTER TABLE public.auth_user RENAME COLUMN password TO secret;
ALTER TABLE public.auth_user DROP COLUMN is_active;
INSERT INTO public.auth_user (id, secret, username) VALUES (8, 'x', 'eight');
SELECT lives_ok($$ UPDATE public.auth_user SET secret = 'y'; DELETE FROM public.auth_user $$, 'altered columns break no write');
SELECT lives_ok('SELECT notify_bridge.detach_logins()', 'logins are detached');
SELECT is_empty($$ SELECT FROM pg_trigger WHERE tgname ~ '^notify_bridge_revoke' $$, 'no trigger is left');
SELECT is_empty('SELECT FROM notify_bridge.login', 'nor the record of them');

-- Cleaning.
INSERT INTO notify_bridge.revocation (user_id, kind, reason, created_at) VALUES ('old', 'user', 'revoked', now() - interval '61 minutes'),
  ('new', 'user', 'revoked', now() - interval '59 minutes');
INSERT INTO notify_bridge.ticket VALUES ('old', '1', now() - interval '2 minutes'), ('new', '1', now());
SELECT notify_bridge.clean_logins();
SELECT set_eq($$ SELECT user_id FROM notify_bridge.revocation WHERE user_id IN ('old', 'new')
  UNION ALL SELECT encode(hash, 'escape') FROM notify_bridge.ticket WHERE length(hash) < 10 $$, ARRAY['new', 'new'], 'what is old goes');

SELECT * FROM finish();
ROLLBACK;
