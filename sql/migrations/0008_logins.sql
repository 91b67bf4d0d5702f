-- Logins of a Django backend: what they are looked up by, tickets, and where access ends.

-- ---------------------------------------------------------------------------------------------------------------
-- Whose access ends: a whole user's, that by all sessions or tokens, or that by one of them.

ALTER TABLE notify_bridge.revocation
  DROP CONSTRAINT revocation_kind,
  DROP CONSTRAINT revocation_credential,
  ADD CONSTRAINT revocation_kind CHECK (kind IN ('user', 'sessions', 'tokens', 'session', 'token')),
  ADD CONSTRAINT revocation_credential CHECK ((kind IN ('session', 'token')) = (credential IS NOT NULL));

COMMENT ON COLUMN notify_bridge.revocation.user_id IS
  'Whose access, as text. Empty: of everybody, or where the credential tells.';
COMMENT ON COLUMN notify_bridge.revocation.kind IS
  'user: all of the user''s sockets. sessions, tokens: those of them that were opened with a session, with a token. session, token: those that were opened with this credential.';
COMMENT ON CONSTRAINT revocation_kind ON notify_bridge.revocation IS 'What a bridge can look for.';
COMMENT ON CONSTRAINT revocation_credential ON notify_bridge.revocation IS 'One credential has a hash, many have none.';

CREATE TRIGGER notify_bridge_ring AFTER INSERT ON notify_bridge.revocation
  FOR EACH STATEMENT EXECUTE FUNCTION notify_bridge.ring();
ALTER TABLE notify_bridge.revocation ENABLE ALWAYS TRIGGER notify_bridge_ring;
COMMENT ON TRIGGER notify_bridge_ring ON notify_bridge.revocation IS 'Rings for bridges, as rows do.';

