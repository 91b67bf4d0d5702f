#!/bin/bash
# What grant_to gives is enough for a bridge, and nothing more; writers need nothing but INSERT.
. "$(dirname "$0")/../support/tap.sh"

as_bridge() { sql notify_bridge "$1"; }
refused() { like "$(sql "$2" "$3")" 'permission denied' "$1"; }

sql postgres "CREATE TABLE public.stranger (a integer); INSERT INTO public.notification (id, user_id, data, is_sent, sent_at, created_at)
  VALUES (-1, 1, '{}', true, now(), now() - interval '90 days')" >/dev/null
is "$(sql notify_bridge_writer 'INSERT INTO public.notification (id, user_id) VALUES (-2, 1) RETURNING id')" -2 \
  'a writer inserts and gets its id back'
refused 'a writer does not read notifications' notify_bridge_writer 'SELECT data FROM public.notification'
refused 'a writer does not see the replicas' notify_bridge_writer 'SELECT * FROM notify_bridge.replica'
refused 'a writer cannot resend' notify_bridge_writer "SELECT notify_bridge.resend('public.notification', '{-1}')"
refused 'a writer does not see the quarantine' notify_bridge_writer 'SELECT * FROM notify_bridge.quarantine'
refused 'a writer cannot purge' notify_bridge_writer 'SELECT notify_bridge.purge(1)'
like "$(sql notify_bridge_writer 'SELECT notify_bridge.ring()')" 'permission denied' 'nor call the trigger function'

is "$(as_bridge "SELECT id, data::text, txid IS NOT NULL FROM public.notification WHERE txid >= '3' AND id = -2")" '-2||t' \
  'the bridge reads the rows of a delta'
