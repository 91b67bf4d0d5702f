BEGIN;
SELECT plan(16);

CREATE TEMPORARY TABLE mine AS SELECT notify_bridge.register_replica('notify-bridge', 'host-a', 4242, '0.1.0') AS id;

SELECT results_eq($$
  SELECT armed, application, host, pid, version, backend_pid, started_at <= touched_at
  FROM notify_bridge.replica WHERE id = (SELECT id FROM mine)
$$, $$ VALUES (false, 'notify-bridge', 'host-a', 4242, '0.1.0', pg_backend_pid(), true) $$,
  'a registered replica is not armed');
SELECT results_eq($$
  SELECT l.granted, l.mode FROM pg_locks AS l, notify_bridge.replica AS r, mine
  WHERE r.id = mine.id AND l.locktype = 'advisory' AND l.pid = pg_backend_pid()
    AND l.classid = r.lock_class::oid AND l.objid = r.id::oid
$$, $$ VALUES (true, 'ExclusiveLock') $$, 'its session holds the lock that the row names');

SELECT lives_ok($$ SELECT notify_bridge.arm(id) FROM mine $$, 'it can be armed');
SELECT ok(armed, 'and then is') FROM notify_bridge.replica WHERE id = (SELECT id FROM mine);
CREATE TEMPORARY TABLE version_before AS SELECT ctid AS place FROM notify_bridge.replica;
SELECT lives_ok($$ SELECT notify_bridge.arm(id, true) FROM mine $$, 'arming twice is no error');
SELECT results_eq('SELECT ctid FROM notify_bridge.replica', 'SELECT place FROM version_before',
  'and writes no second version of the row');
SELECT lives_ok($$ SELECT notify_bridge.arm(id, false) FROM mine $$, 'it can be disarmed');
SELECT ok(NOT armed, 'and then is not armed') FROM notify_bridge.replica WHERE id = (SELECT id FROM mine);

SELECT is(notify_bridge.heartbeat_replica(id), pg_current_xact_id(), 'touching returns the id of the transaction') FROM mine;
SELECT ok(touched_at > started_at, 'and moves touched_at') FROM notify_bridge.replica WHERE id = (SELECT id FROM mine);

SET LOCAL synchronous_commit = off;
SELECT notify_bridge.heartbeat_replica(id) FROM mine;
SELECT is(current_setting('synchronous_commit'), 'local', 'touching waits for the disk, whatever the default is');

SELECT throws_ok('SELECT notify_bridge.arm(0)', 'P0002', 'replica 0 is not registered', 'an unknown id cannot be armed');
SELECT throws_ok('SELECT notify_bridge.heartbeat_replica(0)', 'P0002', 'replica 0 is not registered', 'nor touched');

SELECT ok(notify_bridge.unregister_replica(id), 'unregistering removes the row') FROM mine;
SELECT is_empty($$
  SELECT l.pid FROM pg_locks AS l, mine WHERE l.locktype = 'advisory' AND l.objid = mine.id::oid
$$, 'and gives the lock back');
SELECT ok(NOT notify_bridge.unregister_replica(id), 'a second time there is nothing to remove') FROM mine;

SELECT * FROM finish();
ROLLBACK;
