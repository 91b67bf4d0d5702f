-- Rows that logical replication writes. The session that applies them fires row triggers alone, and those only that are
-- enabled for replication. So two triggers fire there and nowhere else, and cost the sessions of a backend nothing.
-- (written_txid.sql gives what is inserted a txid of this cluster.)
--
-- An UPDATE of the publisher sets all columns, also those that are the bridge's. What a row has here counts: it keeps its
-- txid, and stays sent where it was, here or there. A row with another recipient is new, as in renew.sql. So is one from
-- before its table was attached that was sent again.

CREATE OR REPLACE FUNCTION notify_bridge.make_replication(known notify_bridge.source) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Like renew_N(), it pins no search_path, which would cost more than all the rest, and qualifies every name instead.
  EXECUTE format(
    'CREATE OR REPLACE FUNCTION notify_bridge.keep_%1$s() RETURNS trigger
     LANGUAGE plpgsql VOLATILE SECURITY DEFINER
     AS $body$
     BEGIN
       IF NEW.%3$I OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id() THEN
         RETURN NEW;
       ELSIF NEW.%2$I IS NOT NULL AND (
         OLD.%3$I IS NULL AND NEW.%3$I IS NOT NULL AND NEW.%4$I IS NULL %5$s
         OR OLD.%3$I IS NOT NULL %6$s AND (OLD.%2$I IS NULL OR OLD.%2$I OPERATOR(pg_catalog.<>) NEW.%2$I))
       THEN
         NEW.%3$I := pg_catalog.pg_current_xact_id();
         NEW.%4$I := NULL;
         %7$s
         PERFORM notify_bridge.ring_now();
       ELSE
         NEW.%3$I := OLD.%3$I;
         NEW.%4$I := coalesce(NEW.%4$I, OLD.%4$I);
         %8$s
       END IF;
       RETURN NEW;
     EXCEPTION WHEN OTHERS THEN
       PERFORM notify_bridge.warn_unrenewed(SQLSTATE);
       RETURN NEW;
     END
     $body$',
    known.number, known.recipient_column, known.txid_column, known.sent_at_column,
    CASE WHEN known.sent_column IS NOT NULL THEN format('AND NEW.%I IS NOT TRUE', known.sent_column) END,
    -- Inserted as sent: it is for nobody.
    CASE WHEN known.sent_column IS NOT NULL
      THEN format('AND (OLD.%I IS NOT NULL OR OLD.%I IS NOT TRUE)', known.sent_at_column, known.sent_column) END,
    CASE WHEN known.sent_column IS NOT NULL THEN format('NEW.%I := false;', known.sent_column) END,
    CASE WHEN known.sent_column IS NOT NULL THEN format('NEW.%1$I := NEW.%1$I OR OLD.%1$I;', known.sent_column) END);
  EXECUTE format('COMMENT ON FUNCTION notify_bridge.keep_%s() IS %L', known.number,
    'Row trigger BEFORE UPDATE by logical replication: a row keeps the txid that it has here, and stays sent if it was; one with another recipient is new.');
  EXECUTE format('REVOKE ALL ON FUNCTION notify_bridge.keep_%s() FROM PUBLIC', known.number);
END
$$;

COMMENT ON FUNCTION notify_bridge.make_replication(notify_bridge.source) IS
  'Makes the function that a served table''s trigger notify_bridge_applied calls, from the names of its columns.';

CREATE OR REPLACE FUNCTION notify_bridge.ring_replicated() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM notify_bridge.ring_now();
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION notify_bridge.ring_replicated() IS
  'Row trigger AFTER INSERT by logical replication, which fires no statement trigger: does what ring() does.';

CREATE OR REPLACE FUNCTION notify_bridge.attach_replication(table_number integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- ENABLE TRIGGER ALL, with which pg_restore --disable-triggers ends, has all triggers fire in sessions of a backend.
  is_replica CONSTANT text := $sql$ pg_catalog.current_setting('session_replication_role') OPERATOR(pg_catalog.=) 'replica' $sql$;
  known notify_bridge.source;
BEGIN
  SELECT s.* INTO known FROM notify_bridge.source AS s WHERE s.number = table_number;
  PERFORM notify_bridge.make_replication(known);
  IF notify_bridge.has_replication_triggers(known) THEN
    RETURN false;
  END IF;
  EXECUTE format(
    'CREATE OR REPLACE TRIGGER notify_bridge_replicated AFTER INSERT ON %1$s FOR EACH ROW WHEN (%3$s)
       EXECUTE FUNCTION notify_bridge.ring_replicated();
     CREATE OR REPLACE TRIGGER notify_bridge_applied BEFORE UPDATE ON %1$s FOR EACH ROW
       WHEN (%3$s AND pg_catalog.pg_trigger_depth() OPERATOR(pg_catalog.=) 0) EXECUTE FUNCTION notify_bridge.keep_%2$s();
     ALTER TABLE %1$s ENABLE REPLICA TRIGGER notify_bridge_replicated, ENABLE REPLICA TRIGGER notify_bridge_applied',
    known.relation, known.number, is_replica);
  EXECUTE format('COMMENT ON TRIGGER notify_bridge_replicated ON %s IS %L', known.relation,
    'Wakes NotifyBridge for rows of logical replication.');
  EXECUTE format('COMMENT ON TRIGGER notify_bridge_applied ON %s IS %L', known.relation,
    'NotifyBridge: what logical replication updates keeps the transaction that it has here.');
  RETURN true;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_replication(integer) IS
  'Gives a served table the triggers for logical replication. Returns whether it lacked one.';

CREATE OR REPLACE FUNCTION notify_bridge.has_replication_triggers(known notify_bridge.source) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT count(*) = 2 FROM pg_trigger AS g
  WHERE g.tgrelid = known.relation AND g.tgenabled = 'R' AND g.tgfoid IN (
    'notify_bridge.ring_replicated()'::regprocedure, to_regprocedure(format('notify_bridge.keep_%s()', known.number)))
$$;

COMMENT ON FUNCTION notify_bridge.has_replication_triggers(notify_bridge.source) IS
  'Whether a served table has the triggers for logical replication.';

-- As in renew.sql.
DO $$
DECLARE
  known notify_bridge.source;
BEGIN
  FOR known IN SELECT s.* FROM notify_bridge.source AS s LOOP
    PERFORM notify_bridge.make_replication(known);
  END LOOP;
END
$$;
