-- Operations on served tables, for operators and for a bridge: resend, retention, repair after a restore.

-- One function for ids of every type: with one for each, the literal '{1,2}' would be ambiguous.
CREATE OR REPLACE FUNCTION notify_bridge.resend(relation regclass, ids anycompatiblearray) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s notify_bridge.source;
  changed bigint;
BEGIN
  SELECT o.* INTO s FROM notify_bridge.source AS o WHERE o.relation = resend.relation;
  IF NOT FOUND THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('%s is not served by notify-bridge', resend.relation),
      HINT = 'SELECT relation FROM notify_bridge.source lists the served tables; notify-bridge attach adds one.';
  END IF;
  EXECUTE format(
    'WITH locked AS (
       SELECT t.%2$I AS id FROM %1$s AS t WHERE t.%2$I = ANY ($1::%3$s[]) ORDER BY t.%2$I FOR NO KEY UPDATE)
     UPDATE %1$s AS t SET %4$s %5$I = NULL, %6$I = pg_current_xact_id() FROM locked WHERE t.%2$I = locked.id',
    s.relation, s.id_column, notify_bridge.column_type(s.relation, s.id_column),
    CASE WHEN s.sent_column IS NOT NULL THEN format('%I = false,', s.sent_column) END, s.sent_at_column, s.txid_column)
  USING ids::text[];
  GET DIAGNOSTICS changed = ROW_COUNT;
  IF changed > 0
    AND coalesce(current_setting('notify_bridge.two_phase', true), '') NOT IN ('on', 'true', 'yes', '1')
  THEN
    PERFORM pg_notify('notify_bridge', '');
  END IF;
  RETURN changed;
END
$$;

COMMENT ON FUNCTION notify_bridge.resend(regclass, anycompatiblearray) IS
  'Has these rows of a served table delivered again: makes them unsent, with the current txid, and rings. Returns the number of rows found.';

CREATE OR REPLACE FUNCTION notify_bridge.purge(days integer, batch integer DEFAULT 10000, dry_run boolean DEFAULT false)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s record;
  due text;
  oldest timestamptz;
  newest xid8;
  changed bigint;
  total bigint := 0;
BEGIN
  IF days IS NULL OR days < 0 OR batch IS NULL OR batch <= 0 THEN
    RAISE invalid_parameter_value USING
      MESSAGE = 'batch must be at least 1, and days not below 0',
      HINT = 'With 0 days nothing is deleted from public.notification; each attached table has its own retention_days.';
  END IF;
  FOR s IN
    SELECT v.*, CASE WHEN v.is_own THEN days ELSE v.retention_days END AS age FROM notify_bridge.served AS v
    WHERE CASE WHEN v.is_own THEN days ELSE v.retention_days END > 0
      AND notify_bridge.column_type(v.relation, v.id_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.txid_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.sent_at_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.created_column) IS NOT NULL
      AND (v.sent_column IS NULL OR notify_bridge.column_type(v.relation, v.sent_column) IS NOT NULL)
    ORDER BY v.number
  LOOP
    oldest := now() - make_interval(days => s.age);
    due := format('t.%I < $1 AND (t.%I IS NOT NULL', s.created_column, s.sent_at_column)
      || CASE WHEN s.sent_column IS NULL THEN ')' ELSE format(' OR t.%I)', s.sent_column) END;
    IF dry_run THEN
      EXECUTE format('SELECT count(*) FROM %s AS t WHERE %s', s.relation, due) INTO changed USING oldest;
      total := total + changed;
      CONTINUE;
    END IF;
    -- DELETE repeats the condition: in a partitioned table an id may name several rows.
    EXECUTE format(
      'WITH gone AS (
         DELETE FROM %1$s AS t WHERE t.%2$I = ANY (ARRAY(
           SELECT t.%2$I FROM %1$s AS t WHERE %5$s ORDER BY t.%3$I LIMIT $2 FOR UPDATE SKIP LOCKED)) AND %5$s
         RETURNING t.%4$I AS txid)
       SELECT count(*), max(g.txid::text::numeric)::text::xid8 FROM gone AS g',
      s.relation, s.id_column, s.created_column, s.txid_column, due)
    INTO changed, newest USING oldest, batch - total;
    UPDATE notify_bridge.source AS o SET purged_txid = newest
    WHERE o.relation = s.relation AND newest > coalesce(o.purged_txid, '0');
    total := total + changed;
    EXIT WHEN total >= batch;
  END LOOP;
  RETURN total;
END
$$;

COMMENT ON FUNCTION notify_bridge.purge(integer, integer, boolean) IS
  'Deletes at most batch rows: those older than days from public.notification as migrate makes it (0: none), and those older than its retention_days from each attached table that has such a number. Unsent rows are kept; rows that are sent, or never to be sent, are deleted. Returns the number of deleted rows. With dry_run it deletes nothing and returns the number of all rows due. Repeat until it returns less than batch.';

CREATE OR REPLACE FUNCTION notify_bridge.repair_txids() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s record;
  changed bigint;
  total bigint := 0;
BEGIN
  FOR s IN
    SELECT o.* FROM notify_bridge.source AS o JOIN pg_class AS c ON c.oid = o.relation
    WHERE notify_bridge.column_type(o.relation, o.id_column) IS NOT NULL
      AND notify_bridge.column_type(o.relation, o.txid_column) = 'xid8'::regtype
  LOOP
    -- The list is made first and its txid compared again, so that a row resent meanwhile keeps its new txid. Rows of this
    -- transaction look as if they came from the future too, and are left alone.
    EXECUTE format(
      'WITH future AS MATERIALIZED (
         SELECT t.%2$I AS id, t.%3$I AS txid FROM %1$s AS t
         WHERE t.%3$I >= pg_snapshot_xmax(pg_current_snapshot())
           AND t.%3$I IS DISTINCT FROM pg_current_xact_id_if_assigned())
       UPDATE %1$s AS t SET %3$I = ''3'' FROM future WHERE t.%2$I = future.id AND t.%3$I = future.txid',
      s.relation, s.id_column, s.txid_column);
    GET DIAGNOSTICS changed = ROW_COUNT;
    total := total + changed;
  END LOOP;
  UPDATE notify_bridge.source AS o SET first_txid = '3'
  WHERE o.first_txid >= pg_snapshot_xmax(pg_current_snapshot())
    AND o.first_txid IS DISTINCT FROM pg_current_xact_id_if_assigned();
  UPDATE notify_bridge.source AS o SET purged_txid = NULL
  WHERE o.purged_txid >= pg_snapshot_xmax(pg_current_snapshot());
  -- A revocation of another history concerns no connected socket.
  DELETE FROM notify_bridge.revocation AS r
  WHERE r.txid >= pg_snapshot_xmax(pg_current_snapshot()) AND r.txid IS DISTINCT FROM pg_current_xact_id_if_assigned();
  RETURN total;
END
$$;

COMMENT ON FUNCTION notify_bridge.repair_txids() IS
  'For a restored dump: visible rows whose txid this cluster has not reached get txid 3, the oldest there is. Unsent rows stay unsent. Returns the number of changed rows.';