-- anyelement for integers and uuids, text for what is a text or an untyped literal.
CREATE FUNCTION notify_bridge.disconnect_user(user_id text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO notify_bridge.revocation (user_id, kind, reason)
  SELECT $1, 'user', 'revoked' WHERE $1 <> '';
$$;

CREATE FUNCTION notify_bridge.disconnect_user(user_id anyelement) RETURNS void
LANGUAGE sql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$ SELECT notify_bridge.disconnect_user($1::text); $$;

COMMENT ON FUNCTION notify_bridge.disconnect_user(text) IS
  'Closes all sockets of a user once the transaction has committed. They may come back with a credential that is still good.';
COMMENT ON FUNCTION notify_bridge.disconnect_user(anyelement) IS 'The same for an integer or a uuid.';

-- ---------------------------------------------------------------------------------------------------------------
-- Tickets: good for one connect.

CREATE TABLE notify_bridge.ticket (
  hash bytea NOT NULL,
  user_id text NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT ticket_pkey PRIMARY KEY (hash),
  CONSTRAINT ticket_user_id CHECK (octet_length(user_id) BETWEEN 1 AND 128)
);
CREATE INDEX ticket_expires_at_idx ON notify_bridge.ticket (expires_at);

COMMENT ON TABLE notify_bridge.ticket IS 'Tickets that were issued and not used yet.';
COMMENT ON COLUMN notify_bridge.ticket.hash IS 'SHA-256 of the ticket; the ticket itself is nowhere kept.';
COMMENT ON COLUMN notify_bridge.ticket.user_id IS 'Whom it lets in, as text.';
COMMENT ON COLUMN notify_bridge.ticket.expires_at IS 'When it is of no use any more.';
COMMENT ON CONSTRAINT ticket_pkey ON notify_bridge.ticket IS 'A ticket is issued once.';
COMMENT ON CONSTRAINT ticket_user_id ON notify_bridge.ticket IS 'What a bridge takes for a user.';
COMMENT ON INDEX notify_bridge.ticket_pkey IS 'A ticket is issued once.';
COMMENT ON INDEX notify_bridge.ticket_expires_at_idx IS 'Finds what has expired.';

-- Two random uuids have 244 random bits. The clock rather than now(): the caller's transaction may be old.
CREATE FUNCTION notify_bridge.issue_ticket(user_id text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  ticket text;
BEGIN
  IF issue_ticket.user_id IS NULL OR octet_length(issue_ticket.user_id) NOT BETWEEN 1 AND 128 THEN
    RAISE invalid_parameter_value USING MESSAGE = 'a ticket is for a user: an id of 1 to 128 bytes';
  END IF;
  ticket := 'nbt_' || translate(
    encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'), '+/=', '-_');
  INSERT INTO notify_bridge.ticket (hash, user_id, expires_at)
  VALUES (sha256(convert_to(ticket, 'UTF8')), issue_ticket.user_id, clock_timestamp() + interval '30 seconds');
  RETURN ticket;
END
$$;

CREATE FUNCTION notify_bridge.issue_ticket(user_id anyelement) RETURNS text
LANGUAGE sql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$ SELECT notify_bridge.issue_ticket($1::text); $$;

COMMENT ON FUNCTION notify_bridge.issue_ticket(text) IS
  'Returns a ticket that lets a client connect as this user once, within 30 seconds, after the transaction has committed: ?token=nbt_….';
COMMENT ON FUNCTION notify_bridge.issue_ticket(anyelement) IS 'The same for an integer or a uuid.';

CREATE FUNCTION notify_bridge.redeem_tickets(hashes bytea[])
RETURNS TABLE (hash bytea, user_id text, is_expired boolean)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH held AS (
    SELECT t.hash FROM notify_bridge.ticket AS t WHERE t.hash = ANY (hashes) ORDER BY t.hash FOR UPDATE)
  DELETE FROM notify_bridge.ticket AS t USING held AS h WHERE t.hash = h.hash
  RETURNING t.hash, t.user_id, t.expires_at <= clock_timestamp();
$$;

COMMENT ON FUNCTION notify_bridge.redeem_tickets(bytea[]) IS
  'Uses up tickets, given by their hashes, and tells whom each was for.';

CREATE FUNCTION notify_bridge.clean_logins() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM notify_bridge.revocation AS r WHERE r.created_at < now() - interval '1 hour';
  DELETE FROM notify_bridge.ticket AS t WHERE t.expires_at < now() - interval '1 minute';
$$;

COMMENT ON FUNCTION notify_bridge.clean_logins() IS
  'Deletes revocations older than an hour, which every bridge has seen, and tickets that have expired.';

-- ---------------------------------------------------------------------------------------------------------------
-- The backend's tables.

CREATE TABLE notify_bridge.login (
  kind text NOT NULL,
  relation regclass NOT NULL,
  CONSTRAINT login_pkey PRIMARY KEY (kind),
  CONSTRAINT login_kind CHECK (kind IN ('user', 'session', 'token'))
);

COMMENT ON TABLE notify_bridge.login IS 'The tables on which attach_logins has put triggers.';
COMMENT ON COLUMN notify_bridge.login.kind IS 'user, session (django_session) or token (authtoken_token).';
COMMENT ON COLUMN notify_bridge.login.relation IS 'The table.';
COMMENT ON CONSTRAINT login_pkey ON notify_bridge.login IS 'One table of each kind.';
COMMENT ON CONSTRAINT login_kind ON notify_bridge.login IS 'What a bridge can look up.';
COMMENT ON INDEX notify_bridge.login_pkey IS 'One table of each kind.';

CREATE FUNCTION notify_bridge.find_table(name text) RETURNS regclass
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parts text[];
  found regclass;
BEGIN
  SELECT c.oid INTO found
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relname = find_table.name AND c.relkind IN ('r', 'p')
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  ORDER BY n.oid IN (SELECT t.relnamespace FROM notify_bridge.source AS s JOIN pg_class AS t ON t.oid = s.relation
      WHERE NOT s.is_own) DESC, n.nspname = 'public' DESC, n.nspname
  LIMIT 1;
  IF found IS NULL THEN
    parts := parse_ident(find_table.name);
    IF cardinality(parts) = 2 THEN
      found := to_regclass(format('%I.%I', parts[1], parts[2]));
    END IF;
  END IF;
  RETURN found;
END
$$;

COMMENT ON FUNCTION notify_bridge.find_table(text) IS
  'The table of this name: where the attached tables are, else in schema public, else in any schema; or schema.table.';

CREATE FUNCTION notify_bridge.user_columns(
  relation regclass, OUT key_column name, OUT key_kind text, OUT has_password boolean, OUT has_active boolean)
LANGUAGE sql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT k.attname,
    notify_bridge.kind_of(notify_bridge.column_type(relation, k.attname)),
    EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = 'password' AND NOT a.attisdropped),
    EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = 'is_active'
      AND a.atttypid = 'bool'::regtype AND NOT a.attisdropped)
  FROM (VALUES (1)) AS one
  LEFT JOIN pg_index AS i ON i.indrelid = relation AND i.indisprimary AND i.indnkeyatts = 1
  LEFT JOIN pg_attribute AS k ON k.attrelid = i.indrelid AND k.attnum = i.indkey[0];
$$;

COMMENT ON FUNCTION notify_bridge.user_columns(regclass) IS
  'What a table of users has: its primary key, of which kind (null: none that a bridge can compare), a password, is_active. Who has no is_active is active.';

-- A foreign key's target counts only where it looks like users: a recipient may as well be a profile.
CREATE FUNCTION notify_bridge.login_tables(user_table text DEFAULT NULL)
RETURNS TABLE (
  kind text, relation regclass, is_attached boolean, key_column name, key_kind text, has_active boolean, problem text)
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  wanted CONSTANT text := nullif(login_tables.user_table, '');
  users record;
BEGIN
  FOR kind, relation, is_attached IN
    SELECT w.kind, coalesce(c.oid, notify_bridge.find_table(w.name))::regclass, c.oid IS NOT NULL
    FROM (VALUES ('session', 'django_session'), ('token', 'authtoken_token')) AS w (kind, name)
    LEFT JOIN notify_bridge.login AS l ON l.kind = w.kind
    LEFT JOIN pg_class AS c ON c.oid = l.relation
    ORDER BY w.kind
  LOOP
    key_column := CASE kind WHEN 'session' THEN 'session_key' ELSE 'key' END;
    key_kind := 'text';
    problem := CASE
      WHEN relation IS NULL THEN format('there is no table %s', CASE kind WHEN 'session' THEN 'django_session' ELSE 'authtoken_token' END)
      WHEN (SELECT count(*) FROM pg_attribute AS a WHERE a.attrelid = relation AND NOT a.attisdropped
        AND a.attname = ANY (CASE kind WHEN 'session' THEN '{session_key,session_data,expire_date}'::name[] ELSE '{key,user_id}'::name[] END))
        < CASE kind WHEN 'session' THEN 3 ELSE 2 END THEN format('%s is not the table that Django makes', relation)
    END;
    RETURN NEXT;
  END LOOP;

  SELECT u.relation, u.is_attached INTO relation, is_attached
  FROM (
    SELECT notify_bridge.find_table(wanted) AS relation, 1 AS place,
      EXISTS (SELECT FROM notify_bridge.login AS l WHERE l.kind = 'user' AND l.relation = notify_bridge.find_table(wanted)) AS is_attached
    WHERE wanted IS NOT NULL
    UNION ALL
    SELECT l.relation, 2, true FROM notify_bridge.login AS l JOIN pg_class AS c ON c.oid = l.relation
    WHERE l.kind = 'user' AND wanted IS NULL
    UNION ALL
    SELECT f.confrelid::regclass, 3 + r.place, false
    FROM (
      SELECT s.relation, s.recipient_column AS column_name, s.number AS place
      FROM notify_bridge.source AS s JOIN pg_class AS c ON c.oid = s.relation
      UNION ALL
      SELECT notify_bridge.find_table('authtoken_token'), 'user_id', 2000000000) AS r
    JOIN pg_attribute AS a ON a.attrelid = r.relation AND a.attname = r.column_name
    JOIN pg_constraint AS f ON f.conrelid = r.relation AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]
    WHERE wanted IS NULL AND (SELECT c.has_password FROM notify_bridge.user_columns(f.confrelid) AS c)
    UNION ALL
    SELECT notify_bridge.find_table('auth_user'), 2100000000, false WHERE wanted IS NULL
  ) AS u
  ORDER BY u.place LIMIT 1;
  SELECT c.* INTO users FROM notify_bridge.user_columns(relation) AS c;
  kind := 'user';
  key_column := users.key_column;
  key_kind := users.key_kind;
  has_active := users.has_active;
  problem := CASE
    WHEN relation IS NULL THEN format('there is no table %s', coalesce(wanted, 'auth_user'))
    WHEN key_kind IS NULL THEN format('%s has no primary key of one column, an integer, uuid or text', relation)
    WHEN NOT users.has_password THEN format('%s has no column password', relation)
  END;
  RETURN NEXT;
