-- The steps of attach: lock the table, add columns and triggers, give advice.

-- A deadlock needs a session that holds a lock and waits for another, and its victim may be the backend. So a
-- transaction waits for a table only while it holds no other one, and its partitions are taken at once or not at all.
-- The wait ends before the server looks for deadlocks, which it does in whichever session has waited for deadlock_timeout.
CREATE OR REPLACE FUNCTION notify_bridge.lock_table(relation regclass, mode text, is_first boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
BEGIN
  IF is_first THEN
    PERFORM set_config('lock_timeout', notify_bridge.brief_lock_timeout(), true);
    EXECUTE format('LOCK TABLE ONLY %s IN %s MODE', relation, mode);
  END IF;
  EXECUTE format('LOCK TABLE %s IN %s MODE NOWAIT', relation, mode);
EXCEPTION
  WHEN lock_not_available OR deadlock_detected THEN
    RAISE lock_not_available USING
      MESSAGE = format('%s is in use: others would have to wait too long', relation),
      HINT = 'Nothing was changed. Repeat it; notify-bridge attach does so by itself, and locks one table at a time.';
END
$$;

COMMENT ON FUNCTION notify_bridge.lock_table(regclass, text, boolean) IS
  'Locks a table and its partitions until the end of the transaction. With is_first, for the first table of a transaction, it waits, but for less than deadlock_timeout; else not at all.';

CREATE OR REPLACE FUNCTION notify_bridge.brief_lock_timeout() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT greatest(1, least(1000, s.setting::integer / 2)) || 'ms' FROM pg_settings AS s WHERE s.name = 'deadlock_timeout'
$$;

COMMENT ON FUNCTION notify_bridge.brief_lock_timeout() IS
  'A lock_timeout below the server''s deadlock_timeout, and at most a second.';

-- The advisory lock comes first, so that two sessions that attach the same table wait for each other before they hold
-- anything else.
CREATE OR REPLACE FUNCTION notify_bridge.attach_lock(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('notify_bridge.attach', relation::oid::bigint));
EXCEPTION
  WHEN lock_not_available THEN
    RAISE lock_not_available USING
      MESSAGE = format('%s is being attached or detached by another session', relation),
      HINT = 'Nothing was changed. Repeat it; notify-bridge attach does so by itself.';
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_lock(regclass) IS
  'Waits, at most for a second, until no other session attaches the table.';

CREATE OR REPLACE FUNCTION notify_bridge.attach_add(plan notify_bridge.source) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  target record;
  tables integer := 0;
BEGIN
  IF notify_bridge.column_type(plan.relation, plan.txid_column) IS NULL THEN
    EXECUTE format('ALTER TABLE %s ADD COLUMN %I xid8', plan.relation, plan.txid_column);
    EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', plan.relation, plan.txid_column,
      'NotifyBridge: the transaction that wrote the row; leave it to the default.');
    RETURN NEXT format('column %I (xid8): the transaction that wrote a row, null for rows from before', plan.txid_column);
  END IF;
  IF notify_bridge.column_type(plan.relation, plan.sent_at_column) IS NULL THEN
    EXECUTE format('ALTER TABLE %s ADD COLUMN %I timestamptz', plan.relation, plan.sent_at_column);
    EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', plan.relation, plan.sent_at_column, 'NotifyBridge: when the row was sent.');
    RETURN NEXT format('column %I (timestamptz): when a row was sent', plan.sent_at_column);
  END IF;
  -- Apart from ADD COLUMN: a default given there would be set in all old rows.
  EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT pg_current_xact_id()', plan.relation, plan.txid_column);
  FOR target IN
    SELECT t.relid, g.tgname FROM notify_bridge.tables_of(plan.relation) AS t
    LEFT JOIN pg_trigger AS g ON g.tgrelid = t.relid AND g.tgfoid = 'notify_bridge.ring()'::regprocedure
    WHERE g.tgenabled IS DISTINCT FROM 'A' ORDER BY t.relid
  LOOP
    IF target.tgname IS NULL THEN
      target.tgname := 'notify_bridge_ring';
      EXECUTE format('CREATE TRIGGER notify_bridge_ring AFTER INSERT ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION notify_bridge.ring()', target.relid);
      EXECUTE format('COMMENT ON TRIGGER notify_bridge_ring ON %s IS %L', target.relid,
        'Wakes NotifyBridge when it waits for rows.');
    END IF;
    -- ALWAYS: rows written under session_replication_role = replica must ring too.
    EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %I', target.relid, target.tgname);
    tables := tables + 1;
  END LOOP;
  IF NOT notify_bridge.has_txid_trigger(plan) THEN
    PERFORM notify_bridge.create_txid_trigger(plan);
    RETURN NEXT format('trigger notify_bridge_txid: for rows that are written with %I NULL, or by another cluster', plan.txid_column);
  END IF;
  IF tables > 0 THEN
    RETURN NEXT 'trigger notify_bridge_ring: wakes the bridge, once for each INSERT statement'
      || CASE WHEN tables > 1 THEN format(' (on each of %s tables)', tables) ELSE '' END;
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_add(notify_bridge.source) IS
  'Adds the columns and triggers of the plan that the table lacks, and returns a description of each.';

