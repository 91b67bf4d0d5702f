#include <stdio.h>
#include <string.h>

#include "internal.h"

enum {
  PARAMETER_USER,
  PARAMETER_LOWEST,
  PARAMETER_UNSENT,
  PARAMETER_SINCE,
  PARAMETER_SENT_LIMIT,
  PARAMETER_SNAPSHOT,
  PARAMETER_AFTER_TXID,
  PARAMETER_AFTER_ID,
  PARAMETER_ARRAYS,
  PARAMETER_PAGE_ROWS = PARAMETER_ARRAYS,
  PARAMETER_PAGE_BYTES,
  PARAMETER_COUNT,
};

// From the inside out:
//   u  the requests, one row each.
//   t  whether too many rows after `since` were sent already. It starts at the xmin of `since`, below which everything
//   is
//      visible in it, and stops at the limit: a user with a long history costs no more than one with a short one.
//   r  the request with what depends on nothing but it; OFFSET 0 keeps that from being computed for each row.
//   s  the rows that are wanted, one more than fit into a page, by the index on (user_id, txid).
//   w  which of them fit: `data` is only measured as it is stored, not read.
//   p  whether one did not fit, which is told in every row.
//   q  the order: by request, then as in a delta. A request without rows has one row with nothing but the request.
// Only the outermost SELECT makes `data` a text, for the rows that are sent. row.c makes the REQUEST items.
static const char replay_sql[] =
    "SELECT 0::int4 AS kind, NULL::int4 AS request, NULL::int8 AS id, NULL::xid8 AS row_txid, NULL::timestamptz, "
    "NULL::bool, NULL::bool, NULL::bool, NULL::text, pg_current_snapshot()::text "
    "UNION ALL "
    "(SELECT 1, q.request, q.id, q.txid, q.created_at, q.sent, q.truncated, q.more, q.user_id::text, q.data::text FROM "
    "("
    "SELECT (r.ordinal - 1)::int4 AS request, p.id, p.txid, p.created_at, p.sent, r.truncated, "
    "coalesce(p.more, false) AS more, p.user_id, p.data FROM ("
    "SELECT u.*, t.truncated, coalesce(u.page, pg_current_snapshot()) AS visible, "
    "greatest(u.lowest, u.after_txid, CASE WHEN NOT u.unsent THEN pg_snapshot_xmin(u.since) END) AS bound "
    "FROM unnest($1::int8[], $2::xid8[], $3::bool[], $4::pg_snapshot[], $5::int8[], $6::pg_snapshot[], $7::xid8[], "
    "$8::int8[]) WITH ORDINALITY "
    "AS u (user_id, lowest, unsent, since, sent_limit, page, after_txid, after_id, ordinal) "
    "CROSS JOIN LATERAL ("
    "SELECT u.sent_limit > 0 AND count(*) > u.sent_limit AS truncated FROM ("
    "SELECT FROM public.notification n "
    "WHERE u.sent_limit > 0 AND n.user_id = u.user_id AND n.txid >= greatest(u.lowest, pg_snapshot_xmin(u.since)) "
    "AND n.sent_at IS NOT NULL AND NOT pg_visible_in_snapshot(n.txid, u.since) "
    "AND (u.page IS NULL OR pg_visible_in_snapshot(n.txid, u.page)) "
    "LIMIT u.sent_limit + 1) c) t "
    "OFFSET 0) r "
    "LEFT JOIN LATERAL ("
    "SELECT w.*, bool_or(NOT w.chosen) OVER () AS more FROM ("
    "SELECT s.*, row_number() OVER o <= $9::int8 AND sum(s.size) OVER o - s.size < $10::numeric AS chosen FROM ("
    "SELECT n.id, n.txid, n.created_at, n.sent_at IS NOT NULL AS sent, n.user_id, n.data, "
    "coalesce(pg_column_size(n.data), 0) AS size "
    "FROM public.notification n "
    "WHERE n.user_id = r.user_id AND n.txid >= r.bound "
    "AND (n.txid > r.after_txid OR n.txid = r.after_txid AND n.id > r.after_id) "
    "AND pg_visible_in_snapshot(n.txid, r.visible) AND NOT (n.is_sent AND n.sent_at IS NULL) "
    "AND (r.unsent AND NOT n.is_sent AND n.sent_at IS NULL "
    "OR r.since IS NOT NULL AND NOT r.truncated AND NOT pg_visible_in_snapshot(n.txid, r.since)) "
    "ORDER BY n.txid, n.id LIMIT $9::int8 + 1) s "
    "WINDOW o AS (ORDER BY s.txid, s.id ROWS UNBOUNDED PRECEDING)) w) p ON p.chosen "
    "ORDER BY r.ordinal, p.txid, p.id) q)";