END
$$;

COMMENT ON FUNCTION notify_bridge.login_tables(text) IS
  'The tables of sessions, tokens and users, each with what keeps it from being used (null: nothing). Users: the table given, else the attached one, else what an attached recipient, or authtoken_token.user_id, refers to, else auth_user.';

-- One statement answers all that wait. What isn't found has no row in the answer.
CREATE FUNCTION notify_bridge.look_up(requests jsonb, user_table text DEFAULT NULL)
RETURNS TABLE (
  place integer, user_id text, secret text, is_active boolean, is_expired boolean, expires double precision)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  asked CONSTANT text := 'jsonb_to_recordset($1) AS r (place integer, kind text, value text)';
  kinds text[] := ARRAY(SELECT DISTINCT r.value ->> 'kind' FROM jsonb_array_elements(requests) AS r);
  sessions regclass;
  tokens regclass;
  users record;
  active text;
BEGIN
  IF kinds && '{issue}' THEN
    RETURN QUERY EXECUTE format(
      'SELECT r.place, r.value, notify_bridge.issue_ticket(r.value), true, false, NULL::float8
       FROM %s WHERE r.kind = ''issue''', asked) USING requests;
  END IF;
  IF kinds && '{ticket}' THEN
    -- Of two that bring the same ticket, one gets in.
    RETURN QUERY EXECUTE format(
      'WITH asked AS (SELECT min(r.place) AS place, decode(r.value, ''hex'') AS hash FROM %s WHERE r.kind = ''ticket'' GROUP BY 2)
       SELECT a.place, t.user_id, NULL::text, true, t.is_expired, NULL::float8
       FROM notify_bridge.redeem_tickets(ARRAY(SELECT a.hash FROM asked AS a)) AS t JOIN asked AS a USING (hash)', asked)
    USING requests;
  END IF;
  -- The most frequent case, of JWTs where no logins are attached, needs no look at the catalogues.
  IF kinds && '{active}' AND NOT EXISTS (SELECT FROM notify_bridge.login AS l WHERE l.kind = 'user') THEN
    RETURN QUERY EXECUTE format(
      'SELECT r.place, r.value, NULL::text, true, false, NULL::float8 FROM %s WHERE r.kind = ''active''', asked)
    USING requests;
    kinds := array_remove(kinds, 'active');
  END IF;
  IF NOT kinds && '{session,token,user,active}' THEN
    RETURN;
  END IF;

  FOR users IN SELECT t.* FROM notify_bridge.login_tables(user_table) AS t WHERE t.kind = ANY (kinds) OR t.kind = 'user' LOOP
    -- Without such a table all sessions are in cookies.
    CONTINUE WHEN users.kind = 'session' AND users.relation IS NULL;
    IF users.problem IS NOT NULL AND (users.kind <> 'user' OR kinds && '{token,user,active}') THEN
      RAISE undefined_table USING MESSAGE = users.problem;
    ELSIF users.kind = 'session' THEN
      sessions := users.relation;
    ELSIF users.kind = 'token' THEN
      tokens := users.relation;
    END IF;
  END LOOP;
  -- The users are the last ones.
  active := CASE WHEN users.has_active THEN 'u.is_active' ELSE 'true' END;
  IF sessions IS NOT NULL THEN
    RETURN QUERY EXECUTE format(
      'SELECT r.place, NULL::text, CASE WHEN octet_length(s.session_data) <= 1048576 THEN s.session_data::text END, true,
         s.expire_date <= now(), extract(epoch FROM s.expire_date)::float8
       FROM %s JOIN %s AS s ON s.session_key = r.value WHERE r.kind = ''session''', asked, sessions)
    USING requests;
  END IF;
  IF kinds && '{token}' THEN
    RETURN QUERY EXECUTE format(
      'SELECT r.place, u.%1$I::text, NULL::text, %2$s, false, NULL::float8
       FROM %3$s JOIN %4$s AS t ON t.key = r.value JOIN %5$s AS u ON u.%1$I = t.user_id WHERE r.kind = ''token''',
      users.key_column, active, asked, tokens, users.relation)
    USING requests;
  END IF;
  IF kinds && '{user,active}' THEN
    RETURN QUERY EXECUTE format(
      'SELECT r.place, u.%1$I::text, CASE r.kind WHEN ''user'' THEN u.password::text END, %2$s, false, NULL::float8
       FROM %3$s JOIN %4$s AS u ON u.%1$I = %5$s WHERE r.kind = ANY ($2)',
      users.key_column, active, asked, users.relation,
      -- An id that the column can't hold is nobody's, and no error.
      CASE users.key_kind
        WHEN 'integer' THEN 'CASE WHEN r.value ~ ''^(0|-?[1-9][0-9]{0,18})$'' THEN
          CASE WHEN r.value::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN r.value::bigint END END'
        WHEN 'uuid' THEN 'CASE WHEN r.value ~ ''^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'' THEN r.value::uuid END'
        ELSE 'r.value'
      END)
    USING requests, ARRAY(SELECT k FROM unnest(kinds) AS k WHERE k IN ('user', 'active'));
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.look_up(jsonb, text) IS
  'Answers a bridge''s questions about credentials, a list of {place, kind, value}: session (by its key: data and expiry), token (by its key: user), user (by id: password, is_active), active (the same without password, and only where logins are attached), ticket (by its hash, and uses it up: user), issue (for a user: a ticket).';

