-- A row whose recipient was changed, or that was made unsent by hand, is new: it gets the txid of the changing
-- transaction, as with resend, and rings. A row that an ORM saves with txid NULL, because it writes all columns, keeps the
-- txid that it had.
--
-- Each table has a function of its own, since names of columns can't be parameters at this speed: it costs a backend's
-- UPDATE four microseconds a row. The trigger's condition names no column, so that every column can be changed or dropped.
-- It keeps the marking of rows out, for which a bridge sets notify_bridge.marking. An UPDATE of the backend never fails
-- here: where a column is gone, it goes through without a new txid.

CREATE OR REPLACE FUNCTION notify_bridge.make_renewal(known notify_bridge.source) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Like ring(), it pins no search_path, which would cost more than all the rest, and qualifies every name instead.
  EXECUTE format(
    'CREATE OR REPLACE FUNCTION notify_bridge.renew_%1$s() RETURNS trigger
     LANGUAGE plpgsql VOLATILE SECURITY DEFINER
     AS $body$
     BEGIN
       IF OLD.%3$I IS NULL THEN
         RETURN NEW;
       END IF;
       NEW.%3$I := coalesce(NEW.%3$I, OLD.%3$I);
       IF NEW.%2$I IS NULL %5$s THEN
         RETURN NEW;
       END IF;
       IF OLD.%2$I IS NULL OR OLD.%2$I OPERATOR(pg_catalog.<>) NEW.%2$I
         OR OLD.%4$I IS NOT NULL AND NEW.%4$I IS NULL %6$s
       THEN
         NEW.%3$I := pg_catalog.pg_current_xact_id();
         NEW.%4$I := NULL;
         %7$s
         PERFORM notify_bridge.ring_now();
       END IF;
       RETURN NEW;
     EXCEPTION WHEN OTHERS THEN
       PERFORM notify_bridge.warn_unrenewed(SQLSTATE);
       RETURN NEW;
     END
     $body$',
    known.number, known.recipient_column, known.txid_column, known.sent_at_column,
    -- Inserted as sent: it is for nobody.
    CASE WHEN known.sent_column IS NOT NULL
      THEN format('OR OLD.%I IS NULL AND OLD.%I IS TRUE', known.sent_at_column, known.sent_column) END,
    CASE WHEN known.sent_column IS NOT NULL THEN format('AND NEW.%I IS NOT TRUE', known.sent_column) END,
    CASE WHEN known.sent_column IS NOT NULL THEN format('NEW.%I := false;', known.sent_column) END);
  EXECUTE format('COMMENT ON FUNCTION notify_bridge.renew_%s() IS %L', known.number,
    'Row trigger BEFORE UPDATE: a row with another recipient, or one that was made unsent by hand, gets the present txid and rings. Any other keeps its txid where it is set to NULL.');
  EXECUTE format('REVOKE ALL ON FUNCTION notify_bridge.renew_%s() FROM PUBLIC', known.number);
END
$$;

COMMENT ON FUNCTION notify_bridge.make_renewal(notify_bridge.source) IS
  'Makes the function that a served table''s trigger notify_bridge_renew calls, from the names of its columns.';

CREATE OR REPLACE FUNCTION notify_bridge.warn_unrenewed(failure text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF coalesce(current_setting('notify_bridge.has_warned', true), '') <> 'on' THEN
    PERFORM set_config('notify_bridge.has_warned', 'on', true);
    RAISE WARNING 'notify_bridge: changed rows are not delivered again (SQLSTATE %)', failure
      USING HINT = 'Attach the table again; a session from before a change of a column''s type needs to reconnect.';
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.warn_unrenewed(text) IS
  'Warns once in a transaction that the trigger notify_bridge_renew could not make a row new.';

CREATE OR REPLACE FUNCTION notify_bridge.attach_renewal(table_number integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known notify_bridge.source;
BEGIN
  SELECT s.* INTO known FROM notify_bridge.source AS s WHERE s.number = table_number;
  PERFORM notify_bridge.make_renewal(known);
  IF EXISTS (
    SELECT FROM pg_trigger AS g WHERE g.tgrelid = known.relation AND g.tgname = 'notify_bridge_renew'
      AND g.tgfoid = format('notify_bridge.renew_%s()', known.number)::regprocedure AND g.tgenabled IN ('O', 'A')
  ) THEN
    RETURN false;
  END IF;
  EXECUTE format(
    'CREATE OR REPLACE TRIGGER notify_bridge_renew BEFORE UPDATE ON %s FOR EACH ROW
       WHEN (pg_catalog.current_setting(''notify_bridge.marking'', true) IS DISTINCT FROM ''on'')
       EXECUTE FUNCTION notify_bridge.renew_%s()', known.relation, known.number);
  EXECUTE format('COMMENT ON TRIGGER notify_bridge_renew ON %s IS %L', known.relation,
    'Has NotifyBridge deliver a row whose recipient was changed.');
  RETURN true;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_renewal(integer) IS
  'Gives a served table the trigger that makes changed rows new. Returns whether it had none.';

CREATE OR REPLACE FUNCTION notify_bridge.detach_renewal(known notify_bridge.source) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM pg_class AS c WHERE c.oid = known.relation) THEN
    EXECUTE format('DROP TRIGGER IF EXISTS notify_bridge_renew ON %s', known.relation);
  END IF;
  EXECUTE format('DROP FUNCTION IF EXISTS notify_bridge.renew_%s()', known.number);
END
$$;

COMMENT ON FUNCTION notify_bridge.detach_renewal(notify_bridge.source) IS 'Undoes attach_renewal.';

CREATE OR REPLACE FUNCTION notify_bridge.ring_now() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF pg_sequence_last_value('notify_bridge.bell'::regclass) <> 0 THEN
    PERFORM notify_bridge.wake();
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.ring_now() IS 'Does for one row what ring() does for a statement.';

-- The functions of tables are made anew, so that they are of the present version. Triggers stay as they are.
DO $$
DECLARE
  known notify_bridge.source;
BEGIN
  FOR known IN SELECT s.* FROM notify_bridge.source AS s LOOP
    PERFORM notify_bridge.make_renewal(known);
  END LOOP;
END
$$;