CREATE OR REPLACE FUNCTION notify_bridge.attach_is_complete(plan notify_bridge.source) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT notify_bridge.column_type(plan.relation, plan.sent_at_column) IS NOT NULL
    AND EXISTS (SELECT FROM pg_attribute AS a
      WHERE a.attrelid = plan.relation AND a.attname = plan.txid_column AND a.atthasdef AND NOT a.attisdropped)
    AND notify_bridge.has_txid_trigger(plan)
    AND EXISTS (SELECT FROM notify_bridge.source AS s
      WHERE s.relation = plan.relation AND notify_bridge.has_replication_triggers(s))
    AND NOT EXISTS (SELECT FROM notify_bridge.tables_of(plan.relation) AS t WHERE NOT EXISTS (
      SELECT FROM pg_trigger AS g
      WHERE g.tgrelid = t.relid AND g.tgfoid = 'notify_bridge.ring()'::regprocedure AND g.tgenabled = 'A'))
$$;

COMMENT ON FUNCTION notify_bridge.attach_is_complete(notify_bridge.source) IS
  'Whether the table has every column and trigger that attach adds. Then it need not be locked.';

CREATE OR REPLACE FUNCTION notify_bridge.attach_notes(plan notify_bridge.source) RETURNS TABLE (step text, what text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT 'todo', format('As the owner: SELECT notify_bridge.grant_to(%L), which that bridge''s role needs for %s', r.rolname, plan.relation)
  FROM pg_proc AS p, aclexplode(p.proacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
  WHERE p.oid = 'notify_bridge.register_replica(text, text, integer, text)'::regprocedure AND a.grantee <> p.proowner
    AND NOT (has_table_privilege(r.oid, plan.relation, 'SELECT')
      AND has_column_privilege(r.oid, plan.relation, plan.sent_at_column, 'UPDATE'))
  UNION ALL
  SELECT 'note', format('marking a row sent is cheaper without the index %s, which it has to update', i.indexrelid::regclass)
  FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid
  WHERE i.indrelid = plan.relation AND a.attname IN (plan.sent_column, plan.sent_at_column)
    AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (
      SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))
  UNION ALL
  SELECT 'note', format('marking a row sent is cheaper with room in its page: ALTER TABLE %s SET (fillfactor = 50), for rows to come%s',
    min(t.relid::text), CASE WHEN count(*) > 1 THEN ', and so for each partition' ELSE '' END)
  FROM notify_bridge.tables_of(plan.relation) AS t JOIN pg_class AS c ON c.oid = t.relid
  WHERE t.is_leaf AND NOT EXISTS (SELECT FROM unnest(c.reloptions) AS o WHERE o LIKE 'fillfactor=%')
  HAVING count(*) > 0
  UNION ALL
  SELECT 'note', format('the retention reads the whole table unless %I has an index: CREATE INDEX CONCURRENTLY ON %s (%I)',
    plan.created_column, plan.relation, plan.created_column)
  WHERE plan.retention_days IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = plan.relation AND a.attname = plan.created_column)
  UNION ALL
  SELECT 'note', format('max_prepared_transactions is %s: PREPARE TRANSACTION fails in a transaction that has inserted a row. '
    'For a writer that uses it: ALTER ROLE ... SET notify_bridge.two_phase = on, and NOTIFY_BRIDGE_DATABASE_TWO_PHASE_WRITERS=true '
    'for the bridge', s.setting)
  FROM pg_settings AS s WHERE s.name = 'max_prepared_transactions' AND s.setting <> '0'
$$;

COMMENT ON FUNCTION notify_bridge.attach_notes(notify_bridge.source) IS
  'Advice after attaching: steps left to do (todo), and hints (note).';