is "$(as_bridge "WITH l AS (SELECT id FROM public.notification WHERE id = -2 AND sent_at IS NULL ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
  UPDATE public.notification AS t SET is_sent = true, sent_at = now() FROM l WHERE t.id = l.id RETURNING t.is_sent")" t \
  'marks them sent'
is "$(as_bridge 'UPDATE public.notification SET is_read = true, read_at = now() WHERE id = -2 RETURNING is_read')" t 'and read'
is "$(as_bridge 'SELECT count(*) > 0 FROM notify_bridge.migration')" t 'reads the migrations'
is "$(as_bridge 'SELECT count(*) > 0 FROM notify_bridge.functions')" t 'and the version of the functions'
is "$(as_bridge 'SELECT relation FROM notify_bridge.source')" notification 'and the served tables'
id=$(as_bridge "SELECT notify_bridge.register_replica('test', 'here', 1, '0')")
like "$id" '^[0-9]+$' 'registers'
is "$(as_bridge "SELECT notify_bridge.arm($id)")" '' 'arms'
like "$(as_bridge "SELECT notify_bridge.heartbeat_replica($id)")" '^[0-9]+$' 'touches'
is "$(as_bridge "SELECT notify_bridge.unregister_replica($id)")" t 'unregisters'
is "$(as_bridge 'SELECT notify_bridge.repair_txids()')" 0 'repairs'
is "$(as_bridge "SELECT notify_bridge.resend('public.notification', '{-2}')")" 1 'has a row sent again'
is "$(as_bridge 'SELECT notify_bridge.purge(30, 10)')" 1 'and purges'
is "$(as_bridge "SELECT notify_bridge.quarantine_rows('mark', ARRAY[(SELECT number FROM notify_bridge.source)], '{-2}', '{5}', '{P0001}')")" 1 \
  'it sets a row aside'
is "$(as_bridge "SELECT source, row_id, sqlstate FROM notify_bridge.quarantine")" 'public.notification|-2|P0001' 'sees what is set aside'
is "$(as_bridge "SELECT count(*) FROM notify_bridge.claim_quarantined('mark', 10)")" 0 'claims what is due'
is "$(as_bridge "SELECT notify_bridge.retry_quarantined('public.notification', '{-2}')")" 1 'has it tried again'
is "$(as_bridge "SELECT notify_bridge.release_rows('mark', ARRAY[(SELECT number FROM notify_bridge.source)], '{-2}', '{5}')")" 1 \
  'releases it'
is "$(as_bridge 'SELECT notify_bridge.clean_quarantine()')" 0 'and cleans up'
is "$(as_bridge "SELECT count(*) FROM pg_control_system(), pg_walfile_name(pg_current_wal_lsn())")" 1 \
  'it can tell the cluster and its timeline'

refused 'it does not insert' notify_bridge 'INSERT INTO public.notification (user_id) VALUES (1)'
refused 'nor delete' notify_bridge 'DELETE FROM public.notification'
refused 'nor truncate' notify_bridge 'TRUNCATE public.notification'
for column in id user_id data created_at txid; do
  refused "nor change $column" notify_bridge "UPDATE public.notification SET $column = DEFAULT"
done
refused 'it does not read other tables' notify_bridge 'SELECT * FROM public.stranger'
refused 'nor change the list of served ones' notify_bridge "UPDATE notify_bridge.source SET is_own = true"
refused 'nor a replica but through its functions' notify_bridge 'DELETE FROM notify_bridge.replica'
refused 'nor the quarantine' notify_bridge 'DELETE FROM notify_bridge.quarantined'
refused 'nor the migrations' notify_bridge 'DELETE FROM notify_bridge.migration'
refused 'nor the version of the functions' notify_bridge 'DELETE FROM notify_bridge.functions'
refused 'nor remove replicas' notify_bridge 'SELECT notify_bridge.remove_dead_replicas(0)'
refused 'nor give rights away' notify_bridge "SELECT notify_bridge.grant_to('notify_bridge_writer')"
refused 'nor create in its schema' notify_bridge 'CREATE TABLE notify_bridge.x ()'

for function in grant_to grant_logins_to grant_backend_to grant_reports_to; do
  like "$(sql notify_bridge_owner "SELECT notify_bridge.$function('public')")" 'role "public" does not exist' \
    "$function refuses rights for everybody"
done
is "$(sql postgres "SELECT count(*) FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE n.nspname = 'notify_bridge' AND a.grantee = 0")" \
  0 'and gives none'
sql postgres 'CREATE ROLE "odd ""role; --" LOGIN' >/dev/null
is "$(sql notify_bridge_owner "SELECT notify_bridge.grant_to('odd \"role; --'), notify_bridge.grant_to('odd \"role; --')")" '|' \
  'any name of a role works, and twice'
is "$(sql postgres "SELECT has_column_privilege('odd \"role; --', 'public.notification', 'sent_at', 'UPDATE')")" t 'and has its rights'
sql notify_bridge_owner "CREATE TABLE public.bare (id integer PRIMARY KEY, user_id integer);
  INSERT INTO notify_bridge.source (relation, is_own, id_column, id_kind, recipient_column, recipient_kind, payload, payload_kind,
    txid_column, sent_at_column) VALUES ('public.bare', false, 'id', 'integer', 'user_id', 'integer', 'to_jsonb(n)', 'jsonb', 'txid', 'sent_at')" >/dev/null
sql postgres 'CREATE ROLE late' >/dev/null
is "$(sql notify_bridge_owner "SELECT notify_bridge.grant_to('late')")" '' 'a table whose mark columns were dropped is passed over'
is "$(sql postgres "SELECT has_column_privilege('late', 'public.notification', 'sent_at', 'UPDATE'), has_table_privilege('late', 'public.bare', 'SELECT')")" \
  't|f' 'and the others get their rights'
sql notify_bridge_owner "DELETE FROM notify_bridge.source WHERE relation = 'public.bare'::regclass; DROP TABLE public.bare" >/dev/null
sql postgres 'DROP OWNED BY late; DROP ROLE late' >/dev/null
sql postgres 'REVOKE USAGE ON SCHEMA public FROM PUBLIC' >/dev/null
refused 'where schema public is closed the bridge is shut out' notify_bridge 'SELECT count(*) FROM public.notification'
sql postgres "SELECT notify_bridge.grant_to('notify_bridge')" >/dev/null
like "$(as_bridge 'SELECT count(*) FROM public.notification')" '^[0-9]+$' 'until grant_to opens it'
sql postgres 'GRANT USAGE ON SCHEMA public TO PUBLIC; REVOKE USAGE ON SCHEMA public FROM notify_bridge' >/dev/null

# The lines of pg_hba.conf that are shipped can be read by the server (it reads the file at each look).
rules="SELECT count(*) FILTER (WHERE 'mydatabase' = ANY (database)),
  count(*) FILTER (WHERE error NOT LIKE 'hostssl record cannot match because SSL is %') FROM pg_hba_file_rules"
shipped=$(cat "$(dirname "$0")/../../../Config/postgresql/pg_hba.conf")
private_cluster__append pg_hba.conf "$shipped"
is "$(sql postgres "$rules")" "$(grep -c '^host' <<<"$shipped")|0" 'the shipped lines of pg_hba.conf are sound'
private_cluster__append pg_hba.conf 'hostssl mydatabase notify_bridge 10.0.1.0/99 scram-sha-256'
like "$(sql postgres "$rules")" '[|]1$' 'and an unsound one would be found'
private_cluster__write pg_hba.conf "local all all trust
host all all 127.0.0.1/32 trust"
is "$(sql postgres "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles WHERE rolname = 'notify_bridge_owner'")" \
  f 'and the owner that migrated is an ordinary role'
sql postgres 'DROP TABLE public.stranger; TRUNCATE public.notification' >/dev/null
done_testing
