-- Triggers on Django's tables: put there by attach_logins, dropped by detach_logins.
--
-- A backend's login writes several of these tables in one transaction. A session that held one of them and waited for
-- another could end in a deadlock with it, and the server might choose the backend. So only the first lock of a
-- transaction is waited for (lock_table), and a program gives each table a transaction of its own, by `kind`.

CREATE OR REPLACE FUNCTION notify_bridge.attach_logins(
  user_table regclass DEFAULT NULL, session_table regclass DEFAULT NULL, token_table regclass DEFAULT NULL,
  kind text DEFAULT NULL)
RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  found record;
  old regclass;
  event text;
  is_first boolean := true;
BEGIN
  FOR found IN
    SELECT t.*, CASE WHEN t.relation IS NULL THEN false ELSE EXISTS (
      SELECT FROM pg_class AS c WHERE c.oid = t.relation AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'notify_bridge'::regnamespace)) END AS is_table
    FROM notify_bridge.login_tables((SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = attach_logins.user_table),
      attach_logins.session_table, attach_logins.token_table) AS t
    ORDER BY t.kind DESC
  LOOP
    -- Django's tables of sessions and tokens need not exist.
    CONTINUE WHEN found.relation IS NULL AND found.kind <> 'user';
    IF found.problem IS NOT NULL OR NOT found.is_table THEN
      RAISE undefined_table USING
        MESSAGE = coalesce(found.problem, format('%s is not a table of a backend', found.relation)),
        HINT = format('Name the table of %ss, as Django makes it: notify_bridge.attach_logins(%s_table => ''public.my_table'').',
          found.kind, found.kind);
    END IF;
    CONTINUE WHEN found.kind <> attach_logins.kind;
    FOREACH event IN ARRAY notify_bridge.login_events(found.kind, found.relation) LOOP
      PERFORM notify_bridge.lock_table(found.relation, 'SHARE ROW EXCLUSIVE', is_first);
      is_first := false;
      EXECUTE format(
        'CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION notify_bridge.revoke_%ss()',
        'notify_bridge_revoke_' || event, event, found.relation,
        CASE event WHEN 'update' THEN 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'
          WHEN 'delete' THEN 'REFERENCING OLD TABLE AS old_rows' ELSE '' END,
        found.kind);
      EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', found.relation, 'notify_bridge_revoke_' || event);
      EXECUTE format('COMMENT ON TRIGGER %I ON %s IS ''NotifyBridge: ends the access of connected clients.''',
        'notify_bridge_revoke_' || event, found.relation);
    END LOOP;
    FOR old IN SELECT l.relation FROM notify_bridge.login AS l WHERE l.kind = found.kind AND l.relation <> found.relation LOOP
      RETURN NEXT notify_bridge.detach_login(old, is_first);
      is_first := false;
    END LOOP;
    INSERT INTO notify_bridge.login (kind, relation, has_active) VALUES (found.kind, found.relation, coalesce(found.has_active, false))
    ON CONFLICT ON CONSTRAINT login_pkey DO UPDATE SET (relation, has_active) = (excluded.relation, excluded.has_active);
    RETURN NEXT format('%s: triggers notify_bridge_revoke_...', found.relation);
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_logins(regclass, regclass, regclass, text) IS
  'Puts triggers on Django''s tables, so that access ends while connected: a logout and a deleted or replaced token close the sockets that they opened, a changed password those that sessions of the user opened, a deactivated or deleted user all. Tables that are not given are found by name. kind: user, token or session, to change one table in a transaction. Safe to repeat. Returns a description of each step. Run grant_to again afterwards.';

-- Django saves a session again and again; that ends no access.
CREATE OR REPLACE FUNCTION notify_bridge.login_events(kind text, relation regclass) RETURNS text[]
LANGUAGE sql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(array_agg(e.event ORDER BY e.event DESC), '{}') FROM unnest('{update,delete,truncate}'::text[]) AS e (event)
  WHERE NOT (login_events.kind = 'session' AND e.event = 'update') AND NOT EXISTS (
    SELECT FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid
    WHERE g.tgrelid = login_events.relation AND g.tgname = 'notify_bridge_revoke_' || e.event AND g.tgenabled = 'A'
      AND p.pronamespace = 'notify_bridge'::regnamespace AND p.proname = 'revoke_' || login_events.kind || 's')
$$;

COMMENT ON FUNCTION notify_bridge.login_events(text, regclass) IS
  'The events for which a table of logins has no trigger of attach_logins yet, or one that does not fire always.';

CREATE OR REPLACE FUNCTION notify_bridge.detach_login(relation regclass, is_first boolean DEFAULT true) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  trigger_name name;
BEGIN
  FOR trigger_name IN
    SELECT t.tgname FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE t.tgrelid = detach_login.relation AND p.pronamespace = 'notify_bridge'::regnamespace AND p.proname ~ '^revoke_'
  LOOP
    PERFORM notify_bridge.lock_table(detach_login.relation, 'ACCESS EXCLUSIVE', detach_login.is_first);
    EXECUTE format('DROP TRIGGER %I ON %s', trigger_name, detach_login.relation);
  END LOOP;
  DELETE FROM notify_bridge.login AS l WHERE l.relation = detach_login.relation;
  RETURN format('%s: without triggers notify_bridge_revoke_...', detach_login.relation);
END
$$;

COMMENT ON FUNCTION notify_bridge.detach_login(regclass, boolean) IS
  'Drops the triggers of attach_logins from one table, and returns a description of that.';

CREATE OR REPLACE FUNCTION notify_bridge.detach_logins(kind text DEFAULT NULL) RETURNS SETOF text
LANGUAGE sql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT notify_bridge.detach_login(l.relation, l.is_first)
  FROM (SELECT l.relation, row_number() OVER (ORDER BY l.kind DESC) = 1 AS is_first FROM notify_bridge.login AS l
    WHERE l.kind = detach_logins.kind OR detach_logins.kind IS NULL ORDER BY l.kind DESC) AS l;
$$;

COMMENT ON FUNCTION notify_bridge.detach_logins(text) IS
  'Undoes attach_logins: a logout no longer closes sockets. kind: user, token or session, to change one table in a transaction. Returns a description of each step.';
