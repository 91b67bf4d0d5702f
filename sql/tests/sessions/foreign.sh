#!/bin/bash
# A public.notification that is not ours is left alone, and everything else works.
. "$(dirname "$0")/../support/tap.sh"

PRIVATE_CLUSTER_DATABASE=postgres private_cluster_psql -c 'CREATE DATABASE theirs OWNER notify_bridge_owner'
export PRIVATE_CLUSTER_DATABASE=theirs
shape="SELECT string_agg(attname || ' ' || atttypid::regtype, ',' ORDER BY attnum)
  || (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'public.notification'::regclass)
  || coalesce(obj_description('public.notification'::regclass), '-')
  || (SELECT coalesce(relacl::text, '-') || coalesce(reloptions::text, '-') FROM pg_class WHERE oid = 'public.notification'::regclass)
  FROM pg_attribute WHERE attrelid = 'public.notification'::regclass AND attnum > 0"
sql postgres "CREATE TABLE public.notification (key uuid PRIMARY KEY, recipient text); GRANT SELECT ON public.notification TO PUBLIC" >/dev/null
before=$(sql postgres "$shape")
warning=$(PRIVATE_CLUSTER_USER=notify_bridge_owner private_cluster_migrate 2>&1)
is "$?" 0 'the migrations succeed beside a foreign table'
like "$warning" 'WARNING: .*public.notification exists' 'with a warning'
like "$warning" 'notify-bridge attach public.notification' 'that says what to do'
is "$(sql postgres "$shape")" "$before" 'the table is as it was'
is "$(sql postgres 'SELECT count(*) FROM notify_bridge.source')" 0 'and is not served'
is "$(sql postgres 'SELECT count(*) FROM notify_bridge.migration')" \
  "$(PRIVATE_CLUSTER_DATABASE=bridge sql postgres 'SELECT count(*) FROM notify_bridge.migration')" 'every migration is recorded'
like "$(sql notify_bridge_owner "SELECT notify_bridge.resend('public.notification', '{1}')")" 'is not served' 'resend refuses it'
is "$(sql notify_bridge_owner 'SELECT notify_bridge.purge(1), notify_bridge.repair_txids()')" '0|0' 'purge and repair leave it alone'
is "$(sql notify_bridge_owner "SELECT notify_bridge.grant_to('notify_bridge')")" '' 'rights can be given'
like "$(sql notify_bridge "SELECT notify_bridge.register_replica('test', 'here', 1, '0')")" '^[0-9]+$' 'and a bridge registers'
is "$(sql postgres "SELECT has_table_privilege('notify_bridge', 'public.notification', 'UPDATE')")" f 'without a right on the foreign table'

# A view of that name is foreign too.
PRIVATE_CLUSTER_DATABASE=postgres private_cluster_psql -c 'CREATE DATABASE view OWNER notify_bridge_owner'
export PRIVATE_CLUSTER_DATABASE=view
sql postgres 'CREATE VIEW public.notification AS SELECT 1 AS id' >/dev/null
like "$(private_cluster_migrate 2>&1)" 'public.notification exists' 'a view of that name is left alone too'
is "$(sql postgres 'SELECT id FROM public.notification')" 1 'and still works'
export PRIVATE_CLUSTER_DATABASE=postgres
private_cluster_psql -c 'DROP DATABASE theirs' -c 'DROP DATABASE view'
done_testing
