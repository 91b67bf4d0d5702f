-- Django's tables of users, sessions and tokens.

CREATE OR REPLACE FUNCTION notify_bridge.resolve_table(name text) RETURNS regclass
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parts text[];
  found regclass;
BEGIN
  SELECT c.oid INTO found
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relname = resolve_table.name AND c.relkind IN ('r', 'p')
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  ORDER BY n.oid IN (SELECT t.relnamespace FROM notify_bridge.source AS s JOIN pg_class AS t ON t.oid = s.relation
      WHERE NOT s.is_own) DESC, n.nspname = 'public' DESC, n.nspname
  LIMIT 1;
  IF found IS NULL THEN
    parts := parse_ident(resolve_table.name);
    IF cardinality(parts) = 2 THEN
      found := to_regclass(format('%I.%I', parts[1], parts[2]));
    END IF;
  END IF;
  RETURN found;
END
$$;

COMMENT ON FUNCTION notify_bridge.resolve_table(text) IS
  'The table of this name, in a schema that has attached tables, else in public, else in any other schema; or the table schema.name. Null where there is none.';

CREATE OR REPLACE FUNCTION notify_bridge.user_columns(
  relation regclass, OUT key_column name, OUT key_kind text, OUT has_password boolean, OUT has_active boolean)
LANGUAGE sql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT key.attname,
    notify_bridge.kind_of(notify_bridge.column_type(relation, key.attname)),
    EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = 'password' AND NOT a.attisdropped),
    EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = 'is_active'
      AND a.atttypid = 'bool'::regtype AND NOT a.attisdropped)
  FROM (VALUES (1)) AS one
  LEFT JOIN pg_index AS i ON i.indrelid = relation AND i.indisprimary AND i.indnkeyatts = 1
  LEFT JOIN pg_attribute AS key ON key.attrelid = i.indrelid AND key.attnum = i.indkey[0];
$$;

COMMENT ON FUNCTION notify_bridge.user_columns(regclass) IS
  'The columns of a table of users: the primary key, its kind (null: a bridge can''t compare it), and whether there are password and is_active. Without is_active every user is active.';

-- The target of a foreign key counts only where it has a password: a recipient may also be a profile.
CREATE OR REPLACE FUNCTION notify_bridge.login_tables(user_table text DEFAULT NULL)
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
    SELECT django.kind, coalesce(c.oid, notify_bridge.resolve_table(django.name))::regclass, c.oid IS NOT NULL
    FROM (VALUES ('session', 'django_session'), ('token', 'authtoken_token')) AS django (kind, name)
    LEFT JOIN notify_bridge.login AS l ON l.kind = django.kind
    LEFT JOIN pg_class AS c ON c.oid = l.relation
    ORDER BY django.kind
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
    SELECT notify_bridge.resolve_table(wanted) AS relation, 1 AS place,
      EXISTS (SELECT FROM notify_bridge.login AS l WHERE l.kind = 'user' AND l.relation = notify_bridge.resolve_table(wanted)) AS is_attached
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
      SELECT notify_bridge.resolve_table('authtoken_token'), 'user_id', 2000000000) AS r
    JOIN pg_attribute AS a ON a.attrelid = r.relation AND a.attname = r.column_name
    JOIN pg_constraint AS f ON f.conrelid = r.relation AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]
    WHERE wanted IS NULL AND (SELECT c.has_password FROM notify_bridge.user_columns(f.confrelid) AS c)
    UNION ALL
    SELECT notify_bridge.resolve_table('auth_user'), 2100000000, false WHERE wanted IS NULL
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
  'The tables of sessions, tokens and users, each with the problem that keeps it from being used, or null. Users: the given table, else the attached one, else the one that an attached recipient or authtoken_token.user_id refers to, else auth_user.';
