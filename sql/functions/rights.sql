-- Rights of the bridge's and of a backend's role. They run with the caller's rights: only the owner can grant them.

CREATE OR REPLACE FUNCTION notify_bridge.require_role(role name) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = require_role.role) THEN
    RAISE undefined_object USING
      MESSAGE = format('role "%s" does not exist', require_role.role),
      HINT = format('CREATE ROLE %I LOGIN, then repeat.', require_role.role);
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.require_role(name) IS
  'Fails unless the role exists. %I leaves the name public as it is, so a GRANT to it would be one to PUBLIC.';

CREATE OR REPLACE FUNCTION notify_bridge.grant_to(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  executable regprocedure;
  served record;
BEGIN
  PERFORM notify_bridge.require_role(role);
  EXECUTE format('GRANT USAGE ON SCHEMA notify_bridge TO %I', role);
  PERFORM notify_bridge.grant_logins_to(role);
  PERFORM notify_bridge.grant_reports_to(role);
  EXECUTE format(
    'GRANT SELECT ON notify_bridge.migration, notify_bridge.functions, notify_bridge.source, notify_bridge.served,
       notify_bridge.replica, notify_bridge.revocation, notify_bridge.quarantined, notify_bridge.quarantine TO %I', role);
  EXECUTE format('GRANT EXECUTE ON FUNCTION notify_bridge.disconnect_user(text) TO %I', role);
  FOR executable IN
    SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'notify_bridge'::regnamespace AND p.proname IN (
      'register_replica', 'arm', 'heartbeat_replica', 'unregister_replica', 'resend', 'purge', 'purge_preview', 'is_purge_turn', 'repair_txids',
      'repair_rows', 'as_utf8',
      'is_hidden_from', 'send_test',
      'touch_recorder', 'record_presence', 'record_connections', 'record_deliveries', 'clean_recorders', 'purge_logs',
      'quarantine_rows', 'release_rows', 'claim_quarantined', 'retry_quarantined', 'clean_quarantine')
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', executable, role);
  END LOOP;
  FOR served IN
    SELECT s.relation, n.oid AS schema_oid, n.nspname AS schema_name,
      (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum)
       FROM pg_attribute AS a
       WHERE a.attrelid = c.oid
         AND a.attname IN (s.sent_column, s.sent_at_column, s.read_column, s.read_at_column)
         AND a.attnum > 0 AND NOT a.attisdropped) AS marks
    FROM notify_bridge.source AS s
    JOIN pg_class AS c ON c.oid = s.relation
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LOOP
    IF NOT has_schema_privilege(role, served.schema_oid, 'USAGE') THEN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', served.schema_name, role);
    END IF;
    -- Without these columns it is not served either.
    IF served.marks IS NOT NULL THEN
      EXECUTE format('GRANT SELECT, UPDATE (%s) ON %s TO %I', served.marks, served.relation, role);
    END IF;
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.grant_to(name) IS
  'Gives an existing role the rights that a bridge needs and no others: read the served tables and those of schema notify_bridge, mark rows sent and read, and call the bridge''s functions, those of its console included. Repeat it after attaching a table and after migrate.';

CREATE OR REPLACE FUNCTION notify_bridge.grant_logins_to(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  attached record;
BEGIN
  PERFORM notify_bridge.require_role(role);
  EXECUTE format('GRANT SELECT ON notify_bridge.login TO %I', role);
  EXECUTE format(
    'GRANT EXECUTE ON FUNCTION
       notify_bridge.column_type(regclass, name), notify_bridge.kind_of(regtype), notify_bridge.resolve_table(text),
       notify_bridge.user_columns(regclass), notify_bridge.login_problem(text, regclass, text),
       notify_bridge.login_tables(text, regclass, regclass), notify_bridge.lookup_credentials(jsonb, text),
       notify_bridge.redeem_tickets(bytea[]), notify_bridge.issue_ticket(text), notify_bridge.clean_logins() TO %I', role);
  FOR attached IN
    SELECT t.relation, n.oid AS schema_oid, n.nspname AS schema_name,
      (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum)
       FROM pg_attribute AS a
       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY (
         CASE t.kind
           WHEN 'session' THEN '{session_key,session_data,expire_date}'::name[]
           WHEN 'token' THEN '{key,user_id}'::name[]
           ELSE ARRAY[t.key_column, 'password', 'is_active']
         END)) AS columns
    FROM notify_bridge.login_tables() AS t
    JOIN pg_class AS c ON c.oid = t.relation
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE t.is_attached AND t.problem IS NULL
  LOOP
    IF NOT has_schema_privilege(role, attached.schema_oid, 'USAGE') THEN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', attached.schema_name, role);
    END IF;
    EXECUTE format('GRANT SELECT (%s) ON %s TO %I', attached.columns, attached.relation, role);
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.grant_logins_to(name) IS
  'The part of grant_to for logins: look up credentials, and read the columns of the attached tables that this needs.';

CREATE OR REPLACE FUNCTION notify_bridge.grant_backend_to(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM notify_bridge.require_role(role);
  EXECUTE format('GRANT USAGE ON SCHEMA notify_bridge TO %I', role);
  EXECUTE format(
    'GRANT EXECUTE ON FUNCTION
       notify_bridge.issue_ticket(text), notify_bridge.issue_ticket(anyelement),
       notify_bridge.disconnect_user(text), notify_bridge.disconnect_user(anyelement) TO %I', role);
END
$$;

COMMENT ON FUNCTION notify_bridge.grant_backend_to(name) IS
  'Lets an existing role, that of a backend, issue tickets and disconnect users. Inserting notifications needs no right on notify_bridge.';

CREATE OR REPLACE FUNCTION notify_bridge.grant_reports_to(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM notify_bridge.require_role(role);
  EXECUTE format('GRANT USAGE ON SCHEMA notify_bridge TO %I', role);
  EXECUTE format(
    'GRANT EXECUTE ON FUNCTION
       notify_bridge.report_deliveries(timestamptz, timestamptz, interval, text, text, text),
       notify_bridge.report_latency(timestamptz, timestamptz, interval, text, text),
       notify_bridge.report_backlog(text),
       notify_bridge.report_users(timestamptz, timestamptz, text, integer),
       notify_bridge.report_retention(integer, text),
       notify_bridge.user_rows(text, text, integer),
       notify_bridge.report_connections(timestamptz, timestamptz, interval, text),
       notify_bridge.timeline(text, text), notify_bridge.timeline(text, anyelement),
       notify_bridge.online(text), notify_bridge.online(anyelement),
       notify_bridge.last_seen(text), notify_bridge.last_seen(anyelement) TO %I', role);
  EXECUTE format('GRANT SELECT ON notify_bridge.presence, notify_bridge.connection_log, notify_bridge.delivery_log TO %I', role);
END
$$;

COMMENT ON FUNCTION notify_bridge.grant_reports_to(name) IS
  'Lets an existing role call the reports, over all served tables. It needs no right on those tables, and gets none: the reports show counts, ids, recipients and the values of a payload''s path. It may read presence, the connection log and the delivery log.';
