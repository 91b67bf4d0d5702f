-- Ended access: disconnect_user, and the triggers on Django's tables.
--
-- Statement triggers with transition tables depend on no column, so the backend's migrations can alter or drop any column.
-- A trigger never raises: the statement is the backend's own, a logout or a migration, and must not fail because of us.
-- Each trigger looks up the columns that it needs, and reads them only where they have types of PostgreSQL's own, since
-- it runs with the rights of the owner of this schema: another type's cast could be a function of the backend. Where it
-- can't tell whose access has ended it warns and ends that of everybody, who connect again with a valid credential.
-- lock_timeout bounds how long it waits for a lock on our own tables.

-- anyelement for integers and uuids, text for texts and untyped literals.
CREATE OR REPLACE FUNCTION notify_bridge.disconnect_user(user_id text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO notify_bridge.revocation (user_id, kind, reason)
  SELECT $1, 'user', 'revoked' WHERE $1 <> '';
$$;

COMMENT ON FUNCTION notify_bridge.disconnect_user(text) IS
  'Closes all sockets of a user once the transaction has committed. A client may connect again with a valid credential.';

CREATE OR REPLACE FUNCTION notify_bridge.disconnect_user(user_id anyelement) RETURNS void
LANGUAGE sql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$ SELECT notify_bridge.disconnect_user($1::text); $$;

COMMENT ON FUNCTION notify_bridge.disconnect_user(anyelement) IS 'The same for an integer or a uuid.';

CREATE OR REPLACE FUNCTION notify_bridge.revoke_everybody(scope text, relation regclass, problem text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
BEGIN
  RAISE WARNING USING
    MESSAGE = format('notify-bridge can''t tell whose access this change of %s ends, so it ends that of everybody: %s',
      relation, problem),
    HINT = 'As its owner: SELECT notify_bridge.attach_logins(). Or stop it: SELECT notify_bridge.detach_logins()';
  INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('', scope, 'revoked');
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING USING
    MESSAGE = format('notify-bridge can''t end the access of connected clients after this change of %s: %s (%s)',
      relation, SQLERRM, SQLSTATE),
    HINT = 'Run notify-bridge migrate and notify-bridge check.';
END
$$;

COMMENT ON FUNCTION notify_bridge.revoke_everybody(text, regclass, text) IS
  'Ends all access of a kind (user: all, sessions, tokens), with a warning that names the table and the problem. Never raises.';

CREATE OR REPLACE FUNCTION notify_bridge.revoke_users() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  has record;
  lost text;
  users text[];
  kinds text[];
  reasons text[];
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('', 'user', 'revoked');
    RETURN NULL;
  END IF;
  SELECT c.* INTO has FROM notify_bridge.user_columns(TG_RELID) AS c;
  IF has.key_kind IS NULL THEN
    PERFORM notify_bridge.revoke_everybody('user', TG_RELID, 'it has no primary key of one column, an integer, uuid or text');
    RETURN NULL;
  ELSIF TG_OP = 'DELETE' THEN
    EXECUTE format(
      'SELECT array_agg(o.%1$I::text), array_agg(''user''::text), array_agg(''revoked''::text) FROM old_rows AS o
       WHERE octet_length(o.%1$I::text) BETWEEN 1 AND 128', has.key_column)
    INTO users, kinds, reasons;
  ELSE
    lost := CASE
      WHEN NOT has.has_password THEN 'password'
      WHEN NOT has.has_active AND EXISTS (
        SELECT FROM notify_bridge.login AS l WHERE l.kind = 'user' AND l.relation = TG_RELID AND l.has_active)
        THEN 'is_active' END;
    EXECUTE format(
      'SELECT array_agg(c.id), array_agg(CASE WHEN c.is_gone OR c.is_inactive OR $1 THEN ''user'' ELSE ''sessions'' END),
         array_agg(CASE WHEN c.is_inactive THEN ''inactive'' ELSE ''revoked'' END)
       FROM (
         SELECT o.%1$I::text AS id, n.%1$I IS NULL AS is_gone, %2$s AS is_inactive, %3$s AS is_changed
         FROM old_rows AS o LEFT JOIN new_rows AS n ON n.%1$I = o.%1$I) AS c
       WHERE octet_length(c.id) BETWEEN 1 AND 128 AND ($1 OR c.is_gone OR c.is_inactive OR c.is_changed)',
      has.key_column,
      CASE WHEN has.has_active THEN 'o.is_active IS TRUE AND n.is_active IS NOT TRUE AND n.' || quote_ident(has.key_column) || ' IS NOT NULL' ELSE 'false' END,
      CASE WHEN has.has_password THEN 'o.password IS DISTINCT FROM n.password' ELSE 'false' END)
    INTO users, kinds, reasons USING lost IS NOT NULL;
    IF lost IS NOT NULL THEN
      RAISE WARNING USING
        MESSAGE = format('notify-bridge ends the access of each user that this change of %s touches: column %I was renamed, '
          'retyped or dropped', TG_RELID::regclass, lost),
        HINT = 'As its owner: SELECT notify_bridge.attach_logins(). Or stop it: SELECT notify_bridge.detach_logins()';
    END IF;
  END IF;
  -- An INSERT of no rows would ring too.
  IF users IS NOT NULL THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, reason)
    SELECT r.id, r.kind, r.reason FROM unnest(users, kinds, reasons) AS r (id, kind, reason);
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM notify_bridge.revoke_everybody('user', TG_RELID, format('an error (SQLSTATE %s)', SQLSTATE));
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION notify_bridge.revoke_users() IS
  'Statement trigger of the table of users: ends all access of deleted and deactivated users, and access by session of users whose password has changed. Never raises.';

-- Django deletes expired sessions in masses, and no socket of theirs is open any more.
CREATE OR REPLACE FUNCTION notify_bridge.revoke_sessions() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  hashes text[];
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('', 'sessions', 'revoked');
    RETURN NULL;
  ELSIF notify_bridge.kind_of(notify_bridge.column_type(TG_RELID, 'session_key')) IS DISTINCT FROM 'text' THEN
    PERFORM notify_bridge.revoke_everybody('sessions', TG_RELID, 'column session_key was renamed, retyped or dropped');
    RETURN NULL;
  END IF;
  EXECUTE
    'SELECT array_agg(encode(sha256(convert_to(o.session_key::text, ''UTF8'')), ''hex'')) FROM old_rows AS o
     WHERE o.session_key IS NOT NULL'
    || CASE WHEN notify_bridge.column_type(TG_RELID, 'expire_date') = ANY ('{timestamptz,timestamp}'::regtype[])
      THEN ' AND (o.expire_date > now() - interval ''1 hour'') IS NOT FALSE' ELSE '' END
  INTO hashes;
  IF hashes IS NOT NULL THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, credential, reason)
    SELECT '', 'session', h, 'revoked' FROM unnest(hashes) AS h;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM notify_bridge.revoke_everybody('sessions', TG_RELID, format('an error (SQLSTATE %s)', SQLSTATE));
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION notify_bridge.revoke_sessions() IS
  'Statement trigger of django_session: ends access by a deleted session, as a logout does. Never raises.';

CREATE OR REPLACE FUNCTION notify_bridge.revoke_tokens() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  hashes text[];
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('', 'tokens', 'revoked');
    RETURN NULL;
  ELSIF notify_bridge.kind_of(notify_bridge.column_type(TG_RELID, 'key')) IS DISTINCT FROM 'text' THEN
    PERFORM notify_bridge.revoke_everybody('tokens', TG_RELID, 'column key was renamed, retyped or dropped');
    RETURN NULL;
  END IF;
  EXECUTE
    'SELECT array_agg(encode(sha256(convert_to(o.key::text, ''UTF8'')), ''hex'')) FROM old_rows AS o WHERE o.key IS NOT NULL'
    || CASE WHEN TG_OP = 'UPDATE' AND notify_bridge.kind_of(notify_bridge.column_type(TG_RELID, 'user_id')) IS NOT NULL
      THEN ' AND NOT EXISTS (SELECT FROM new_rows AS n WHERE n.key = o.key AND n.user_id IS NOT DISTINCT FROM o.user_id)'
      ELSE '' END
  INTO hashes;
  IF hashes IS NOT NULL THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, credential, reason)
    SELECT '', 'token', h, 'revoked' FROM unnest(hashes) AS h;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM notify_bridge.revoke_everybody('tokens', TG_RELID, format('an error (SQLSTATE %s)', SQLSTATE));
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION notify_bridge.revoke_tokens() IS
  'Statement trigger of authtoken_token: ends access by a deleted or replaced token. Never raises.';
