-- Bridges that record presence and logs: registration, life, and what a killed one has left.
--
-- What a bridge recorded counts while its row in notify_bridge.recorder was touched within eight seconds. A session or an
-- advisory lock in its place would be held for hours after the host has failed, could not be kept behind a pooler in
-- transaction mode, and is not to be seen on a standby.

-- A new number must not be given again after a crash, so that its commit is synchronous.
CREATE OR REPLACE FUNCTION notify_bridge.touch_recorder(
  recorder integer, replica integer, logs_deliveries boolean, OUT id integer, OUT is_new boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM set_config('lock_timeout', '1s', true);
  IF touch_recorder.recorder IS NOT NULL THEN
    PERFORM set_config('synchronous_commit', 'off', true);
  ELSIF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'local', true);
  END IF;
  INSERT INTO notify_bridge.recorder AS r (id, replica, logs_deliveries, touched_at)
  OVERRIDING SYSTEM VALUE
  VALUES (coalesce(touch_recorder.recorder, nextval('notify_bridge.recorder_id_seq')::integer),
    touch_recorder.replica, touch_recorder.logs_deliveries, clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET
    replica = excluded.replica, logs_deliveries = excluded.logs_deliveries, touched_at = excluded.touched_at
  RETURNING r.id, r.xmax = '0' INTO touch_recorder.id, touch_recorder.is_new;
END
$$;

COMMENT ON FUNCTION notify_bridge.touch_recorder(integer, integer, boolean) IS
  'Records that this bridge is alive, for presence and the logs, and returns its number; NULL for the number registers it. is_new: nothing is recorded of it yet. The rest of the transaction does not wait for the disk, and for locks at most a second.';

CREATE OR REPLACE FUNCTION notify_bridge.clean_recorders() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  dead record;
  removed bigint := 0;
BEGIN
  FOR dead IN
    SELECT r.id, r.touched_at FROM notify_bridge.recorder AS r
    WHERE r.touched_at < clock_timestamp() - interval '1 minute' FOR UPDATE SKIP LOCKED
  LOOP
    PERFORM notify_bridge.record_seen(
      ARRAY(SELECT u.recipient FROM notify_bridge.connected_user AS u WHERE u.recorder = dead.id), dead.touched_at);
    DELETE FROM notify_bridge.connected_user AS u WHERE u.recorder = dead.id;
    UPDATE notify_bridge.connection_log AS l SET closed = greatest(l.opened, dead.touched_at), closed_by = 'lost'
    WHERE l.recorder = dead.id AND l.closed IS NULL;
    DELETE FROM notify_bridge.recorder AS r WHERE r.id = dead.id;
    removed := removed + 1;
  END LOOP;
  RETURN removed;
END
$$;

COMMENT ON FUNCTION notify_bridge.clean_recorders() IS
  'Ends what bridges have left that gave no sign of life for a minute: their users were seen until then, and their sockets are closed in the log. Returns their number.';
