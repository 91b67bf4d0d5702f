-- The doorbell wakes listening bridges after a commit. It carries no row: a bridge reads the delta of its snapshots.
--
-- A transaction that NOTIFYs takes one lock for the whole cluster at commit, so the trigger skips NOTIFY while no bridge is
-- armed. Invariants, each of which loses rows when it is broken:
--   * A transaction has its id before the trigger reads the flag. So a transaction that read 0 is below the id B for which
--     an arming bridge waits (see notify_bridge.arm).
--   * A sequence has one value for all snapshots. So REPEATABLE READ and SERIALIZABLE are no exceptions.
--   * SECURITY DEFINER: writers have no right on the sequence, and must not need any.

-- ring() and wake() pin no search_path. SET makes the server forget its name look-ups at each call and each return, also
-- for the writer's next statement, and that costs more than the rest of the function. Instead every name here is qualified,
-- operators too: a SECURITY DEFINER function must resolve nothing by the writer's search_path.
CREATE OR REPLACE FUNCTION notify_bridge.ring() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
AS $$
BEGIN
  IF pg_catalog.pg_sequence_last_value('notify_bridge.bell'::pg_catalog.regclass) OPERATOR(pg_catalog.=) 0 THEN
    RETURN NULL;
  END IF;
  PERFORM notify_bridge.wake();
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION notify_bridge.ring() IS
  'Statement trigger AFTER INSERT: wakes bridges at the commit when one is armed.';

-- A NOTIFY fails at the commit, where nothing can catch it, when the queue of all databases is full: 8 GB that a session
-- has not read which listens and stays in a transaction. So from a quarter on nobody rings, and bridges find the rows by
-- the fetch that they make every two seconds.
CREATE OR REPLACE FUNCTION notify_bridge.wake() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
AS $$
BEGIN
  IF coalesce(pg_catalog.current_setting('notify_bridge.two_phase', true), '')
      OPERATOR(pg_catalog.<>) ALL ('{on,true,yes,1}'::pg_catalog.text[])
    AND pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.<)
      (CASE WHEN pg_catalog.current_setting('notify_bridge.low_queue', true) OPERATOR(pg_catalog.=) 'on'
        THEN '0.00001' ELSE '0.25' END)::pg_catalog.float8
  THEN
    PERFORM pg_catalog.pg_notify('notify_bridge',
      CASE
        WHEN pg_catalog.current_setting('notify_bridge.bell_txid', true) OPERATOR(pg_catalog.=) 'on'
          THEN pg_catalog.pg_current_xact_id()::pg_catalog.text
        ELSE ''
      END);
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.wake() IS
  'NOTIFY notify_bridge with an empty payload. Silent while notify_bridge.two_phase is on (PREPARE TRANSACTION fails after NOTIFY), and while the server''s notification queue is a quarter full. For tests: with notify_bridge.bell_txid on the payload is the transaction id, with notify_bridge.low_queue on a hundred-thousandth of the queue counts as a quarter.';

CREATE OR REPLACE FUNCTION notify_bridge.set_bell() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM setval('notify_bridge.bell',
    CASE WHEN EXISTS (SELECT FROM notify_bridge.replica AS r WHERE r.armed) THEN 1 ELSE 0 END);
END
$$;

COMMENT ON FUNCTION notify_bridge.set_bell() IS
  'Sets notify_bridge.bell to 1 if any replica is armed, else to 0. The caller has locked notify_bridge.replica in SHARE UPDATE EXCLUSIVE mode before it changed a row.';

-- Ended access rings as rows do. Only a missing trigger is made: CREATE TRIGGER would wait for every open transaction
-- that has ended somebody's access, and hold up all later ones.
DO $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_trigger AS t
    WHERE t.tgrelid = 'notify_bridge.revocation'::regclass AND t.tgname = 'notify_bridge_ring' AND t.tgenabled = 'A'
  ) THEN
    CREATE OR REPLACE TRIGGER notify_bridge_ring AFTER INSERT ON notify_bridge.revocation
      FOR EACH STATEMENT EXECUTE FUNCTION notify_bridge.ring();
    ALTER TABLE notify_bridge.revocation ENABLE ALWAYS TRIGGER notify_bridge_ring;
    COMMENT ON TRIGGER notify_bridge_ring ON notify_bridge.revocation IS 'Wakes NotifyBridge, as a row does.';
  END IF;
END
$$;
