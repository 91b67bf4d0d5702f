-- attach has an existing table served. Its rows keep their shape for the backend, and rows from before are not sent.
--
-- A row is new where its txid is set. So the column comes without a default, which leaves it null in old rows, and gets its
-- default in a second step of the same transaction, which also creates the trigger. That transaction holds the table
-- exclusively: a row written before it has no txid, and a row written after it has one and rings.

CREATE OR REPLACE FUNCTION notify_bridge.attach(
  relation regclass, recipient name DEFAULT NULL, id name DEFAULT NULL, payload text DEFAULT NULL,
  sent name DEFAULT NULL, created name DEFAULT NULL, read name DEFAULT NULL, retention_days integer DEFAULT NULL,
  build_indexes boolean DEFAULT NULL, force boolean DEFAULT false, created_zone text DEFAULT NULL)
RETURNS TABLE (step text, what text)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
#variable_conflict use_column
DECLARE
  plan notify_bridge.source;
  known notify_bridge.source;
  is_new boolean;
  is_small boolean;
  other record;
BEGIN
  PERFORM notify_bridge.attach_lock(relation);
  BEGIN -- What the plan reads it locks. Rolled back, it leaves no lock, so the next one is the first.
    plan := notify_bridge.attach_plan(relation, recipient, id, payload, sent, created, read, retention_days, created_zone);
    RAISE SQLSTATE 'NBPLN';
  EXCEPTION WHEN SQLSTATE 'NBPLN' THEN
    NULL;
  END;
  IF NOT notify_bridge.attach_is_complete(plan) THEN
    IF NOT force THEN
      PERFORM notify_bridge.attach_refuse_copies(relation);
    END IF;
    PERFORM notify_bridge.lock_table(relation, 'ACCESS EXCLUSIVE');
    is_new := notify_bridge.column_type(relation, plan.txid_column) IS NULL;
    RETURN QUERY SELECT 'did', 'added ' || a FROM notify_bridge.attach_add(plan) AS a;
  END IF;
  SELECT s.* INTO known FROM notify_bridge.source AS s WHERE s.relation = attach.relation;
  INSERT INTO notify_bridge.source AS s (relation, is_own, id_column, id_kind, recipient_column, recipient_kind, payload,
    payload_kind, payload_column, payload_columns, txid_column, sent_column, sent_at_column, created_column, created_zone,
    read_column, read_at_column, retention_days, added)
  VALUES (plan.relation, plan.is_own, plan.id_column, plan.id_kind, plan.recipient_column, plan.recipient_kind, plan.payload,
    plan.payload_kind, plan.payload_column, plan.payload_columns, plan.txid_column, plan.sent_column, plan.sent_at_column,
    plan.created_column, plan.created_zone, plan.read_column, plan.read_at_column, plan.retention_days, plan.added)
  ON CONFLICT ON CONSTRAINT source_pkey DO UPDATE SET
    (id_column, id_kind, recipient_column, recipient_kind, payload, payload_kind, payload_column, payload_columns,
      txid_column, sent_column, sent_at_column, created_column, created_zone, read_column, read_at_column, retention_days,
      added)
    = (plan.id_column, plan.id_kind, plan.recipient_column, plan.recipient_kind, plan.payload, plan.payload_kind,
      plan.payload_column, plan.payload_columns, plan.txid_column, plan.sent_column, plan.sent_at_column,
      plan.created_column, plan.created_zone, plan.read_column, plan.read_at_column, plan.retention_days, plan.added);
  IF (known.recipient_column, known.payload) IS DISTINCT FROM (plan.recipient_column, plan.payload) THEN
    RETURN QUERY SELECT 'did', format('serving %s: rows for %I, with the payload %s',
      plan.relation, plan.recipient_column, btrim(plan.payload, E'\n'));
  END IF;
  IF (SELECT notify_bridge.attach_renewal(s.number) FROM notify_bridge.source AS s WHERE s.relation = attach.relation) THEN
    RETURN QUERY SELECT 'did', 'added trigger notify_bridge_renew: a row whose recipient is changed is delivered again';
  END IF;
  IF (SELECT notify_bridge.attach_replication(s.number) FROM notify_bridge.source AS s WHERE s.relation = attach.relation) THEN
    RETURN QUERY SELECT 'did', 'added triggers notify_bridge_replicated and notify_bridge_applied: for logical replication';
  END IF;
  IF is_new THEN -- A running transaction may still write, with an id from before this one.
    UPDATE notify_bridge.source AS s SET first_txid = pg_snapshot_xmin(pg_current_snapshot()) WHERE s.relation = plan.relation;
  END IF;

  EXECUTE format('SELECT count(*) < 10000 FROM (SELECT FROM %s LIMIT 10000) AS t', relation) INTO is_small;
  LOOP
    SELECT i.what, i.statement INTO other FROM notify_bridge.index_steps(plan.relation, online => false) AS i LIMIT 1;
    EXIT WHEN NOT FOUND;
    IF NOT coalesce(build_indexes, is_small) THEN
      RETURN QUERY SELECT 'next', format(
        'Rows are delivered once the indexes are built, while writers go on: notify-bridge attach %s', plan.relation);
      EXIT;
    END IF;
    EXECUTE other.statement;
    RETURN QUERY SELECT 'did', other.what;
  END LOOP;
  RETURN QUERY SELECT n.step, n.what FROM notify_bridge.attach_notes(plan) AS n;
  PERFORM notify_bridge.wake();
END
$$;

COMMENT ON FUNCTION notify_bridge.attach(regclass, name, name, text, name, name, name, integer, boolean, boolean, text) IS
  'Has an existing table served. Adds txid, sent_at, a trigger and two indexes where they are missing. Options that are omitted are inferred from the table; an empty name means none. Rows from before are not sent. It can be repeated at any time. For big tables, notify-bridge attach does the same without blocking writers. Returns the steps done (did), the next one (next), those left to do (todo), and hints (note).';

-- After ADD COLUMN such a trigger would make the backend's own statements fail.
CREATE OR REPLACE FUNCTION notify_bridge.attach_refuse_copies(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  other record;
BEGIN
  FOR other IN
    SELECT g.tgname, g.tgrelid::regclass AS relid, p.oid::regprocedure AS function
    FROM notify_bridge.tables_of(attach_refuse_copies.relation) AS t JOIN pg_trigger AS g ON g.tgrelid = t.relid
    JOIN pg_proc AS p ON p.oid = g.tgfoid
    WHERE NOT g.tgisinternal AND (p.prosrc ~* '\m(new|old)\M\s*\)?\s*\.\s*\*'
      OR p.prosrc ~* ('\*\s+from\s+"?(' || regexp_replace(coalesce(g.tgnewtable, g.tgoldtable), '\W', '\\\&', 'g') || ')\M'))
  LOOP
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('trigger %I of %s copies whole rows, and would fail once the table has a column more',
        other.tgname, other.relid),
      HINT = format('Have function %s name the columns instead of *, or attach with force => true (--force).',
        other.function);
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_refuse_copies(regclass) IS
  'Raises an error where a trigger of the table copies whole rows.';
