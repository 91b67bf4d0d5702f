#!/bin/bash
# When the doorbell rings and when it is silent, and why arming may be relied on.
. "$(dirname "$0")/../support/tap.sh"

session_open ear notify_bridge     # the LISTEN session
session_open writer notify_bridge_writer
session_open other notify_bridge_writer
session_run ear 'LISTEN notify_bridge; LISTEN marker;'

insert="INSERT INTO public.notification (user_id, data) VALUES (1, '{}');"
many="INSERT INTO public.notification (user_id) SELECT n FROM generate_series(1, 10000) AS n;"
in_transaction() { session_run writer "BEGIN $1; $2 $insert COMMIT;"; }
arm() { session_run ear "SELECT notify_bridge.arm($id, $1);"; }

# A test that was rolled back may have left it on: a sequence is not.
sql postgres 'SELECT notify_bridge.set_bell()' >/dev/null
is "$(session_run writer "$insert")" '' 'a writer with INSERT alone can insert'
is "$(bells)" '' 'no replica at all: silent'
id=$(session_run ear "SELECT notify_bridge.register_replica('test', 'here', 1, '0');")
session_run writer "$insert"
is "$(bells)" '' 'no replica armed: silent'

arm true
session_run writer "$insert"
is "$(bells)" '[]' 'armed: one bell with an empty payload'
session_run writer "$many"
is "$(bells)" '[]' '10,000 rows in one statement: one bell'
session_run writer "BEGIN; $insert $insert $insert COMMIT;"
is "$(bells)" '[]' 'three statements in one transaction: one bell'
session_run writer "BEGIN; $insert ROLLBACK;"
is "$(bells)" '' 'rolled back: silent'
session_run writer "BEGIN; SAVEPOINT a; $insert ROLLBACK TO a; COMMIT;"
is "$(bells)" '' 'rolled back to a savepoint: silent'
session_run writer $'COPY public.notification (user_id) FROM STDIN;\n1\n2\n\\.'
is "$(bells)" '[]' 'COPY rings'
session_run writer "INSERT INTO public.notification (user_id, is_sent) VALUES (1, true);"
is "$(bells)" '[]' 'a row that is not for us rings too, which does no harm'
sql postgres "BEGIN; SET LOCAL session_replication_role = replica; $insert COMMIT" >/dev/null
is "$(bells)" '[]' 'session_replication_role = replica rings'

arm false
session_run writer "$insert"
is "$(bells)" '' 'disarmed: silent'
in_transaction 'ISOLATION LEVEL SERIALIZABLE'
is "$(bells)" '' 'in SERIALIZABLE too'

# What is set counts at once, whatever snapshot a transaction has.
session_open old notify_bridge_writer
session_run old 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM public.notification;' >/dev/null
arm true
session_run old "$insert COMMIT;"
is "$(bells)" '[]' 'a snapshot from before arming rings'
session_run old 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM public.notification;' >/dev/null
arm false
session_run old "$insert COMMIT;"
is "$(bells)" '' 'and one from before disarming is silent'
session_close old

# Two bridges that change at once: the one that is armed in the end is rung for.
session_open second notify_bridge
second=$(session_run second "SELECT notify_bridge.register_replica('test', 'here', 2, '0');")
session_run second "BEGIN; SELECT notify_bridge.arm($second);" >/dev/null
session_send ear "BEGIN; SELECT notify_bridge.arm($id, false); COMMIT;"
sql postgres "SET statement_timeout = '60s'; DO \$\$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted
  AND relation = 'notify_bridge.replica'::regclass) LOOP END LOOP; END \$\$" >/dev/null
session_run second 'COMMIT;' >/dev/null
session_answer ear >/dev/null
session_run writer "$insert"
is "$(bells)" '[]' 'one disarms while another has armed and not committed: it rings'
session_run second "SELECT notify_bridge.unregister_replica($second);" >/dev/null
session_run writer "$insert"
is "$(bells)" '' 'and no more once that one has unregistered'
session_close second

arm true
in_transaction '' 'SET LOCAL notify_bridge.two_phase = on;'
is "$(bells)" '' 'two_phase: silent though armed'
in_transaction 'ISOLATION LEVEL SERIALIZABLE' 'SET LOCAL notify_bridge.two_phase = true;'
is "$(bells)" '' 'two_phase: silent in SERIALIZABLE'
session_run writer "$insert"
is "$(bells)" '[]' 'two_phase ends with its transaction'
in_transaction '' "SET LOCAL notify_bridge.two_phase = 'perhaps';"
is "$(bells)" '[]' 'a two_phase that says nothing rings, and is no error'
like "$(session_run writer "BEGIN; $insert PREPARE TRANSACTION 'rung';")" 'cannot PREPARE a transaction that has executed' \
  'PREPARE TRANSACTION fails after a bell'
is "$(session_run writer "BEGIN; SET LOCAL notify_bridge.two_phase = on; $insert PREPARE TRANSACTION 'silent'; COMMIT PREPARED 'silent';")" \
  '' 'and works with two_phase'
is "$(bells)" '' 'without a bell'
txid=$(session_run writer "BEGIN; SET LOCAL notify_bridge.bell_txid = on; $insert SELECT pg_current_xact_id(); COMMIT;")
is "$(bells)" "[$txid]" 'for tests, the bell carries the transaction id'
resent=$(sql postgres "SELECT notify_bridge.resend('public.notification', ARRAY(SELECT id FROM public.notification LIMIT 2))")
is "$resent $(bells)" '2 []' 'resend rings'

# The queue fills up while a session that listens stays in its transaction. A commit that rings would fail once it is full.
session_run ear 'BEGIN; SELECT;'
sql postgres "SELECT pg_notify('else', repeat('x', 7000) || n) FROM generate_series(1, 30) AS n" >/dev/null
in_transaction '' 'SET LOCAL notify_bridge.low_queue = on;'
session_run ear 'COMMIT;' >/dev/null
is "$(bells)" '' 'a queue that is filling up: silent, so that no commit fails'
in_transaction '' 'SET LOCAL notify_bridge.low_queue = on;'
is "$(bells)" '[]' 'once it is read, commits ring again'

# Arming. An old writer that saw armed = false rings nothing, and B says when it has ended.
arm false
old_insert="$(session_run writer "BEGIN; $insert")"
session_run other 'BEGIN; SELECT pg_current_xact_id();' >/dev/null # has its id, has not looked yet
session_open snapshot notify_bridge_writer
session_run snapshot 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT;' # will look with an old snapshot
arm true
before=$(session_run ear 'SELECT pg_current_xact_id();')
xmin="SELECT pg_snapshot_xmin(pg_current_snapshot()) >= '$before';"
is "$old_insert$(session_run ear "$xmin")" f 'while an old writer lasts, xmin stays below B'
session_run writer 'COMMIT;'
is "$(bells)" '' 'which rings nothing when it commits'
is "$(session_run ear "$xmin")" f 'another old one lasts'
session_run other "$insert COMMIT;"
is "$(bells)" '[]' 'and rings, since it looked after arming'
is "$(session_run ear "$xmin")" t 'then xmin reaches B: from here on the bell may be relied on'
session_run snapshot "$insert COMMIT;"
is "$(bells)" '[]' 'a REPEATABLE READ transaction with an older snapshot rings'

session_run ear "SELECT notify_bridge.unregister_replica($id);" >/dev/null
for name in snapshot other writer ear; do session_close "$name"; done
done_testing