// Whether a text can be a pg_snapshot: digits, colons and commas. Nothing else may come between an array's quotes.
static bool is_snapshot(const char *text) {
  return text == NULL || (text[0] != '\0' && strspn(text, "0123456789:,") == strlen(text));
}

static void add_snapshot(ns_text *array, const char *snapshot) {
  if (snapshot == NULL) {
    ns_array_add(array, "NULL");
    return;
  }
  // Quoted, since it has commas of its own.
  ns_array_add(array, "\"");
  ns_text_add(array, snapshot);
  ns_text_add(array, "\"");
}

static void add_request(ns_text arrays[PARAMETER_ARRAYS], const notify_store_replay_request *request) {
  ns_array_add_int64(&arrays[PARAMETER_USER], request->user);
  ns_array_add_uint64(&arrays[PARAMETER_LOWEST], request->lowest_txid);
  ns_array_add(&arrays[PARAMETER_UNSENT], request->unsent ? "t" : "f");
  add_snapshot(&arrays[PARAMETER_SINCE], request->since);
  ns_array_add_uint64(&arrays[PARAMETER_SENT_LIMIT], request->since == NULL ? 0 : request->sent_limit);
  add_snapshot(&arrays[PARAMETER_SNAPSHOT], request->snapshot);
  ns_array_add_uint64(&arrays[PARAMETER_AFTER_TXID], request->after_txid);
  ns_array_add_int64(&arrays[PARAMETER_AFTER_ID], request->after_id);
}

static bool are_valid(const notify_store_replay_request *requests, size_t count) {
  // The answer counts requests in an int4.
  if ((requests == NULL && count > 0) || count > INT32_MAX) {
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    if (!is_snapshot(requests[i].since) || !is_snapshot(requests[i].snapshot)) {
      return false;
    }
  }
  return true;
}

notify_store_status notify_store_replay(notify_store *store, const notify_store_replay_request *requests, size_t count,
                                        uint32_t page_rows, uint64_t page_bytes, int timeout_ms) {
  int64_t deadline = 0;
  ns_text arrays[PARAMETER_ARRAYS];
  char rows[24];
  char bytes[24];
  const char *parameters[PARAMETER_COUNT];
  bool failed = false;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (page_rows == 0 || page_bytes == 0 || !are_valid(requests, count)) {
    return ns_fail(
        store, NOTIFY_STORE_BAD_ARGUMENT, NULL,
        "a replay needs requests, pages of at least one row and byte, and snapshots as PostgreSQL writes them");
  }
  for (int i = 0; i < PARAMETER_ARRAYS; i++) {
    ns_array_begin(&arrays[i], store->pq);
  }
  for (size_t i = 0; i < count; i++) {
    add_request(arrays, &requests[i]);
  }
  for (int i = 0; i < PARAMETER_ARRAYS; i++) {
    ns_array_end(&arrays[i]);
    failed = failed || arrays[i].failed;
    parameters[i] = arrays[i].bytes;
  }
  if (failed) {
    status = ns_fail_memory(store);
    goto cleanup;
  }
  (void)snprintf(rows, sizeof rows, "%lu", (unsigned long)page_rows);
  (void)snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)page_bytes);
  parameters[PARAMETER_PAGE_ROWS] = rows;
  parameters[PARAMETER_PAGE_BYTES] = bytes;
  const ns_statement statement = {
      .sql = replay_sql, .count = PARAMETER_COUNT, .parameters = parameters, .binary = true, .stream = true};
  status = ns_stream_start(store, NS_STREAM_REPLAY, &statement, deadline);
  if (status == NOTIFY_STORE_OK) {
    store->stream.request_count = (uint32_t)count;
  }
cleanup:
  for (int i = 0; i < PARAMETER_ARRAYS; i++) {
    ns_text_free(&arrays[i]);
  }
  return status;
}
