-- Operations on served tables, for operators and for a bridge: resend, repair after a restore.

CREATE OR REPLACE FUNCTION notify_bridge.require_served(relation regclass) RETURNS notify_bridge.source
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s notify_bridge.source;
BEGIN
  SELECT o.* INTO s FROM notify_bridge.source AS o WHERE o.relation = require_served.relation;
  IF NOT FOUND THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('%s is not served by notify-bridge', require_served.relation),
      HINT = 'SELECT relation FROM notify_bridge.source lists the served tables; notify-bridge attach adds one.';
  END IF;
  RETURN s;
END
$$;

COMMENT ON FUNCTION notify_bridge.require_served(regclass) IS 'The mapping of a served table; an error for any other.';

-- One function for ids of every type: with one for each, the literal '{1,2}' would be ambiguous.
CREATE OR REPLACE FUNCTION notify_bridge.resend(relation regclass, ids anycompatiblearray) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s notify_bridge.source := notify_bridge.require_served(resend.relation);
  changed bigint;
  found_ids text[];
BEGIN
  EXECUTE format(
    'WITH locked AS (
       SELECT t.%2$I AS id FROM %1$s AS t WHERE t.%2$I = ANY ($1::%3$s[]) ORDER BY t.%2$I FOR NO KEY UPDATE)
     UPDATE %1$s AS t SET %4$s %5$I = NULL, %6$I = pg_current_xact_id() FROM locked WHERE t.%2$I = locked.id',
    s.relation, s.id_column, notify_bridge.column_type(s.relation, s.id_column),
    CASE WHEN s.sent_column IS NOT NULL THEN format('%I = false,', s.sent_column) END, s.sent_at_column, s.txid_column)
  USING ids::text[];
  GET DIAGNOSTICS changed = ROW_COUNT;
  IF changed > 0 THEN
    PERFORM notify_bridge.wake();
    IF notify_bridge.logs_deliveries() THEN
      EXECUTE format('SELECT ARRAY(SELECT t.%2$I::text FROM %1$s AS t WHERE t.%2$I = ANY ($1::%3$s[]) AND t.%4$I = pg_current_xact_id())',
        s.relation, s.id_column, notify_bridge.column_type(s.relation, s.id_column), s.txid_column)
      INTO found_ids USING ids::text[];
      PERFORM notify_bridge.log_statement(s.number, found_ids, 'resent');
    END IF;
  END IF;
  RETURN changed;
END
$$;

COMMENT ON FUNCTION notify_bridge.resend(regclass, anycompatiblearray) IS
  'Has these rows of a served table delivered again: makes them unsent, with the current txid, and rings. Returns the number of rows found.';

-- No row of this cluster's past has such a txid: deltas leave these rows out, and without a repair they would come when the
-- cluster has counted so far. A table that fails holds up no other.
CREATE OR REPLACE FUNCTION notify_bridge.repair_rows() RETURNS TABLE (source text, repaired bigint, failure text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  s record;
  any_unsent boolean;
BEGIN
  FOR s IN
    SELECT o.*, format('%I.%I', n.nspname, c.relname) AS name
    FROM notify_bridge.source AS o JOIN pg_class AS c ON c.oid = o.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE notify_bridge.column_type(o.relation, o.id_column) IS NOT NULL
      AND notify_bridge.column_type(o.relation, o.txid_column) = 'xid8'::regtype
  LOOP
    source := s.name;
    failure := NULL;
    BEGIN
      -- The list is made first and its txid compared again, so that a row resent meanwhile keeps its new txid. Rows of this
      -- transaction look as if they came from the future too, and are left alone.
      EXECUTE format(
        'WITH future AS MATERIALIZED (
           SELECT t.%2$I AS id, t.%3$I AS txid FROM %1$s AS t
           WHERE t.%3$I >= pg_snapshot_xmax(pg_current_snapshot())
             AND t.%3$I IS DISTINCT FROM pg_current_xact_id_if_assigned()),
         repaired AS (
           UPDATE %1$s AS t SET %3$I = CASE WHEN %4$s THEN pg_current_xact_id() ELSE ''3'' END
           FROM future WHERE t.%2$I = future.id AND t.%3$I = future.txid
           RETURNING %4$s AS is_unsent)
         SELECT count(*), coalesce(bool_or(r.is_unsent), false) FROM repaired AS r',
        s.relation, s.id_column, s.txid_column,
        format('t.%I IS NULL', s.sent_at_column)
          || CASE WHEN s.sent_column IS NULL THEN '' ELSE format(' AND t.%I IS NOT TRUE', s.sent_column) END)
      INTO repaired, any_unsent;
      IF any_unsent THEN
        PERFORM notify_bridge.ring_now();
      END IF;
    EXCEPTION WHEN OTHERS THEN
      repaired := 0;
      failure := SQLSTATE;
    END;
    IF repaired > 0 OR failure IS NOT NULL THEN
      RETURN NEXT;
    END IF;
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.repair_rows() IS
  'Gives rows whose txid this cluster has not reached one of it: unsent rows the present one, so that they are delivered, others the oldest there is. Returns the tables where there were any, and with the SQLSTATE those that failed.';

CREATE OR REPLACE FUNCTION notify_bridge.repair_txids() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  total bigint;
BEGIN
  SELECT coalesce(sum(r.repaired), 0) INTO total FROM notify_bridge.repair_rows() AS r;
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
  'For a restored dump: repair_rows(), and the same for what notify_bridge records of its own. Returns the number of changed rows.';
