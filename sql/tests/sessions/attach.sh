#!/bin/bash
# Attaching while others write, wait, or attach the same table; and detaching leaves the schema as it was.
. "$(dirname "$0")/../support/tap.sh"

owner() { sql notify_bridge_owner "$1"; }
dump() { "$PRIVATE_CLUSTER_BINDIR/pg_dump" --schema-only --exclude-schema=notify_bridge --exclude-schema=tap -h 127.0.0.1 \
  -p "$PRIVATE_CLUSTER_PORT" -U postgres "$PRIVATE_CLUSTER_DATABASE" | sed '/^\\\(un\)\{0,1\}restrict /d'; }

# A role of the backend owns its tables; the one that owns schema notify_bridge is made a member of it.
sql postgres 'CREATE ROLE backend LOGIN; GRANT USAGE, CREATE ON SCHEMA public TO backend; GRANT backend TO notify_bridge_owner' >/dev/null
sql backend 'CREATE TABLE public.users (id serial PRIMARY KEY);
  CREATE TABLE public.note (id serial PRIMARY KEY, recipient_id integer REFERENCES public.users, data jsonb, is_sent boolean DEFAULT false,
    txid integer, sent_at text, made timestamptz NOT NULL DEFAULT now());
  CREATE INDEX note_made ON public.note (made);
  CREATE TABLE public.log (id bigint, at date, user_id uuid, text text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE public.log_1 PARTITION OF public.log FOR VALUES FROM (minvalue) TO ($$2026-01-01$$);
  CREATE TABLE public.log_2 PARTITION OF public.log FOR VALUES FROM ($$2026-01-01$$) TO (maxvalue) PARTITION BY HASH (id);
  CREATE TABLE public.log_2a PARTITION OF public.log_2 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
  INSERT INTO public.users DEFAULT VALUES;
  INSERT INTO public.note (recipient_id, made) SELECT 1, now() - interval $$9 days$$ FROM generate_series(1, 100)' >/dev/null
before=$(dump)
like "$(owner "SELECT notify_bridge.attach('note', created => 'made', retention_days => 5)")" 'did,"added column notify_bridge_txid' 'a member of both owners attaches'
like "$(owner "SELECT notify_bridge.attach('log', payload => 'text')")" 'did,"added column txid' 'a partitioned table too'
like "$(owner "SELECT notify_bridge.attach('note')")" "SELECT notify_bridge.grant_to\('notify_bridge'\)" 'and is reminded of the rights of the bridge'
like "$(owner "SELECT notify_bridge.attach('note')")" 'max_prepared_transactions is 5.*notify_bridge.two_phase = on' 'and of two-phase commit, which the server allows'
same=0
[ "$(dump)" = "$before" ] || same=1
ok $((1 - same)) 'the dump of the schema tells the difference'
owner "SELECT notify_bridge.grant_to('notify_bridge')" >/dev/null
is "$(sql backend "INSERT INTO public.note (recipient_id) VALUES (1) RETURNING notify_bridge_txid IS NOT NULL")" t 'the backend writes as before'
is "$(sql notify_bridge 'UPDATE public.note SET is_sent = true, notify_bridge_sent_at = now() WHERE notify_bridge_txid IS NOT NULL RETURNING is_sent')" t 'the bridge marks'
is "$(sql notify_bridge "SELECT notify_bridge.resend('note', '{101}')")" 1 'and has rows sent again'
is "$(sql notify_bridge 'SELECT notify_bridge.purge(0)')" 0 'and purges, but nothing unsent'
like "$(sql notify_bridge "UPDATE public.note SET data = NULL")" 'permission denied' 'and changes nothing else'
like "$(owner "SELECT notify_bridge.detach('note')")" 'REVOKE ALL ON public.note FROM notify_bridge' 'detach tells of rights that it has not given'
owner "SELECT notify_bridge.detach('log')" >/dev/null
sql backend 'REVOKE ALL ON public.note, public.log FROM notify_bridge' >/dev/null
sql postgres 'REVOKE ALL ON public.note, public.log FROM notify_bridge' >/dev/null
is "$(diff <(echo "$before") <(echo "$(dump)"))" '' 'and leaves the schema as it was'

# Writers that go on: what each wrote until attach has no txid, what it wrote after that has one.
sql postgres 'TRUNCATE public.note' >/dev/null
for writer in 1 2 3; do # the day tells who wrote a row
  while [ ! -e "$tap_folder/stop" ]; do
    echo "INSERT INTO public.note (recipient_id, made) VALUES (1, now() - $writer * interval '1 day');"
  done | PRIVATE_CLUSTER_USER=backend private_cluster_psql >"$tap_folder/writer.$writer" 2>&1 &
done
grown() { # grown CONDITION: until each of the writers has written 50 such rows
  until [ "$(sql postgres "SELECT count(*) FROM (SELECT 1 FROM public.note WHERE $1 GROUP BY round(extract(epoch FROM now() - made) / 86400) HAVING count(*) >= 50) AS w")" = 3 ]; do
    [ "$SECONDS" -lt $((began + tap_seconds)) ] || return 1
  done
}
began=$SECONDS
grown true
ok $? 'three backends write'
like "$(owner "SELECT notify_bridge.attach('note', created => '')")" 'added trigger' 'attach comes between'
grown 'notify_bridge_txid IS NOT NULL'
ok $? 'and they write on'
touch "$tap_folder/stop"
wait
is "$(cat "$tap_folder"/writer.?)" '' 'none of them has seen an error'
is "$(sql postgres "SELECT count(*) FROM (SELECT max(id) FILTER (WHERE notify_bridge_txid IS NULL) AS last, min(id) FILTER (WHERE notify_bridge_txid IS NOT NULL) AS first
  FROM public.note GROUP BY round(extract(epoch FROM now() - made) / 86400)) AS w WHERE w.last < w.first")" 3 'for each writer the rows from before come first, without txid'
is "$(sql postgres "SELECT count(*) FROM public.note, notify_bridge.source AS s WHERE s.relation = 'note'::regclass AND notify_bridge_txid < s.first_txid")" 0 'and none is older than the first transaction'
is "$(sql postgres "SELECT count(*) FROM public.note WHERE notify_bridge_txid::text <> xmin::text")" 0 'each has the transaction that wrote it'
owner "SELECT notify_bridge.detach('note')" >/dev/null

# A transaction that is older than attach, and writes to the table only afterwards.
session_open old backend
session_run old 'BEGIN; SELECT pg_current_xact_id();' >/dev/null
like "$(owner "SELECT notify_bridge.attach('note')")" 'added trigger' 'a transaction that has not touched the table is in nobody'"'"'s way'
session_run old 'INSERT INTO public.note (recipient_id) VALUES (1); COMMIT;'
is "$(sql postgres "SELECT count(*) FROM public.note, notify_bridge.source AS s WHERE s.relation = 'note'::regclass
  AND notify_bridge_txid >= s.first_txid AND notify_bridge_txid < (SELECT xmin::text::xid8 FROM pg_attribute WHERE attrelid = s.relation AND attname = 'notify_bridge_txid')")" 1 'what it writes later is new, though its id is older'
owner "SELECT notify_bridge.detach('note')" >/dev/null

# One that has: attach gives up after a second, and who waits behind it goes on.
session_run old 'BEGIN; INSERT INTO public.note (recipient_id) VALUES (1);'
like "$(owner "SELECT notify_bridge.attach('note')")" 'public.note is in use' 'attach does not wait for long'
is "$(sql backend "SET statement_timeout = '5s'; INSERT INTO public.note (recipient_id) VALUES (1) RETURNING 1")" 1 'nor keeps others waiting'
is "$(owner "SELECT count(*) FROM notify_bridge.source WHERE relation = 'note'::regclass")" 0 'and changes nothing'
session_run old 'COMMIT;'

# Two at once: the second one waits for the first, and has nothing left to do.
session_open first notify_bridge_owner
session_run first "BEGIN; SELECT count(*) FROM notify_bridge.attach('note');" >/dev/null
like "$(owner "SELECT notify_bridge.attach('note')")" 'by another session' 'two do not attach the same table'
session_run first 'COMMIT;'
is "$(owner "SELECT count(*) FROM notify_bridge.attach('note') WHERE step = 'did'")" 0 'the second has nothing left to do'

# An index whose building was interrupted is replaced; for a partitioned table each part is built by itself.
owner "SELECT notify_bridge.detach('note')" >/dev/null
sql backend 'INSERT INTO public.note (recipient_id) SELECT 1 FROM generate_series(1, 10000)' >/dev/null
like "$(owner "SELECT notify_bridge.attach('note')")" 'notify-bridge attach public.note' 'for a big table the command is named'
is "$(owner "SELECT problem FROM notify_bridge.served WHERE name = 'public.note'")" 'there is no valid index on (notify_bridge_txid)' 'which is not served before it has its indexes'
session_run old 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM public.users;' >/dev/null
builder=$(session_run first 'SELECT pg_backend_pid();')
session_send first 'CREATE INDEX CONCURRENTLY ON public.note (notify_bridge_txid);'
deadline=$((SECONDS + tap_seconds))
until [ "$(sql postgres "SELECT wait_event_type FROM pg_stat_activity WHERE pid = $builder")" = Lock ] || [ "$SECONDS" -ge "$deadline" ]; do :; done
sql postgres "SELECT pg_cancel_backend($builder)" >/dev/null
like "$(session_answer first)" 'canceling statement' 'the building of an index is interrupted'
session_run old 'COMMIT;'
steps=
while step=$(owner "SELECT statement FROM notify_bridge.index_steps('note') LIMIT 1") && [ -n "$step" ]; do
  steps+="${step%% ON *}, "
  owner "$step" >/dev/null
done
is "$steps" 'DROP INDEX CONCURRENTLY public.note_notify_bridge_txid_idx, CREATE INDEX CONCURRENTLY, CREATE INDEX CONCURRENTLY, ' 'its rest is removed, and both are built'
is "$(owner "SELECT coalesce(problem, 'none') FROM notify_bridge.served WHERE name = 'public.note'")" none 'then the table is served'

sql backend "INSERT INTO public.log SELECT n, '2025-01-01'::date + n % 700, gen_random_uuid(), 'x' FROM generate_series(1, 10000) AS n" >/dev/null
owner "SELECT notify_bridge.attach('log', payload => 'text')" >/dev/null
steps=0
while step=$(owner "SELECT statement FROM notify_bridge.index_steps('log') LIMIT 1") && [ -n "$step" ] && [ "$steps" -lt 30 ]; do
  like "$step" '^(CREATE INDEX CONCURRENTLY ON public.log_(1|2a)|CREATE INDEX ON ONLY public.log(_2)? |ALTER INDEX .* ATTACH PARTITION )' "$step"
  owner "$step" >/dev/null
  steps=$((steps + 1))
done
is "$steps" 14 'a partitioned table takes a step for each part and each level'
is "$(owner "SELECT coalesce(problem, 'none') FROM notify_bridge.served WHERE name = 'public.log'")" none 'then it is served'

# Whoever writes where and how, the bridge hears of it.
session_open ear postgres
id=$(session_run ear "LISTEN notify_bridge; LISTEN marker; SELECT notify_bridge.register_replica('test', 'here', 1, '0');")
session_run ear "SELECT notify_bridge.arm($id);" >/dev/null
bells >/dev/null
rings() { # rings NAME ROLE SQL
  sql "$2" "$3" >/dev/null
  is "$(bells)" '[]' "$1"
}
rings 'a row through the partitioned table rings' backend "INSERT INTO public.log VALUES (-1, '2025-01-01', gen_random_uuid())"
rings 'a row straight into a partition rings' backend "INSERT INTO public.log_1 VALUES (-2, '2025-01-01', gen_random_uuid())"
rings 'and one into a partition of a partition' backend "INSERT INTO public.log_2a VALUES (-3, '2026-02-01', gen_random_uuid())"
rings 'a row under session_replication_role = replica rings' postgres "SET session_replication_role = replica; INSERT INTO public.note (recipient_id) VALUES (1)"
rings 'attach rings' notify_bridge_owner "SELECT notify_bridge.attach('note')"
rings 'resend rings' notify_bridge "SELECT notify_bridge.resend('log', ARRAY[-1])"
rings 'detach rings' notify_bridge_owner "SELECT notify_bridge.detach('note')"
owner "SELECT notify_bridge.detach('log')" >/dev/null
session_close ear
session_close old
session_close first
sql postgres 'DROP TABLE public.note, public.log, public.users; DROP OWNED BY backend; DROP ROLE backend; DELETE FROM notify_bridge.replica' >/dev/null
done_testing
