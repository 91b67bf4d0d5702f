#include <stdio.h>

#include "internal.h"

#define SNAPSHOT_ITEM                                                                                            \
  "SELECT 0::int4 AS kind, NULL::int4 AS request, NULL::int8 AS id, NULL::xid8 AS row_txid, NULL::timestamptz, " \
  "NULL::bool, NULL::bool, NULL::bool, NULL::text, pg_current_snapshot()::text "

// The snapshot is that of the statement, so it says exactly which rows the second half could see. That the first half
// comes first is no promise of SQL, but an Append without workers runs its parts in turn (connect.c turns them off),
// and row.c would notice. The rows are ordered by the inner SELECT, whose Sort carries `data` as it is stored; only the
// outer one makes it text, row by row as the rows are sent. `xmax` is a plain parameter, never a sub-select: so the
// planner knows how few rows it means, and reads them from the index on txid. Of `xip` those still in progress are left
// out by the same snapshot, which has them in its own xip: reading the 100,000 uncommitted rows of one of them would
// cost each delta 6 ms. That list is an InitPlan's result, which the index takes too. The output's column is not named
// txid, since ORDER BY would take that for the one to sort by.
static const char delta_sql[] = SNAPSHOT_ITEM
    "UNION ALL "
    "(SELECT 1, NULL, s.id, s.txid, s.created_at, s.sent, NULL, NULL, s.user_id::text, s.data::text FROM ("
    "SELECT n.id, n.txid, n.created_at, n.sent_at IS NOT NULL AS sent, n.user_id, n.data "
    "FROM public.notification n "
    "WHERE (n.txid >= $1::xid8 OR n.txid = ANY (ARRAY(SELECT x.id FROM unnest($2::xid8[]) AS x(id) "
    "WHERE pg_visible_in_snapshot(x.id, pg_current_snapshot())))) AND NOT (n.is_sent AND n.sent_at IS NULL) "
    "ORDER BY n.txid, n.id) s)";

// PostgreSQL has min(xid8) only from 16 on; numeric holds any of them.
static const char unsent_sql[] = SNAPSHOT_ITEM
    "UNION ALL "
    "(SELECT 1, NULL, s.total, s.oldest::text::xid8, NULL, NULL, NULL, NULL, s.user_id::text, NULL FROM ("
    "SELECT n.user_id, count(*) AS total, min(n.txid::text::numeric) AS oldest FROM public.notification n "
    "WHERE n.txid IS NOT NULL AND NOT n.is_sent AND n.sent_at IS NULL AND n.user_id IS NOT NULL "
    "GROUP BY n.user_id) s)";

notify_store_status notify_store_delta(notify_store *store, uint64_t xmax, const uint64_t *xip, size_t xip_count,
                                       int timeout_ms) {
  int64_t deadline = 0;
  char from[24];
  ns_text in_progress;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (xip == NULL && xip_count > 0) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "a delta's xip is missing");
  }
  (void)snprintf(from, sizeof from, "%llu", (unsigned long long)xmax);
  ns_array_begin(&in_progress, store->pq);
  for (size_t i = 0; i < xip_count; i++) {
    ns_array_add_uint64(&in_progress, xip[i]);
  }
  ns_array_end(&in_progress);
  if (in_progress.failed) {
    status = ns_fail_memory(store);
    goto cleanup;
  }
  const char *const parameters[] = {from, in_progress.bytes};
  const ns_statement statement = {
      .sql = delta_sql, .count = 2, .parameters = parameters, .binary = true, .stream = true};
  status = ns_stream_start(store, NS_STREAM_DELTA, &statement, deadline);
cleanup:
  ns_text_free(&in_progress);
  return status;
}

notify_store_status notify_store_scan_unsent(notify_store *store, int timeout_ms) {
  int64_t deadline = 0;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  const ns_statement statement = {.sql = unsent_sql, .binary = true, .stream = true};
  return ns_stream_start(store, NS_STREAM_UNSENT, &statement, deadline);
}
