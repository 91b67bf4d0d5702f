-- Credentials of connecting clients.

-- One call answers all waiting requests. A credential that isn't found has no row in the answer.
CREATE OR REPLACE FUNCTION notify_bridge.lookup_credentials(requests jsonb, user_table text DEFAULT NULL)
RETURNS TABLE (
  place integer, user_id text, secret text, is_active boolean, is_expired boolean, expires double precision)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
#variable_conflict use_column
DECLARE
  request CONSTANT text := 'jsonb_to_recordset($1) AS r (place integer, kind text, value text)';
  kinds text[] := ARRAY(SELECT DISTINCT r.value ->> 'kind' FROM jsonb_array_elements(requests) AS r);
  sessions regclass;
  tokens regclass;
  users record;
  active text;
BEGIN
  IF kinds && '{issue}' THEN
    RETURN QUERY EXECUTE format(
      'SELECT r.place, r.value, notify_bridge.issue_ticket(r.value), true, false, NULL::float8
       FROM %s WHERE r.kind = ''issue''', request) USING requests;
  END IF;
  IF kinds && '{ticket}' THEN
    -- Of two requests with the same ticket, one succeeds.
    RETURN QUERY EXECUTE format(
      'WITH given AS (
         SELECT min(r.place) AS place, decode(r.value, ''hex'') AS hash FROM %s WHERE r.kind = ''ticket'' GROUP BY 2)
       SELECT g.place, t.user_id, NULL::text, true, t.is_expired, NULL::float8
       FROM notify_bridge.redeem_tickets(ARRAY(SELECT g.hash FROM given AS g)) AS t JOIN given AS g USING (hash)', request)
    USING requests;
  END IF;
  -- The most frequent case, JWTs without attached logins, reads no catalogue.
  IF kinds && '{active}' AND NOT EXISTS (SELECT FROM notify_bridge.login AS l WHERE l.kind = 'user') THEN
    RETURN QUERY EXECUTE format(
      'SELECT r.place, r.value, NULL::text, true, false, NULL::float8 FROM %s WHERE r.kind = ''active''', request)
    USING requests;
    kinds := array_remove(kinds, 'active');
  END IF;
  IF NOT kinds && '{session,token,user,active}' THEN
    RETURN;
  END IF;

  -- The row of the users comes last, and stays in the variable.
  FOR users IN SELECT t.* FROM notify_bridge.login_tables(user_table) AS t WHERE t.kind = ANY (kinds) OR t.kind = 'user' LOOP
    -- Without a session table all sessions are in cookies.
    CONTINUE WHEN users.kind = 'session' AND users.relation IS NULL;
    IF users.problem IS NOT NULL AND (users.kind <> 'user' OR kinds && '{token,user,active}') THEN
      RAISE undefined_table USING MESSAGE = users.problem;
    ELSIF users.kind = 'session' THEN
      sessions := users.relation;
    ELSIF users.kind = 'token' THEN
      tokens := users.relation;
    END IF;
  END LOOP;
  active := CASE WHEN users.has_active THEN 'u.is_active' ELSE 'true' END;
  IF sessions IS NOT NULL THEN
    RETURN QUERY EXECUTE format(
      'SELECT r.place, NULL::text, CASE WHEN octet_length(s.session_data) <= 1048576 THEN s.session_data::text END, true,
         s.expire_date <= now(), extract(epoch FROM s.expire_date)::float8
       FROM %s JOIN %s AS s ON s.session_key = r.value WHERE r.kind = ''session''', request, sessions)
    USING requests;
  END IF;
  IF kinds && '{token}' THEN
    RETURN QUERY EXECUTE format(
      'SELECT r.place, u.%1$I::text, NULL::text, %2$s, false, NULL::float8
       FROM %3$s JOIN %4$s AS t ON t.key = r.value JOIN %5$s AS u ON u.%1$I = t.user_id WHERE r.kind = ''token''',
      users.key_column, active, request, tokens, users.relation)
    USING requests;
  END IF;
  IF kinds && '{user,active}' THEN
    RETURN QUERY EXECUTE format(
      'SELECT r.place, u.%1$I::text, CASE r.kind WHEN ''user'' THEN u.password::text END, %2$s, false, NULL::float8
       FROM %3$s JOIN %4$s AS u ON u.%1$I = %5$s WHERE r.kind = ANY ($2)',
      users.key_column, active, request, users.relation,
      -- An id that the column can't hold belongs to no user, and is no error.
      CASE users.key_kind
        WHEN 'integer' THEN 'CASE WHEN r.value ~ ''^(0|-?[1-9][0-9]{0,18})$'' THEN
          CASE WHEN r.value::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN r.value::bigint END END'
        WHEN 'uuid' THEN 'CASE WHEN r.value ~ ''^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$'' THEN r.value::uuid END'
        ELSE 'r.value'
      END)
    USING requests, ARRAY(SELECT k FROM unnest(kinds) AS k WHERE k IN ('user', 'active'));
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.lookup_credentials(jsonb, text) IS
  'Looks up the credentials of a bridge''s requests, a list of {place, kind, value}: session (by its key: data and expiry), token (by its key: user), user (by id: password, is_active), active (the same without password, and only where logins are attached), ticket (by its hash, and uses it up: user), issue (for a user: a ticket).';
