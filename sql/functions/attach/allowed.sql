-- Tables that can be attached, and the rights that this needs.

CREATE OR REPLACE FUNCTION notify_bridge.attach_allowed(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  target record;
  other record;
  problem text;
BEGIN
  SELECT c.relkind, c.relpersistence, c.relispartition, n.oid AS schema_oid, n.nspname AS schema_name INTO target
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = relation;
  problem := CASE
    WHEN target IS NULL THEN 'does not exist'
    WHEN target.schema_name IN ('pg_catalog', 'information_schema', 'pg_toast') THEN 'belongs to PostgreSQL'
    WHEN target.schema_name = 'notify_bridge' THEN 'belongs to notify-bridge'
    WHEN target.relkind NOT IN ('r', 'p') THEN 'is not a table: attach the one that rows are inserted into'
    WHEN target.relpersistence = 't' THEN 'is temporary: no other session sees its rows'
    WHEN target.relispartition THEN format('is a partition: attach %s', pg_partition_root(relation))
    WHEN EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = relation
        OR i.inhparent = relation AND target.relkind = 'r')
      THEN 'inherits from another table, or another one from it: only declarative partitions can be served'
  END;
  IF problem IS NOT NULL THEN
    RAISE wrong_object_type USING MESSAGE = format('%s %s', relation, problem);
  END IF;
  FOR other IN
    SELECT t.relid, c.relkind, r.rolname FROM notify_bridge.tables_of(relation) AS t
    JOIN pg_class AS c ON c.oid = t.relid JOIN pg_roles AS r ON r.oid = c.relowner
  LOOP
    IF other.relkind NOT IN ('r', 'p') THEN
      RAISE wrong_object_type USING MESSAGE = format('partition %s is a foreign table', other.relid);
    ELSIF NOT pg_has_role(other.rolname, 'USAGE') THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('%s belongs to %I, and %I may not change it', other.relid, other.rolname, current_user),
        HINT = format('Run it as a role that has both: GRANT %I TO %I', other.rolname, current_user);
    END IF;
  END LOOP;
  IF NOT has_schema_privilege(target.schema_oid, 'CREATE') THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('%I may not create indexes in schema %I', current_user, target.schema_name),
      HINT = format('GRANT CREATE ON SCHEMA %I TO %I', target.schema_name, current_user);
  END IF;
  FOR other IN -- resend and purge run as the owner of the schema
    SELECT r.rolname, has_table_privilege(r.oid, relation, 'SELECT') AND has_table_privilege(r.oid, relation, 'UPDATE')
      AND has_table_privilege(r.oid, relation, 'DELETE') AS is_enough
    FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner WHERE n.nspname = 'notify_bridge'
  LOOP
    IF NOT pg_has_role(other.rolname, 'USAGE') THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('schema notify_bridge belongs to %I, and %I may not change it', other.rolname, current_user),
        HINT = format('Run it as a role that has both: GRANT %I TO %I', other.rolname, current_user);
    ELSIF NOT other.is_enough THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('%I, which schema notify_bridge belongs to, may not change %s', other.rolname, relation),
        HINT = format('GRANT SELECT, UPDATE, DELETE ON %s TO %I', relation, other.rolname);
    END IF;
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_allowed(regclass) IS
  'Raises an error where the table can''t be attached, or the caller lacks a right that attaching needs.';
