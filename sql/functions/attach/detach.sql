-- detach undoes attach, and drops public.notification where migrate made it.

CREATE OR REPLACE FUNCTION notify_bridge.detach(relation regclass) RETURNS TABLE (step text, what text)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
#variable_conflict use_column
DECLARE
  known notify_bridge.source;
  name text;
BEGIN
  PERFORM notify_bridge.attach_lock(relation);
  SELECT s.* INTO known FROM notify_bridge.source AS s WHERE s.relation = detach.relation;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'note', format('%s is not attached', detach.relation);
    RETURN;
  END IF;
  name := coalesce(known.added ->> 'name', known.relation::text);
  IF EXISTS (SELECT FROM pg_class AS c WHERE c.oid = detach.relation) THEN
    PERFORM notify_bridge.lock_table(relation, 'ACCESS EXCLUSIVE');
    IF known.is_own THEN
      name := relation::text;
      RETURN QUERY SELECT 'did', d FROM notify_bridge.detach_own(known) AS d;
    ELSE
      RETURN QUERY SELECT 'did', d FROM notify_bridge.detach_remove(known) AS d;
      RETURN QUERY SELECT DISTINCT 'note',
          format('%1$I keeps its rights on %2$s: REVOKE ALL ON %2$s FROM %1$I', r.rolname, c.oid::regclass)
        FROM pg_class AS c, pg_proc AS p, aclexplode(p.proacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
        WHERE c.oid = detach.relation AND a.grantee NOT IN (p.proowner, c.relowner)
          AND p.oid = 'notify_bridge.register_replica(text, text, integer, text)'::regprocedure
          AND EXISTS (SELECT FROM aclexplode(c.relacl) AS x WHERE x.grantee = a.grantee);
    END IF;
  END IF;
  PERFORM notify_bridge.detach_renewal(known);
  EXECUTE format('DROP FUNCTION IF EXISTS notify_bridge.keep_%s()', known.number);
  DELETE FROM notify_bridge.source AS s WHERE s.relation = detach.relation;
  RETURN QUERY SELECT 'did', format('%s is no longer served', name);
  IF known.is_own THEN
    RETURN QUERY SELECT 'note', 'notify-bridge migrate makes public.notification again, except with --no-table';
  END IF;
  PERFORM notify_bridge.wake();
END
$$;

COMMENT ON FUNCTION notify_bridge.detach(regclass) IS
  'Undoes attach: drops the columns and triggers that it added, and stops serving the table. Drops public.notification where migrate made it, if it is empty. A dropped table is given by its number. Repeating it does nothing.';

-- The caller holds the table exclusively.
CREATE OR REPLACE FUNCTION notify_bridge.detach_own(known notify_bridge.source) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name CONSTANT text := known.relation::text;
  has_rows boolean;
  other regclass;
BEGIN
  IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
    RAISE object_not_in_prerequisite_state USING -- The snapshot is older than the lock, and may lack rows.
      MESSAGE = format('%s can only be dropped in a READ COMMITTED transaction', name),
      HINT = 'SET default_transaction_isolation = ''read committed'', then repeat.';
  END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO has_rows;
  IF has_rows THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('%s is notify-bridge''s own table and holds rows: detach drops it only when it is empty', name),
      HINT = format('Move its rows elsewhere or delete them (TRUNCATE %s), then repeat.', name);
  END IF;
  FOR other IN SELECT f.confrelid FROM pg_constraint AS f WHERE f.conrelid = known.relation AND f.contype = 'f' LOOP
    PERFORM notify_bridge.lock_table(other, 'ACCESS EXCLUSIVE', is_first => false); -- DROP TABLE would wait for it.
  END LOOP;
  EXECUTE format('DROP TABLE %s', name);
  RETURN NEXT format('dropped table %s', name);
END
$$;

COMMENT ON FUNCTION notify_bridge.detach_own(notify_bridge.source) IS
  'Drops the own table, and returns a description of that. An error where it holds rows.';

-- The caller holds the table exclusively.
CREATE OR REPLACE FUNCTION notify_bridge.detach_remove(known notify_bridge.source) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  added record;
BEGIN
  FOR added IN
    SELECT t.relid, g.tgname FROM notify_bridge.tables_of(known.relation) AS t
    JOIN pg_trigger AS g ON g.tgrelid = t.relid AND g.tgparentid = 0
    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'notify_bridge'::regnamespace
      AND p.proname IN ('ring', 'ring_replicated', 'write_txid', 'keep_' || known.number)
    ORDER BY t.relid, g.tgname
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', added.tgname, added.relid);
    RETURN NEXT format('dropped trigger %I on %s', added.tgname, added.relid);
  END LOOP;
  -- The indexes go with their columns. A column of that name and another type is not the added one.
  FOR added IN
    SELECT c.name FROM jsonb_array_elements_text(known.added -> 'columns') AS c (name)
    WHERE notify_bridge.column_type(known.relation, c.name::name) = ANY ('{xid8,timestamptz}'::regtype[])
  LOOP
    EXECUTE format('ALTER TABLE %s DROP COLUMN %I', known.relation, added.name);
    RETURN NEXT format('dropped column %I, and the indexes on it', added.name);
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.detach_remove(notify_bridge.source) IS
  'Drops the triggers and columns that attach added to a table, and returns a description of each.';
