-- Ended access: disconnect_user, and the triggers on Django's tables.
--
-- Statement triggers with transition tables depend on no column, so the backend's migrations can alter or drop any column,
-- and no trigger fails because of such a migration.

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

CREATE OR REPLACE FUNCTION notify_bridge.revoke_users() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  has record;
  users text[];
  kinds text[];
  reasons text[];
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('', 'user', 'revoked');
    RETURN NULL;
  END IF;
  SELECT c.* INTO has FROM notify_bridge.user_columns(TG_RELID) AS c;
  IF has.key_column IS NULL THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'DELETE' THEN
    EXECUTE format(
      'SELECT array_agg(o.%I::text), array_agg(''user''::text), array_agg(''revoked''::text) FROM old_rows AS o',
      has.key_column)
    INTO users, kinds, reasons;
  ELSE
    EXECUTE format(
      'SELECT array_agg(c.id), array_agg(CASE WHEN c.is_gone OR c.is_inactive THEN ''user'' ELSE ''sessions'' END),
         array_agg(CASE WHEN c.is_inactive THEN ''inactive'' ELSE ''revoked'' END)
       FROM (
         SELECT o.%1$I::text AS id, n.%1$I IS NULL AS is_gone, %2$s AS is_inactive, %3$s AS is_changed
         FROM old_rows AS o LEFT JOIN new_rows AS n ON n.%1$I = o.%1$I) AS c
       WHERE c.is_gone OR c.is_inactive OR c.is_changed',
      has.key_column,
      CASE WHEN has.has_active THEN 'o.is_active AND NOT n.is_active' ELSE 'false' END,
      CASE WHEN has.has_password THEN 'o.password IS DISTINCT FROM n.password' ELSE 'false' END)
    INTO users, kinds, reasons;
  END IF;
  -- An INSERT of no rows would ring too.
  IF users IS NOT NULL THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, reason)
    SELECT r.id, r.kind, r.reason FROM unnest(users, kinds, reasons) AS r (id, kind, reason);
  END IF;
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION notify_bridge.revoke_users() IS
  'Statement trigger of the table of users: ends all access of deleted and deactivated users, and access by session of users whose password has changed.';

-- Django deletes expired sessions in masses, and no socket of theirs is open any more.
CREATE OR REPLACE FUNCTION notify_bridge.revoke_sessions() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  hashes text[];
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('', 'sessions', 'revoked');
    RETURN NULL;
  END IF;
  EXECUTE
    'SELECT array_agg(encode(sha256(convert_to(o.session_key, ''UTF8'')), ''hex'')) FROM old_rows AS o
     WHERE o.expire_date > now() - interval ''1 hour'''
  INTO hashes;
  IF hashes IS NOT NULL THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, credential, reason)
    SELECT '', 'session', h, 'revoked' FROM unnest(hashes) AS h;
  END IF;
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION notify_bridge.revoke_sessions() IS
  'Statement trigger of django_session: ends access by a deleted session, as a logout does.';

CREATE OR REPLACE FUNCTION notify_bridge.revoke_tokens() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  hashes text[];
  users text[];
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('', 'tokens', 'revoked');
    RETURN NULL;
  END IF;
  EXECUTE
    'SELECT array_agg(encode(sha256(convert_to(o.key, ''UTF8'')), ''hex'')), array_agg(o.user_id::text) FROM old_rows AS o'
    || CASE WHEN TG_OP = 'UPDATE' THEN
      ' WHERE NOT EXISTS (SELECT FROM new_rows AS n WHERE n.key = o.key AND n.user_id = o.user_id)' ELSE '' END
  INTO hashes, users;
  IF hashes IS NOT NULL THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, credential, reason)
    SELECT r.id, 'token', r.hash, 'revoked' FROM unnest(users, hashes) AS r (id, hash);
  END IF;
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION notify_bridge.revoke_tokens() IS
  'Statement trigger of authtoken_token: ends access by a deleted or replaced token.';
