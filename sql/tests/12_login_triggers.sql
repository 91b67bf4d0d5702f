-- The triggers on Django's tables never raise, whatever a backend does to the tables; and attach_logins refuses other ones.
BEGIN;
SELECT plan(45);
SET LOCAL client_min_messages = error;
CREATE TABLE public.auth_user (id integer PRIMARY KEY, password varchar(128), username text, last_login timestamptz, is_active boolean);
CREATE TABLE public.django_session (session_key varchar(40) PRIMARY KEY, session_data text, expire_date timestamptz);
CREATE TABLE public.authtoken_token (key varchar(40) PRIMARY KEY, created timestamptz, user_id integer);
INSERT INTO public.auth_user SELECT n, 'pw', 'user ' || n, now(), true FROM generate_series(1, 3) AS n;
INSERT INTO public.django_session SELECT 's' || n, 'data', now() + interval '1 day' FROM generate_series(1, 2) AS n;
INSERT INTO public.authtoken_token SELECT 'k' || n, now(), n FROM generate_series(1, 2) AS n;

-- Tables that attach_logins refuses, by what they lack.
CREATE VIEW public.seen AS SELECT * FROM public.django_session;
CREATE TABLE public.odd_session (session_key uuid PRIMARY KEY, session_data text, expire_date timestamptz);
CREATE TABLE public.odd_token (key text PRIMARY KEY, user_id uuid);
CREATE TABLE public.odd_user (id integer PRIMARY KEY, password text, is_active integer);
SELECT throws_ok(format('SELECT notify_bridge.attach_logins(%s)', argument), '42P01', message, argument) FROM (VALUES
  ('token_table => ''public.auth_user''', 'public.auth_user has no column key'),
  ('token_table => ''public.odd_token''', 'column user_id of public.odd_token is uuid, not an integer as the key of users'),
  ('token_table => ''pg_catalog.pg_class''', 'pg_class has no column key'),
  ('session_table => ''public.authtoken_token''', 'public.authtoken_token has no column session_key'),
  ('session_table => ''public.odd_session''', 'column session_key of public.odd_session is uuid, not text'),
  ('session_table => ''public.seen''', 'public.seen is not a table of a backend'),
  ('''public.odd_user''', 'column is_active of public.odd_user is integer, not boolean')) AS t (argument, message);
SELECT is_empty('SELECT FROM notify_bridge.login', 'none of them was attached');
SELECT is((SELECT count(*) FROM notify_bridge.attach_logins()), 3::bigint, 'Django''s tables are');

DROP VIEW public.seen;

