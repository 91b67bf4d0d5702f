-- Running bridges: who must be rung for, and which of them are dead.

-- Fillfactor 10 leaves room in the one page that this table has, so that touching and arming stay
-- heap-only updates and are pruned away. No index may ever mention armed or touched_at.
CREATE TABLE notify_bridge.replica (
  id integer GENERATED ALWAYS AS IDENTITY,
  armed boolean NOT NULL DEFAULT false,
  lock_class integer NOT NULL DEFAULT 1315062866,
  application text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  version text NOT NULL,
  backend_pid integer NOT NULL DEFAULT pg_backend_pid(),
  started_at timestamptz NOT NULL DEFAULT now(),
  touched_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT replica_pkey PRIMARY KEY (id)
) WITH (fillfactor = 10);

COMMENT ON TABLE notify_bridge.replica IS
  'Bridges that run, one row for each LISTEN session, which holds the advisory lock (lock_class, id) as long as it lives.';
COMMENT ON COLUMN notify_bridge.replica.id IS 'Given anew at each registration; the second key of its advisory lock.';
COMMENT ON COLUMN notify_bridge.replica.armed IS
  'True while this bridge relies on the doorbell: commits must NOTIFY. False while it fetches by itself.';
COMMENT ON COLUMN notify_bridge.replica.lock_class IS 'The first key of the advisory lock.';
COMMENT ON COLUMN notify_bridge.replica.application IS 'Name of the program, for people who look at this table.';
COMMENT ON COLUMN notify_bridge.replica.host IS 'Where it runs.';
COMMENT ON COLUMN notify_bridge.replica.pid IS 'Its process id on that host.';
COMMENT ON COLUMN notify_bridge.replica.version IS 'Its version.';
COMMENT ON COLUMN notify_bridge.replica.backend_pid IS 'The server process of the LISTEN session, as in pg_stat_activity.';
COMMENT ON COLUMN notify_bridge.replica.started_at IS 'When it registered.';
COMMENT ON COLUMN notify_bridge.replica.touched_at IS 'When it last said that it lives.';
COMMENT ON CONSTRAINT replica_pkey ON notify_bridge.replica IS 'One row for each LISTEN session.';
COMMENT ON INDEX notify_bridge.replica_pkey IS 'One row for each LISTEN session.';
COMMENT ON SEQUENCE notify_bridge.replica_id_seq IS 'Numbers for replicas, never given twice.';

REVOKE ALL ON notify_bridge.replica FROM PUBLIC;

-- A dead bridge's row would leave armed = true for ever, and its writers would ring for nobody.
-- A live one holds its lock, so it is never touched here, not even by a row lock that it would wait for.
CREATE FUNCTION notify_bridge.remove_dead_replicas(spared integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  other record;
  removed bigint := 0;
BEGIN
  FOR other IN SELECT r.id, r.lock_class FROM notify_bridge.replica AS r WHERE r.id <> spared LOOP
    IF pg_try_advisory_xact_lock(other.lock_class, other.id) THEN
      DELETE FROM notify_bridge.replica AS r WHERE r.id = other.id;
      removed := removed + 1;
    END IF;
  END LOOP;
  RETURN removed;
END
$$;

COMMENT ON FUNCTION notify_bridge.remove_dead_replicas(integer) IS
  'Removes the rows of bridges whose session has ended (their advisory lock is free), except the one given. Returns how many.';

CREATE FUNCTION notify_bridge.register_replica(application text, host text, pid integer, version text)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lock_class CONSTANT integer := 1315062866;
  new_id integer;
BEGIN
  LOOP -- the lock is taken before anybody can see the row; a lock that a stranger holds costs one number
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
  'Run on the LISTEN session, outside a longer transaction: takes the advisory lock for the rest of the session, removes dead bridges'' rows, adds a row that is not armed, and returns its id.';

CREATE FUNCTION notify_bridge.arm(replica integer, armed boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  UPDATE notify_bridge.replica AS r SET armed = arm.armed
  WHERE r.id = arm.replica AND r.armed <> arm.armed;
  IF NOT FOUND AND NOT EXISTS (SELECT FROM notify_bridge.replica AS r WHERE r.id = arm.replica) THEN
    RAISE no_data_found USING
      MESSAGE = format('replica %s is not registered', arm.replica),
      HINT = 'Open a new LISTEN session and call notify_bridge.register_replica there.';
  END IF;
END
$$;

COMMENT ON FUNCTION notify_bridge.arm(integer, boolean) IS
  'Switches the doorbell on or off for this bridge. After switching on, commit, take B = pg_current_xact_id() in a new transaction, and fetch until a snapshot has xmin >= B before relying on it. An unknown id is an error (P0002).';

-- What this returns is the bridge's proof of what survives a crash, so its commit must be flushed
-- here even where the default is not to wait; waiting for standbys adds nothing to that.
CREATE FUNCTION notify_bridge.touch_replica(replica integer) RETURNS xid8
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'local', true);
  END IF;
  UPDATE notify_bridge.replica AS r SET touched_at = clock_timestamp() WHERE r.id = touch_replica.replica;
  IF NOT FOUND THEN
    RAISE no_data_found USING
      MESSAGE = format('replica %s is not registered', touch_replica.replica),
      HINT = 'Open a new LISTEN session and call notify_bridge.register_replica there.';
  END IF;
  PERFORM notify_bridge.remove_dead_replicas(touch_replica.replica);
  RETURN pg_current_xact_id();
END
$$;

COMMENT ON FUNCTION notify_bridge.touch_replica(integer) IS
  'Says that this bridge lives, removes dead ones, and returns the id of the transaction, which is on disk once it has committed. An unknown id is an error (P0002).';

CREATE FUNCTION notify_bridge.unregister_replica(replica integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gone record;
BEGIN
  DELETE FROM notify_bridge.replica AS r WHERE r.id = unregister_replica.replica RETURNING r.id, r.lock_class INTO gone;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
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
  'Removes this bridge''s row, and gives its advisory lock back when run on the LISTEN session. False when there was no such row.';

REVOKE ALL ON FUNCTION
  notify_bridge.remove_dead_replicas(integer),
  notify_bridge.register_replica(text, text, integer, text),
  notify_bridge.arm(integer, boolean),
  notify_bridge.touch_replica(integer),
  notify_bridge.unregister_replica(integer)
FROM PUBLIC;
