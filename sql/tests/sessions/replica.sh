#!/bin/bash
# A dead bridge's row is removed, a live one's never; touching does not bloat.
. "$(dirname "$0")/../support/tap.sh"

register="SELECT notify_bridge.register_replica('test', 'here', 1, '0');"
rows() { sql postgres 'SELECT string_agg(id::text, $$ $$ ORDER BY id) FROM notify_bridge.replica'; }

session_open first notify_bridge
session_open second notify_bridge
a=$(session_run first "$register")
session_run first "SELECT notify_bridge.arm($a);"
b=$(session_run second "$register")
is "$(rows)" "$a $b" 'registering leaves a live replica alone'
session_run second "SELECT notify_bridge.heartbeat_replica($b);" >/dev/null
is "$(rows)" "$a $b" 'so does touching'
is "$(sql postgres "SELECT notify_bridge.remove_dead_replicas(0)")" 0 'nobody else can remove them either'

# Neither waits for a replica that is inside a transaction of its own.
session_run first "BEGIN; SELECT notify_bridge.heartbeat_replica($a);" >/dev/null
like "$(session_run second "SET lock_timeout = '5s'; SELECT notify_bridge.heartbeat_replica($b);")" '^[0-9]+$' \
  'touching waits for no other replica'
session_run first 'COMMIT;'

session_close first
is "$(rows)" "$a $b" 'a dead replica is still listed, armed'
session_run second "SELECT notify_bridge.heartbeat_replica($b);" >/dev/null
is "$(rows)" "$b" 'the next touch of another removes it'

session_close second
session_open first notify_bridge
a=$(session_run first "$register")
is "$(rows)" "$a" 'and so does the next registration'

# Both notice the same dead one at once: whoever is second leaves it to the first.
session_open second notify_bridge
session_open third notify_bridge
b=$(session_run second "$register")
c=$(session_run third "$register")
session_close third
session_run first "BEGIN; SELECT notify_bridge.heartbeat_replica($a);" >/dev/null
like "$(session_run second "SET lock_timeout = '5s'; SELECT notify_bridge.heartbeat_replica($b);")" '^[0-9]+$' \
  'two that remove the same dead one do not wait for each other'
session_run first 'COMMIT;'
is "$(rows)" "$a $b" "and replica $c is gone"

# A number whose lock a stranger holds is not used.
next=$(sql postgres "SELECT last_value + 1 FROM notify_bridge.replica_id_seq")
session_open stranger notify_bridge_writer
session_run stranger "SELECT pg_advisory_lock(1315062866, $next);" >/dev/null
session_open third notify_bridge
is "$(session_run third "$register")" $((next + 1)) 'a lock that a stranger holds is passed over'
is "$(session_run third "SELECT notify_bridge.unregister_replica($((next + 1)));")" t 'unregistering removes the row'
is "$(session_run stranger "SELECT pg_try_advisory_lock(1315062866, $((next + 1)));")" t 'and frees the lock at once'

# 2,000 touches and mode changes are pruned as they come: unpruned, they would fill more than twenty pages.
{
  for ((i = 0; i < 500; i++)); do
    echo "SELECT notify_bridge.heartbeat_replica($a); SELECT notify_bridge.arm($a); SELECT notify_bridge.heartbeat_replica($a);"
    echo "SELECT notify_bridge.arm($a, false);"
  done
} >"$tap_folder/touches.sql"
PRIVATE_CLUSTER_USER=notify_bridge private_cluster_psql -o /dev/null -f "$tap_folder/touches.sql"
is "$(sql postgres "SELECT pg_relation_size('notify_bridge.replica') <= 8 * 8192, pg_relation_size('notify_bridge.replica_pkey') / 8192")" \
  't|2' '2,000 updates of a replica leave its table at a few pages and its index as small as ever'

# A crash of the server leaves rows, and the first to come clears them away.
for name in first second third stranger; do
  in=session_${name}_in pid=session_${name}_pid
  printf '\\q\n' >&"${!in}"
  wait "${!pid}" 2>/dev/null
done
private_cluster_restart immediate
like "$(rows)" "^$a $b" 'after a crash of the server the old rows are there'
session_open late notify_bridge
c=$(session_run late "$register")
is "$(rows)" "$c" 'the first to register removes them'
session_run late "SELECT notify_bridge.unregister_replica($c);" >/dev/null
session_close late
done_testing
