-- Running bridges: registration, arming, heartbeat, and removal of dead ones.

CREATE OR REPLACE FUNCTION notify_bridge.register_replica(application text, host text, pid integer, version text)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lock_class CONSTANT integer := 1315062866;
  new_id integer;
BEGIN
  LOOP -- The lock is taken before anybody can see the row. A lock that a stranger holds costs one number.
    new_id := nextval('notify_bridge.replica_id_seq');
    EXIT WHEN pg_try_advisory_lock(lock_class, new_id);
  END LOOP;
  PERFORM notify_bridge.remove_dead_replicas(new_id);
  INSERT INTO notify_bridge.replica (id, lock_class, application, host, pid, version)
  OVERRIDING SYSTEM VALUE
  VALUES (new_id, lock_class, application, host, pid, version);
  RETURN new_id;
END
$$;

COMMENT ON FUNCTION notify_bridge.register_replica(text, text, integer, text) IS
  'Registers the calling LISTEN session, outside a longer transaction: takes the advisory lock for the rest of the session, removes the rows of dead bridges, adds a row that is not armed, and returns its id.';

-- The lock serialises changes of armed, from before the row changes until the commit. Otherwise a bridge that disarms
-- could clear the flag for one that arms at the same moment. A heartbeat needs no lock and waits for none.
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

-- The returned id proves to the bridge which transactions survive a crash. So the commit must be flushed here even where
-- synchronous_commit is off by default. Waiting for standbys adds nothing to that.
CREATE OR REPLACE FUNCTION notify_bridge.heartbeat_replica(replica integer) RETURNS xid8
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'local', true);
  END IF;
  UPDATE notify_bridge.replica AS r SET touched_at = clock_timestamp() WHERE r.id = heartbeat_replica.replica;
  IF NOT FOUND THEN
    RAISE no_data_found USING
      MESSAGE = format('replica %s is not registered', heartbeat_replica.replica),
      HINT = 'Open a new LISTEN session and call notify_bridge.register_replica there.';
  END IF;
  PERFORM notify_bridge.remove_dead_replicas(heartbeat_replica.replica);
  RETURN pg_current_xact_id();
END
$$;

COMMENT ON FUNCTION notify_bridge.heartbeat_replica(integer) IS
  'Records that this bridge is alive, removes dead ones, and returns the id of the transaction, which is on disk once it has committed. An unknown id is an error (P0002).';

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

COMMENT ON FUNCTION notify_bridge.unregister_replica(integer) IS
  'Removes this bridge''s row, and releases its advisory lock when called on the LISTEN session. Returns false where there was no such row.';

-- The row of a dead bridge would leave armed = true for ever, and writers would ring for nobody. A live bridge holds its
-- lock, so its row is never touched here, not even by a row lock that it would wait for.
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

COMMENT ON FUNCTION notify_bridge.remove_dead_replicas(integer) IS
  'Removes the rows of bridges whose session has ended (their advisory lock is free), except the given one. Returns the number of removed rows.';
