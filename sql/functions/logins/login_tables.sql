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
    coalesce(notify_bridge.kind_of(notify_bridge.column_type(relation, 'password')) = 'text', false),
    coalesce(notify_bridge.column_type(relation, 'is_active') = 'bool'::regtype, false)
  FROM (VALUES (1)) AS one
  LEFT JOIN pg_index AS i ON i.indrelid = relation AND i.indisprimary AND i.indnkeyatts = 1
  LEFT JOIN pg_attribute AS key ON key.attrelid = i.indrelid AND key.attnum = i.indkey[0];
$$;

COMMENT ON FUNCTION notify_bridge.user_columns(regclass) IS
  'The columns of a table of users: the primary key, its kind (null: a bridge can''t compare it), and whether there are password, a text, and is_active, a boolean. Without is_active every user is active.';

CREATE OR REPLACE FUNCTION notify_bridge.login_problem(kind text, relation regclass, user_kind text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN a.attname IS NULL THEN format('%s has no column %I', login_problem.relation, w.name)
    ELSE format('column %I of %s is %s, not %s', w.name, login_problem.relation, format_type(a.atttypid, a.atttypmod), w.what)
  END
  FROM (VALUES
    ('session', 1, 'session_key', '{text,varchar}'::regtype[], 'text'),
    ('session', 2, 'session_data', '{text,varchar}', 'text'),
    ('session', 3, 'expire_date', '{timestamptz,timestamp}', 'a timestamp'),
    ('token', 1, 'key', '{text,varchar}', 'text'),
    ('token', 2, 'user_id', CASE login_problem.user_kind WHEN 'integer' THEN '{int2,int4,int8}' WHEN 'uuid' THEN '{uuid}'
      WHEN 'text' THEN '{text,varchar}' ELSE '{int2,int4,int8,uuid,text,varchar}' END::regtype[],
      coalesce(nullif(login_problem.user_kind, 'integer'), 'an integer') || ' as the key of users'),
    ('user', 1, 'password', '{text,varchar}', 'text'),
    ('user', 2, 'is_active', '{bool}', 'boolean')
  ) AS w (kind, place, name, types, what)
  LEFT JOIN pg_attribute AS a
    ON a.attrelid = login_problem.relation AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_type AS t ON t.oid = a.atttypid
  WHERE w.kind = login_problem.kind AND (a.attname IS NULL AND w.name <> 'is_active'
    OR coalesce(nullif(t.typbasetype, 0), t.oid) <> ALL (w.types::oid[]))
  ORDER BY w.place LIMIT 1
$$;

COMMENT ON FUNCTION notify_bridge.login_problem(text, regclass, text) IS
  'What keeps a table from being used for logins of a kind (session, token, user): a column that is missing or has another type. Null: nothing. A token''s user_id is of the kind of the key of users, where that is given.';

-- The target of a foreign key counts only where it has a password: a recipient may also be a profile.
CREATE OR REPLACE FUNCTION notify_bridge.login_tables(
  user_table text DEFAULT NULL, session_table regclass DEFAULT NULL, token_table regclass DEFAULT NULL)
RETURNS TABLE (
  kind text, relation regclass, is_attached boolean, key_column name, key_kind text, has_active boolean, problem text)
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  wanted CONSTANT text := nullif(login_tables.user_table, '');
  users record;
  columns record;
BEGIN
  SELECT u.relation, u.is_attached INTO users
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
  SELECT c.* INTO columns FROM notify_bridge.user_columns(users.relation) AS c;

  FOR kind, relation, is_attached, key_column IN
    SELECT django.kind, found.relation, l.relation IS NOT DISTINCT FROM found.relation AND found.relation IS NOT NULL,
      django.key_column
    FROM (VALUES
      ('session', 'django_session', 'session_key', login_tables.session_table),
      ('token', 'authtoken_token', 'key', login_tables.token_table)) AS django (kind, name, key_column, given)
    LEFT JOIN notify_bridge.login AS l ON l.kind = django.kind
    LEFT JOIN pg_class AS c ON c.oid = l.relation
    CROSS JOIN LATERAL (SELECT coalesce(
      django.given, c.oid::regclass, notify_bridge.resolve_table(django.name)) AS relation) AS found
    ORDER BY django.kind
  LOOP
    key_kind := 'text';
    problem := CASE
      WHEN relation IS NULL THEN format('there is no table %s', CASE kind WHEN 'session' THEN 'django_session' ELSE 'authtoken_token' END)
      ELSE notify_bridge.login_problem(kind, relation, columns.key_kind) END;
    RETURN NEXT;
  END LOOP;

  kind := 'user';
  relation := users.relation;
  is_attached := users.is_attached;
  key_column := columns.key_column;
  key_kind := columns.key_kind;
  has_active := columns.has_active;
  problem := CASE
    WHEN relation IS NULL THEN format('there is no table %s', coalesce(wanted, 'auth_user'))
    WHEN key_kind IS NULL THEN format('%s has no primary key of one column, an integer, uuid or text', relation)
    ELSE notify_bridge.login_problem('user', relation) END;
  RETURN NEXT;
END
$$;

COMMENT ON FUNCTION notify_bridge.login_tables(text, regclass, regclass) IS
  'The tables of sessions, tokens and users, each with the problem that keeps it from being used, or null. Users: the given table, else the attached one, else the one that an attached recipient or authtoken_token.user_id refers to, else auth_user. Sessions and tokens: the given table, else the attached one, else the one of Django''s name.';