-- ---------------------------------------------------------------------------------------------------------------
-- Where access ends. Statement triggers with transition tables depend on no column, so that the backend's migrations
-- can alter or drop any; and nothing here fails because of what such a migration did.

CREATE FUNCTION notify_bridge.revoke_users() RETURNS trigger
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
  -- Only then: an INSERT of nothing would ring too.
  IF users IS NOT NULL THEN
    INSERT INTO notify_bridge.revocation (user_id, kind, reason)
    SELECT r.id, r.kind, r.reason FROM unnest(users, kinds, reasons) AS r (id, kind, reason);
  END IF;
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION notify_bridge.revoke_users() IS
  'Statement trigger of the users'' table: ends the access of users that are deleted or deactivated, and that by sessions where a password has changed.';

-- Sessions that expired long ago are cleared away in masses, and no socket is left of them.
CREATE FUNCTION notify_bridge.revoke_sessions() RETURNS trigger
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
  'Statement trigger of django_session: ends the access by sessions that are deleted, as a logout does.';

CREATE FUNCTION notify_bridge.revoke_tokens() RETURNS trigger
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
  'Statement trigger of authtoken_token: ends the access by tokens that are deleted or replaced.';

-- The short lock_timeout: whoever waits for a lock on the users' table holds up everybody behind.
CREATE FUNCTION notify_bridge.attach_logins(
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
    SELECT t.kind, w.relation, CASE WHEN w.relation IS NOT DISTINCT FROM t.relation THEN t.problem END AS problem
    FROM notify_bridge.login_tables((SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = attach_logins.user_table)) AS t,
      LATERAL (SELECT CASE t.kind WHEN 'user' THEN t.relation
        WHEN 'session' THEN coalesce(attach_logins.session_table, t.relation)
        ELSE coalesce(attach_logins.token_table, t.relation) END AS relation) AS w
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
      -- Django saves a session over and over; that ends nothing.
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
    RETURN NEXT format('%s: triggers notify_bridge_revoke_…', found.relation);
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_logins(regclass, regclass, regclass) IS
  'Has logout, a deleted token, a changed password, a deactivated or deleted user close their sockets: puts triggers on Django''s tables, which are found where they are not given. Safe to repeat. Returns what it did. Run grant_to again afterwards.';

CREATE FUNCTION notify_bridge.detach_login(relation regclass) RETURNS text
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
  RETURN format('%s: without triggers notify_bridge_revoke_…', detach_login.relation);
END
$$;

COMMENT ON FUNCTION notify_bridge.detach_login(regclass) IS 'Takes the triggers of attach_logins from one table.';

CREATE FUNCTION notify_bridge.detach_logins() RETURNS SETOF text
LANGUAGE sql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT notify_bridge.detach_login(l.relation) FROM notify_bridge.login AS l ORDER BY l.kind DESC;
$$;

COMMENT ON FUNCTION notify_bridge.detach_logins() IS
  'Undoes attach_logins: connected clients are told of no logout any more. Returns what it did.';

-- ---------------------------------------------------------------------------------------------------------------
-- Rights.

CREATE FUNCTION notify_bridge.grant_logins_to(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  attached record;
BEGIN
  EXECUTE format('GRANT SELECT ON notify_bridge.login TO %I', role);
  EXECUTE format(
    'GRANT EXECUTE ON FUNCTION
       notify_bridge.column_type(regclass, name), notify_bridge.kind_of(regtype), notify_bridge.find_table(text),
       notify_bridge.user_columns(regclass), notify_bridge.login_tables(text),
       notify_bridge.look_up(jsonb, text), notify_bridge.redeem_tickets(bytea[]), notify_bridge.issue_ticket(text),
       notify_bridge.clean_logins() TO %I', role);
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
  'The part of grant_to that logins need: look up credentials, in the attached tables only the columns that it takes.';

CREATE FUNCTION notify_bridge.grant_backend_to(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA notify_bridge TO %I', role);
  EXECUTE format(
    'GRANT EXECUTE ON FUNCTION
       notify_bridge.issue_ticket(text), notify_bridge.issue_ticket(anyelement),
       notify_bridge.disconnect_user(text), notify_bridge.disconnect_user(anyelement) TO %I', role);
END
$$;

COMMENT ON FUNCTION notify_bridge.grant_backend_to(name) IS
  'Lets an existing role, a backend''s, issue tickets and disconnect users. Inserting notifications needs no right here.';

REVOKE ALL ON notify_bridge.login, notify_bridge.ticket FROM PUBLIC;
REVOKE ALL ON FUNCTION
  notify_bridge.disconnect_user(text), notify_bridge.disconnect_user(anyelement),
  notify_bridge.issue_ticket(text), notify_bridge.issue_ticket(anyelement),
  notify_bridge.redeem_tickets(bytea[]), notify_bridge.clean_logins(),
  notify_bridge.find_table(text), notify_bridge.user_columns(regclass), notify_bridge.login_tables(text),
  notify_bridge.look_up(jsonb, text),
  notify_bridge.revoke_users(), notify_bridge.revoke_sessions(), notify_bridge.revoke_tokens(),
  notify_bridge.attach_logins(regclass, regclass, regclass), notify_bridge.detach_login(regclass),
  notify_bridge.detach_logins(), notify_bridge.grant_logins_to(name), notify_bridge.grant_backend_to(name)
FROM PUBLIC;

-- As before, and what logins need.
CREATE OR REPLACE FUNCTION notify_bridge.grant_to(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  it record;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = grant_to.role) THEN
    RAISE undefined_object USING
      MESSAGE = format('role "%s" does not exist', grant_to.role),
      HINT = format('CREATE ROLE %I LOGIN, then repeat.', grant_to.role);
  END IF;
  EXECUTE format('GRANT USAGE ON SCHEMA notify_bridge TO %I', role);
  PERFORM notify_bridge.grant_logins_to(role);
  EXECUTE format(
    'GRANT SELECT ON notify_bridge.migration, notify_bridge.source, notify_bridge.served, notify_bridge.replica,
       notify_bridge.revocation TO %I', role);
  FOR it IN
    SELECT p.oid::regprocedure AS signature FROM pg_proc AS p WHERE p.pronamespace = 'notify_bridge'::regnamespace
      AND p.proname IN ('register_replica', 'arm', 'touch_replica', 'unregister_replica', 'resend', 'purge', 'repair_txids')
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', it.signature, role);
  END LOOP;
  FOR it IN
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
    IF NOT has_schema_privilege(role, it.schema_oid, 'USAGE') THEN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', it.schema_name, role);
    END IF;
    EXECUTE format('GRANT SELECT, UPDATE (%s) ON %s TO %I', it.marks, it.relation, role);
  END LOOP;
END
$$;