-- Changes something, runs a statement of the backend, and undoes both. Returns the ended access, or the error.
CREATE FUNCTION pg_temp.after(change text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  ended text;
BEGIN
  EXECUTE change;
  IF to_regclass('notify_bridge.revocation') IS NOT NULL THEN
    DELETE FROM notify_bridge.revocation;
  END IF;
  EXECUTE statement;
  ended := '';
  BEGIN
    SELECT coalesce(string_agg(concat_ws(' ', nullif(r.user_id, ''), r.kind,
      (SELECT v FROM unnest('{s1,s2,k1,k2}'::text[]) AS v WHERE encode(sha256(v::bytea), 'hex') = r.credential), r.reason), ', ' ORDER BY r.id), '')
    INTO ended FROM notify_bridge.revocation AS r;
  EXCEPTION WHEN OTHERS THEN
    NULL;
  END;
  RAISE SQLSTATE 'UNDO1';
EXCEPTION WHEN SQLSTATE 'UNDO1' THEN
  RETURN ended;
WHEN OTHERS THEN
  RETURN format('raised %s: %s', SQLSTATE, SQLERRM);
END
$$;

CREATE TYPE public.trap AS (value text);
CREATE FUNCTION public.spring(public.trap) RETURNS text LANGUAGE sql AS $$ SELECT 'run as ' || current_user $$;
CREATE CAST (public.trap AS text) WITH FUNCTION public.spring(public.trap);
CREATE DOMAIN public.name_of_user AS varchar(128);
CREATE DOMAIN public.flag AS boolean;

SELECT is(pg_temp.after('ALTER TABLE public.auth_user ' || change, statement), ended, change || ': ' || statement)
FROM (VALUES
  ('RENAME id TO uid', 'UPDATE public.auth_user SET password = ''new'' WHERE uid = 1', '1 sessions revoked'),
  ('DROP CONSTRAINT auth_user_pkey', 'DELETE FROM public.auth_user WHERE id = 1', 'user revoked'),
  ('DROP CONSTRAINT auth_user_pkey, ADD PRIMARY KEY (id, username)', 'DELETE FROM public.auth_user WHERE id = 1', 'user revoked'),
  ('ALTER id TYPE numeric', 'DELETE FROM public.auth_user WHERE id = 1', 'user revoked'),
  ('ALTER id TYPE public.trap USING row(id)::public.trap', 'DELETE FROM public.auth_user', 'user revoked'),
  ('ALTER id TYPE public.name_of_user USING id::text', 'DELETE FROM public.auth_user WHERE id = ''1''', '1 user revoked'),
  ('ALTER id TYPE text USING CASE id WHEN 1 THEN '''' WHEN 2 THEN repeat(''x'', 2000) ELSE ''me'' END', 'DELETE FROM public.auth_user', 'me user revoked'),
  ('RENAME password TO secret', 'UPDATE public.auth_user SET last_login = now() WHERE id = 1', '1 user revoked'),
  ('ALTER password TYPE public.trap USING row(password)::public.trap', 'UPDATE public.auth_user SET last_login = now() WHERE id = 1', '1 user revoked'),
  ('ALTER password TYPE public.name_of_user', 'UPDATE public.auth_user SET password = NULL WHERE id = 1', '1 sessions revoked'),
  ('DROP is_active', 'UPDATE public.auth_user SET last_login = now() WHERE id = 1', '1 user revoked'),
  ('ALTER is_active TYPE integer USING is_active::integer', 'UPDATE public.auth_user SET is_active = 0 WHERE id = 1', '1 user revoked'),
  ('ALTER is_active TYPE public.flag', 'UPDATE public.auth_user SET is_active = false WHERE id = 1', '1 user inactive'),
  ('ALTER is_active DROP NOT NULL', 'UPDATE public.auth_user SET is_active = NULL WHERE id = 1', '1 user inactive'),
  ('ALTER is_active DROP NOT NULL', 'UPDATE public.auth_user SET last_login = now()', ''),
  ('RENAME TO members', 'DELETE FROM public.members WHERE id = 1', '1 user revoked')
) AS t (change, statement, ended);

SELECT is(pg_temp.after('ALTER TABLE public.django_session ' || change, statement), ended, change || ': ' || statement)
FROM (VALUES
  ('RENAME session_key TO name', 'DELETE FROM public.django_session', 'sessions revoked'),
  ('ALTER session_key TYPE bytea USING session_key::bytea', 'DELETE FROM public.django_session', 'sessions revoked'),
  ('DROP CONSTRAINT django_session_pkey, ALTER session_key DROP NOT NULL', 'INSERT INTO public.django_session VALUES (NULL, ''data'', now()); DELETE FROM public.django_session', 'session s1 revoked, session s2 revoked'),
  ('RENAME expire_date TO ends', 'DELETE FROM public.django_session WHERE session_key = ''s1''', 'session s1 revoked'),
  ('ALTER expire_date TYPE timestamp', 'DELETE FROM public.django_session WHERE session_key = ''s1''', 'session s1 revoked'),
  ('ALTER expire_date TYPE date USING NULL', 'DELETE FROM public.django_session WHERE session_key = ''s1''', 'session s1 revoked'),
  ('ALTER expire_date TYPE timestamptz USING NULL', 'DELETE FROM public.django_session WHERE session_key = ''s1''', 'session s1 revoked')
) AS t (change, statement, ended);

SELECT is(pg_temp.after('ALTER TABLE public.authtoken_token ' || change, statement), ended, change || ': ' || statement)
FROM (VALUES
  ('RENAME key TO name', 'UPDATE public.authtoken_token SET created = now()', 'tokens revoked'),
  ('DROP CONSTRAINT authtoken_token_pkey, ALTER key DROP NOT NULL', 'INSERT INTO public.authtoken_token VALUES (NULL, now(), 1); DELETE FROM public.authtoken_token', 'token k1 revoked, token k2 revoked'),
  ('ALTER user_id TYPE integer USING NULL', 'UPDATE public.authtoken_token SET created = now()', ''),
  ('ALTER user_id TYPE integer USING NULL', 'DELETE FROM public.authtoken_token WHERE key = ''k1''', 'token k1 revoked'),
  ('DROP user_id', 'UPDATE public.authtoken_token SET created = now() WHERE key = ''k1''', 'token k1 revoked'),
  ('ALTER user_id TYPE public.trap USING row(user_id)::public.trap', 'UPDATE public.authtoken_token SET created = now() WHERE key = ''k1''', 'token k1 revoked')
) AS t (change, statement, ended);

-- Our own table and functions.
SELECT is(pg_temp.after(change, 'TRUNCATE public.auth_user; DELETE FROM public.django_session; DELETE FROM public.authtoken_token'), '', change)
FROM (VALUES ('ALTER TABLE notify_bridge.revocation RENAME reason TO why'), ('DROP TABLE notify_bridge.revocation CASCADE'),
  ('ALTER TABLE notify_bridge.revocation ADD CONSTRAINT never CHECK (false) NOT VALID'),
  ('DROP FUNCTION notify_bridge.column_type(regclass, name) CASCADE; DROP TABLE notify_bridge.revocation CASCADE')) AS t (change);
SELECT is(pg_temp.after('DROP TABLE notify_bridge.login', 'DELETE FROM public.auth_user WHERE id = 1; UPDATE public.auth_user SET password = ''new'' WHERE id = 2'),
  '1 user revoked, user revoked', 'without the record of logins');
SELECT is(pg_temp.after('DROP FUNCTION notify_bridge.user_columns(regclass)', 'DELETE FROM public.auth_user WHERE id = 1'), 'user revoked', 'without a function of ours');
SELECT is(pg_temp.after('SELECT', 'UPDATE public.auth_user SET id = id + 10 WHERE id = 1'), '1 user revoked', 'otherwise all is as it should be');

SELECT * FROM finish();
ROLLBACK;
