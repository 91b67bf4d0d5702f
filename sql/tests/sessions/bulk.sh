#!/bin/bash
# What depends on sizes: marking is heap-only, a delta and the retention use their index.
. "$(dirname "$0")/../support/tap.sh"

sql postgres 'TRUNCATE public.notification' >/dev/null
start=$(sql postgres "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'notification'")

# 10,000 rows in 100-row statements; a bridge marks each delta when the next one is being written.
{
  echo "\\set last 0"
  for ((i = 0; i < 101; i++)); do
    [ "$i" -eq 100 ] || echo "INSERT INTO public.notification (user_id, data)
      SELECT n, jsonb_build_object('title', 'Order shipped', 'text', repeat('x', 150)) FROM generate_series(1, 100) AS n;"
    echo "WITH l AS (SELECT id FROM public.notification WHERE sent_at IS NULL AND id > :last
        AND ($i = 100 OR txid < pg_current_xact_id()) ORDER BY id LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED),
      m AS (UPDATE public.notification AS t SET is_sent = true, sent_at = now() FROM l WHERE t.id = l.id RETURNING t.id)
      SELECT coalesce(max(id), :last) AS last FROM m \\gset"
  done
} >"$tap_folder/bulk.sql"
private_cluster_psql -f "$tap_folder/bulk.sql"
is "$(sql postgres 'SELECT count(*), count(*) FILTER (WHERE is_sent) FROM public.notification')" '10000|10000' '10,000 rows are marked'
deadline=$((SECONDS + tap_seconds)) # the statistics follow when that session has ended
until
  now=$(sql postgres "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'notification'")
  updated=$((${now%|*} - ${start%|*}))
  [ "$updated" -ge 10000 ] || [ "$SECONDS" -ge "$deadline" ]
do :; done
hot=$((100 * (${now#*|} - ${start#*|}) / (updated > 0 ? updated : 1)))
ok $((hot >= 90 ? 0 : 1)) "at least 90 of 100 are heap-only: $hot of 100"

# The plan of a delta, with parameters as the bridge has them.
sql postgres "INSERT INTO public.notification (user_id, is_sent, sent_at, created_at)
  SELECT n % 1000, true, now(), now() - n * interval '1 minute' FROM generate_series(1, 100000) AS n" >/dev/null
sql postgres 'ANALYZE public.notification' >/dev/null
plan=$(sql postgres "SET plan_cache_mode = force_custom_plan;
  PREPARE delta (xid8, xid8[]) AS SELECT id, user_id, data::text FROM public.notification WHERE txid >= \$1 OR txid = ANY (\$2);
  EXPLAIN EXECUTE delta ('$(sql postgres 'SELECT pg_snapshot_xmax(pg_current_snapshot())')', '{700,701}')")
like "$plan" 'Index .*notification_txid_idx' 'a delta uses the index on txid'
plan=$(sql postgres "EXPLAIN SELECT id FROM public.notification WHERE user_id = 7 AND txid >= '700' ORDER BY txid, id LIMIT 100")
like "$plan" 'notification_user_id_txid_idx' 'a replay uses the index on (user_id, txid)'

# The retention: what purge reads inside. Not every server has auto_explain; all count their scans.
scans=$(sql postgres "BEGIN; SELECT notify_bridge.purge(30, 1000);
  SELECT pg_stat_get_xact_numscans('notification_created_at_idx'::regclass) > 0, pg_stat_get_xact_numscans('notification'::regclass); COMMIT")
like "$scans" 't[|]0$' 'purge finds old rows by the index on created_at'
like "$scans" '^1000' 'and deletes one batch'

# Two purges at once: neither waits, none deletes a row twice.
session_open first postgres
session_open second postgres
session_run first 'BEGIN; SELECT notify_bridge.purge(30, 1000);' >/dev/null
is "$(session_run second "SET lock_timeout = '5s'; SELECT notify_bridge.purge(30, 1000);")" 1000 'two purges take different rows'
session_run first 'COMMIT;'
due=$(sql postgres 'SELECT notify_bridge.purge(60, 1, true)')
session_run first 'BEGIN; UPDATE public.notification SET is_read = true WHERE id = (
  SELECT id FROM public.notification ORDER BY created_at LIMIT 1);'
is "$(session_run second 'SELECT notify_bridge.purge(60, 1000000);')" $((due - 1)) 'a row that somebody changes is left for the next purge'
session_run first 'COMMIT;'
session_close first
session_close second
sql postgres 'TRUNCATE public.notification' >/dev/null
done_testing
