-- What operators, and the bridge for them, do with served tables.

CREATE FUNCTION notify_bridge.resend(relation regclass, ids bigint[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  changed bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM notify_bridge.source AS s WHERE s.relation = resend.relation) THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('%s is not served by notify-bridge', resend.relation),
      HINT = 'SELECT relation FROM notify_bridge.source lists the served tables; notify-bridge attach adds one.';
  END IF;
  EXECUTE format(
    'WITH l AS (SELECT t.id FROM %1$s AS t WHERE t.id = ANY ($1) ORDER BY t.id FOR NO KEY UPDATE)
     UPDATE %1$s AS t SET is_sent = false, sent_at = NULL, txid = pg_current_xact_id()
     FROM l WHERE t.id = l.id', resend.relation)
  USING ids;
  GET DIAGNOSTICS changed = ROW_COUNT;
  IF changed > 0
    AND coalesce(current_setting('notify_bridge.two_phase', true), '') NOT IN ('on', 'true', 'yes', '1')
  THEN
    PERFORM pg_notify('notify_bridge', '');
  END IF;
  RETURN changed;
END
$$;

COMMENT ON FUNCTION notify_bridge.resend(regclass, bigint[]) IS
  'Has these rows of a served table delivered again: unsent, with the txid of now, and rings. Returns how many there were.';

CREATE FUNCTION notify_bridge.purge(days integer, batch integer DEFAULT 10000, dry_run boolean DEFAULT false)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own regclass;
  due CONSTANT text := 't.created_at < $1 AND (t.sent_at IS NOT NULL OR t.is_sent)';
  oldest timestamptz;
  newest xid8;
  changed bigint;
BEGIN
  IF days IS NULL OR days <= 0 OR batch IS NULL OR batch <= 0 THEN
    RAISE invalid_parameter_value USING
      MESSAGE = 'days and batch must be at least 1',
      HINT = 'To keep everything, do not purge.';
  END IF;
  SELECT s.relation INTO own
  FROM notify_bridge.source AS s JOIN pg_class AS c ON c.oid = s.relation WHERE s.is_own;
  IF own IS NULL THEN
    RETURN 0;
  END IF;
  oldest := now() - make_interval(days => days);
  IF dry_run THEN
    EXECUTE format('SELECT count(*) FROM %s AS t WHERE ' || due, own) INTO changed USING oldest;
    RETURN changed;
  END IF;
  EXECUTE format(
    'WITH gone AS (
       DELETE FROM %1$s AS d WHERE d.id = ANY (ARRAY(
         SELECT t.id FROM %1$s AS t WHERE ' || due || ' ORDER BY t.created_at LIMIT $2 FOR UPDATE SKIP LOCKED))
       RETURNING d.txid)
     SELECT count(*), max(g.txid::text::numeric)::text::xid8 FROM gone AS g', own)
  INTO changed, newest USING oldest, batch;
  UPDATE notify_bridge.source AS s SET purged_txid = newest
  WHERE s.relation = own AND newest > coalesce(s.purged_txid, '0');
  RETURN changed;
END
$$;

COMMENT ON FUNCTION notify_bridge.purge(integer, integer, boolean) IS
  'Deletes at most batch rows older than days from the table that the migrations made: those sent, and those never to be sent. Unsent ones are kept, and attached tables are never touched. Returns how many; dry_run counts all that are due instead. Repeat until it returns less than batch.';

CREATE FUNCTION notify_bridge.repair_txids() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  served regclass;
  changed bigint;
  total bigint := 0;
BEGIN
  FOR served IN SELECT s.relation FROM notify_bridge.source AS s JOIN pg_class AS c ON c.oid = s.relation LOOP
    -- The list is made first, and its txid compared again: a row sent again meanwhile keeps its new one.
    -- Rows of this very transaction look as if they came from the future too, and are none of ours.
    EXECUTE format(
      'WITH l AS MATERIALIZED (
         SELECT t.id, t.txid FROM %1$s AS t
         WHERE t.txid >= pg_snapshot_xmax(pg_current_snapshot())
           AND t.txid IS DISTINCT FROM pg_current_xact_id_if_assigned())
       UPDATE %1$s AS t SET txid = ''3'' FROM l WHERE t.id = l.id AND t.txid = l.txid', served);
    GET DIAGNOSTICS changed = ROW_COUNT;
    total := total + changed;
  END LOOP;
  UPDATE notify_bridge.source AS s SET first_txid = '3'
  WHERE s.first_txid >= pg_snapshot_xmax(pg_current_snapshot())
    AND s.first_txid IS DISTINCT FROM pg_current_xact_id_if_assigned();
  UPDATE notify_bridge.source AS s SET purged_txid = NULL
  WHERE s.purged_txid >= pg_snapshot_xmax(pg_current_snapshot());
  RETURN total;
END
$$;

COMMENT ON FUNCTION notify_bridge.repair_txids() IS
  'For a restored dump: visible rows whose txid this cluster has not reached get txid 3, the oldest there is; what is unsent stays unsent. Returns how many rows.';

-- Runs with the caller's rights: only the owner of these objects can give them away.
CREATE FUNCTION notify_bridge.grant_to(role name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  served record;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = grant_to.role) THEN
    RAISE undefined_object USING
      MESSAGE = format('role "%s" does not exist', grant_to.role),
      HINT = format('CREATE ROLE %I LOGIN, then repeat.', grant_to.role);
  END IF;
  EXECUTE format('GRANT USAGE ON SCHEMA notify_bridge TO %I', role);
  EXECUTE format(
    'GRANT SELECT ON notify_bridge.migration, notify_bridge.source, notify_bridge.replica TO %I', role);
  EXECUTE format(
    'GRANT EXECUTE ON FUNCTION
       notify_bridge.register_replica(text, text, integer, text), notify_bridge.arm(integer, boolean),
       notify_bridge.touch_replica(integer), notify_bridge.unregister_replica(integer),
       notify_bridge.resend(regclass, bigint[]), notify_bridge.purge(integer, integer, boolean),
       notify_bridge.repair_txids() TO %I', role);
  FOR served IN
    SELECT s.relation, n.oid AS schema_oid, n.nspname AS schema_name,
      (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum)
       FROM pg_attribute AS a
       WHERE a.attrelid = c.oid AND a.attname IN ('is_sent', 'sent_at', 'is_read', 'read_at')
         AND a.attnum > 0 AND NOT a.attisdropped) AS marks
    FROM notify_bridge.source AS s
    JOIN pg_class AS c ON c.oid = s.relation
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LOOP
    IF NOT has_schema_privilege(role, served.schema_oid, 'USAGE') THEN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', served.schema_name, role);
    END IF;
    EXECUTE format('GRANT SELECT, UPDATE (%s) ON %s TO %I', served.marks, served.relation, role);
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.grant_to(name) IS
  'Gives an existing role what a bridge needs and nothing else: read the served tables and the bridge''s own, mark rows sent and read, and call the bridge''s functions. Repeat it after attaching a table.';

REVOKE ALL ON FUNCTION
  notify_bridge.resend(regclass, bigint[]),
  notify_bridge.purge(integer, integer, boolean),
  notify_bridge.repair_txids(),
  notify_bridge.grant_to(name)
FROM PUBLIC;
