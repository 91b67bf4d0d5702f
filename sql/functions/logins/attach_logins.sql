-- Triggers on Django's tables: put there by attach_logins, dropped by detach_logins.

-- lock_timeout is short: a session that waits for a lock on the table of users blocks all later ones.
CREATE OR REPLACE FUNCTION notify_bridge.attach_logins(
  user_table regclass DEFAULT NULL, session_table regclass DEFAULT NULL, token_table regclass DEFAULT NULL)
RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s'
AS $$
DECLARE
  found record;
  event text;
  trigger_name text;
BEGIN
  FOR found IN
    SELECT t.kind, wanted.relation,
      CASE WHEN wanted.relation IS NOT DISTINCT FROM t.relation THEN t.problem END AS problem
    FROM notify_bridge.login_tables((SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = attach_logins.user_table)) AS t,
      LATERAL (SELECT CASE t.kind WHEN 'user' THEN t.relation
        WHEN 'session' THEN coalesce(attach_logins.session_table, t.relation)
        ELSE coalesce(attach_logins.token_table, t.relation) END AS relation) AS wanted
    ORDER BY t.kind DESC
  LOOP
    IF found.problem IS NOT NULL AND (found.kind = 'user' OR found.relation IS NOT NULL) THEN
      RAISE undefined_table USING
        MESSAGE = found.problem,
        HINT = 'Name the table of users: notify_bridge.attach_logins(''public.my_user'').';
    END IF;
    CONTINUE WHEN found.relation IS NULL;
    RETURN QUERY SELECT notify_bridge.detach_login(l.relation)
      FROM notify_bridge.login AS l WHERE l.kind = found.kind AND l.relation <> found.relation;
    FOREACH event IN ARRAY ARRAY['update', 'delete', 'truncate'] LOOP
      -- Django saves a session again and again; that ends no access.
      CONTINUE WHEN found.kind = 'session' AND event = 'update';
      trigger_name := 'notify_bridge_revoke_' || event;
      EXECUTE format(
        'CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION notify_bridge.revoke_%ss()',
        trigger_name, event, found.relation,
        CASE event WHEN 'update' THEN 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'
          WHEN 'delete' THEN 'REFERENCING OLD TABLE AS old_rows' ELSE '' END,
        found.kind);
      EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', found.relation, trigger_name);
      EXECUTE format(
        'COMMENT ON TRIGGER %I ON %s IS ''NotifyBridge: ends the access of connected clients.''', trigger_name, found.relation);
    END LOOP;
    INSERT INTO notify_bridge.login (kind, relation) VALUES (found.kind, found.relation)
    ON CONFLICT (kind) DO UPDATE SET relation = excluded.relation;
    RETURN NEXT format('%s: triggers notify_bridge_revoke_...', found.relation);
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_logins(regclass, regclass, regclass) IS
  'Puts triggers on Django''s tables, so that access ends while connected: a logout and a deleted or replaced token close the sockets that they opened, a changed password those that sessions of the user opened, a deactivated or deleted user all. Tables that are not given are found by name. Safe to repeat. Returns a description of each step. Run grant_to again afterwards.';

CREATE OR REPLACE FUNCTION notify_bridge.detach_login(relation regclass) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s'
AS $$
DECLARE
  trigger_name name;
BEGIN
  FOR trigger_name IN
    SELECT t.tgname FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE t.tgrelid = detach_login.relation AND p.pronamespace = 'notify_bridge'::regnamespace AND p.proname ~ '^revoke_'
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', trigger_name, detach_login.relation);
  END LOOP;
  DELETE FROM notify_bridge.login AS l WHERE l.relation = detach_login.relation;
  RETURN format('%s: without triggers notify_bridge_revoke_...', detach_login.relation);
END
$$;

COMMENT ON FUNCTION notify_bridge.detach_login(regclass) IS 'Drops the triggers of attach_logins from one table, and returns a description of that.';

CREATE OR REPLACE FUNCTION notify_bridge.detach_logins() RETURNS SETOF text
LANGUAGE sql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT notify_bridge.detach_login(l.relation) FROM notify_bridge.login AS l ORDER BY l.kind DESC;
$$;

COMMENT ON FUNCTION notify_bridge.detach_logins() IS
  'Undoes attach_logins: a logout no longer closes sockets. Returns a description of each step.';
