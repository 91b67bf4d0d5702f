-- The doorbell's flag, where every writer's trigger can read it for next to nothing.
--
-- What 0003 made cost each INSERT statement 8 µs while nobody was armed, and more with every dead version of a replica's
-- row. A sequence is read where it stands, without a query and without a snapshot: 2 µs. And what is set is seen at once
-- by all, whatever snapshot their transaction has, so REPEATABLE READ and SERIALIZABLE are no exceptions any more.
-- What arming waits for stays the same: a transaction that read 0 had its id before, so it is below B (notify_bridge.arm).

CREATE SEQUENCE notify_bridge.bell MINVALUE 0 MAXVALUE 1 START 1 CYCLE;
-- Where bridges run, they are rung for until the next change: to ring needlessly loses nothing.
SELECT setval('notify_bridge.bell', CASE WHEN EXISTS (SELECT FROM notify_bridge.replica) THEN 1 ELSE 0 END);

COMMENT ON SEQUENCE notify_bridge.bell IS
  '1 while commits have to ring for some bridge, else 0: whether any row of notify_bridge.replica is armed. Set by notify_bridge.set_bell() alone, read by the trigger.';
REVOKE ALL ON SEQUENCE notify_bridge.bell FROM PUBLIC;

CREATE FUNCTION notify_bridge.set_bell() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM setval('notify_bridge.bell',
    CASE WHEN EXISTS (SELECT FROM notify_bridge.replica AS r WHERE r.armed) THEN 1 ELSE 0 END);
END
$$;

COMMENT ON FUNCTION notify_bridge.set_bell() IS
  'Sets notify_bridge.bell by what is armed. Its caller has locked notify_bridge.replica in SHARE UPDATE EXCLUSIVE mode before it changed a row.';

-- The lock makes changes of armed come one after the other, from before the row is changed until that is committed: or
-- who disarms could put out the flag for one who arms at the same moment. Touching needs none and waits for none.
CREATE OR REPLACE FUNCTION notify_bridge.arm(replica integer, armed boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  LOCK TABLE notify_bridge.replica IN SHARE UPDATE EXCLUSIVE MODE;
  UPDATE notify_bridge.replica AS r SET armed = arm.armed
  WHERE r.id = arm.replica AND r.armed <> arm.armed;
  IF NOT FOUND AND NOT EXISTS (SELECT FROM notify_bridge.replica AS r WHERE r.id = arm.replica) THEN
    RAISE no_data_found USING
      MESSAGE = format('replica %s is not registered', arm.replica),
      HINT = 'Open a new LISTEN session and call notify_bridge.register_replica there.';
  END IF;
  PERFORM notify_bridge.set_bell();
END
$$;

COMMENT ON FUNCTION notify_bridge.arm(integer, boolean) IS
  'Switches the doorbell on or off for this bridge, in READ COMMITTED. After switching on, commit, take B = pg_current_xact_id() in a new transaction, and fetch until a snapshot has xmin >= B before relying on it. An unknown id is an error (P0002).';

CREATE OR REPLACE FUNCTION notify_bridge.remove_dead_replicas(spared integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  other record;
  removed bigint := 0;
BEGIN
  FOR other IN SELECT r.id, r.lock_class FROM notify_bridge.replica AS r WHERE r.id <> spared LOOP
    IF pg_try_advisory_xact_lock(other.lock_class, other.id) THEN
      LOCK TABLE notify_bridge.replica IN SHARE UPDATE EXCLUSIVE MODE;
      DELETE FROM notify_bridge.replica AS r WHERE r.id = other.id;
      removed := removed + 1;
    END IF;
  END LOOP;
  IF removed > 0 THEN
    PERFORM notify_bridge.set_bell();
  END IF;
  RETURN removed;
END
$$;

CREATE OR REPLACE FUNCTION notify_bridge.unregister_replica(replica integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gone record;
BEGIN
  LOCK TABLE notify_bridge.replica IN SHARE UPDATE EXCLUSIVE MODE;
  DELETE FROM notify_bridge.replica AS r WHERE r.id = unregister_replica.replica RETURNING r.id, r.lock_class INTO gone;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM notify_bridge.set_bell();
  IF EXISTS (
    SELECT FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.pid = pg_backend_pid()
      AND l.classid = gone.lock_class::oid AND l.objid = gone.id::oid AND l.objsubid = 2
  ) THEN
    PERFORM pg_advisory_unlock(gone.lock_class, gone.id);
  END IF;
  RETURN true;
END
$$;

-- The one function that pins no search_path: SET has the server forget, at each call and each return, how names are
-- found, for the writer's own next statement too, which costs more than all the rest of this. In its place every name in
-- here is qualified, operators too: a SECURITY DEFINER function must find nothing by the writer's search_path.
CREATE OR REPLACE FUNCTION notify_bridge.ring() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
AS $$
BEGIN
  IF pg_catalog.pg_sequence_last_value('notify_bridge.bell'::pg_catalog.regclass) OPERATOR(pg_catalog.=) 0 THEN
    RETURN NULL;
  END IF;
  IF coalesce(pg_catalog.current_setting('notify_bridge.two_phase', true), '')
    OPERATOR(pg_catalog.<>) ALL ('{on,true,yes,1}'::pg_catalog.text[])
  THEN
    PERFORM pg_catalog.pg_notify('notify_bridge',
      CASE
        WHEN pg_catalog.current_setting('notify_bridge.bell_txid', true) OPERATOR(pg_catalog.=) 'on'
          THEN pg_catalog.pg_current_xact_id()::pg_catalog.text
        ELSE ''
      END);
  END IF;
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION notify_bridge.ring() IS
  'Statement trigger AFTER INSERT: NOTIFY notify_bridge with an empty payload, when a bridge is armed. Silent where notify_bridge.two_phase is on (PREPARE TRANSACTION fails after NOTIFY). With notify_bridge.bell_txid on, for tests, the payload is the transaction id.';

REVOKE ALL ON FUNCTION notify_bridge.set_bell() FROM PUBLIC;
