#include <string.h>

#include "internal.h"

// `l` locks the rows in the order of their ids, so that two bridges never wait for each other crosswise, and leaves out
// what somebody else holds. The commit's id is looked up after all rows were written: only then there is one.
//
// Each row is looked up by its key, whatever the statistics say: where nearly all rows were sent when the table was
// analyzed last, the planner takes `sent_at IS NULL` for one row and reads the whole table for each pair. A LATERAL
// with a lock or an OFFSET is not taken apart, so only the primary key is left to it; an array is looked up there too.
static const char mark_sql[] =
    "WITH l AS (SELECT n.id FROM "
    "(SELECT p.id, p.txid FROM unnest($1::int8[], $2::xid8[]) AS p (id, txid) ORDER BY p.id) AS k, "
    "LATERAL (SELECT m.id FROM public.notification m WHERE m.id = k.id AND m.txid = k.txid AND m.sent_at IS NULL "
    "FOR NO KEY UPDATE OF m SKIP LOCKED) AS n), "
    "u AS (UPDATE public.notification n SET is_sent = true, sent_at = now() "
    "WHERE n.id = ANY (ARRAY(SELECT l.id FROM l)) RETURNING n.id) "
    "SELECT count(*), CASE WHEN count(*) > 0 THEN pg_current_xact_id_if_assigned() END FROM u";

// In a transaction after the marking: what it marked, or somebody else did meanwhile, does not match any more.
static const char left_sql[] =
    "SELECT k.place FROM unnest($1::int8[], $2::xid8[]) WITH ORDINALITY AS k (id, txid, place), "
    "LATERAL (SELECT FROM public.notification m WHERE m.id = k.id AND m.txid = k.txid AND m.sent_at IS NULL OFFSET 0) "
    "n";

static const char read_sql[] =
    "WITH l AS (SELECT n.id FROM "
    "(SELECT p.id, p.user_id FROM unnest($1::int8[], $2::int8[]) AS p (id, user_id) ORDER BY p.id) AS k, "
    "LATERAL (SELECT m.id FROM public.notification m WHERE m.id = k.id AND m.user_id = k.user_id AND NOT m.is_read "
    "FOR NO KEY UPDATE OF m) AS n), "
    "u AS (UPDATE public.notification n SET is_read = true, read_at = now() "
    "WHERE n.id = ANY (ARRAY(SELECT l.id FROM l)) RETURNING n.id) "
    "SELECT count(*) FROM u";

static notify_store_status fail_answer(notify_store *store) {
  return ns_fail(store, NOTIFY_STORE_BAD_ANSWER, NULL,
                 "the server's answer to a marking has not the columns asked for");
}

// Whether an answer has exactly one row of so many columns.
static bool has_shape(ns_answer answer, int columns) {
  return answer.pq->rows(answer.result) == 1 && answer.pq->columns(answer.result) == columns;
}

static notify_store_status mark(notify_store *store, const char *const pairs[2], size_t count, int64_t deadline,
                                size_t *marked, uint64_t *xid) {
  const ns_statement statement = {.sql = mark_sql, .count = 2, .parameters = pairs, .binary = true};
  PGresult *result = NULL;
  int64_t rows = 0;
  notify_store_status status = ns_run(store, &statement, deadline, &result);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  const ns_answer answer = {.pq = store->pq, .result = result};
  if (!has_shape(answer, 2) || !ns_int8(answer, 0, &rows) || rows < 0 || (uint64_t)rows > count ||
      (rows > 0 && !ns_xid8(answer, 1, xid))) {
    status = fail_answer(store);
  } else {
    *marked = (size_t)rows;
  }
  store->pq->clear(result);
  return status;
}

static notify_store_status find_left(notify_store *store, const char *const pairs[2], size_t count, int64_t deadline,
                                     bool *left) {
  const notify_store_libpq *pq = store->pq;
  const ns_statement statement = {.sql = left_sql, .count = 2, .parameters = pairs, .binary = true};
  PGresult *result = NULL;
  notify_store_status status = ns_run(store, &statement, deadline, &result);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  for (int row = 0; row < pq->rows(result); row++) {
    int64_t place = 0;
    const ns_answer answer = {.pq = pq, .result = result};
    if (!ns_int8_at(answer, row, 0, &place) || place < 1 || (uint64_t)place > count) {
      status = fail_answer(store);
      break;
    }
    left[place - 1] = true;
  }
  pq->clear(result);
  return status;
}

notify_store_status notify_store_mark_sent(notify_store *store, const int64_t *ids, const uint64_t *txids, size_t count,
                                           int timeout_ms, size_t *marked, bool *left, uint64_t *xid) {
  int64_t deadline = 0;
  ns_text id_array;
  ns_text txid_array;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (marked == NULL || xid == NULL || (count > 0 && (ids == NULL || txids == NULL || left == NULL))) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "a marking needs its rows and places for what came of it");
  }
  *marked = 0;
  *xid = 0;
  if (count == 0) {
    return NOTIFY_STORE_OK;
  }
  memset(left, 0, count * sizeof *left);
  ns_array_begin(&id_array, store->pq);
  ns_array_begin(&txid_array, store->pq);
  for (size_t i = 0; i < count; i++) {
    ns_array_add_int64(&id_array, ids[i]);
    ns_array_add_uint64(&txid_array, txids[i]);
  }
  ns_array_end(&id_array);
  ns_array_end(&txid_array);
  if (id_array.failed || txid_array.failed) {
    status = ns_fail_memory(store);
    goto cleanup;
  }
  const char *const pairs[2] = {id_array.bytes, txid_array.bytes};
  status = mark(store, pairs, count, deadline, marked, xid);
  if (status == NOTIFY_STORE_OK && *marked < count) {
    status = find_left(store, pairs, count, deadline, left);
  }
cleanup:
  ns_text_free(&id_array);
  ns_text_free(&txid_array);
  return status;
}

notify_store_status notify_store_mark_read(notify_store *store, const int64_t *ids, const int64_t *users, size_t count,
                                           int timeout_ms, size_t *updated) {
  int64_t deadline = 0;
  int64_t rows = 0;
  PGresult *result = NULL;
  ns_text id_array;
  ns_text user_array;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (updated == NULL || (count > 0 && (ids == NULL || users == NULL))) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "a marking needs its rows and a place for their number");
  }
  *updated = 0;
  if (count == 0) {
    return NOTIFY_STORE_OK;
  }
  ns_array_begin(&id_array, store->pq);
  ns_array_begin(&user_array, store->pq);
  for (size_t i = 0; i < count; i++) {
    ns_array_add_int64(&id_array, ids[i]);
    ns_array_add_int64(&user_array, users[i]);
  }
  ns_array_end(&id_array);
  ns_array_end(&user_array);
  if (id_array.failed || user_array.failed) {
    status = ns_fail_memory(store);
    goto cleanup;
  }
  const char *const pairs[2] = {id_array.bytes, user_array.bytes};
  const ns_statement statement = {.sql = read_sql, .count = 2, .parameters = pairs, .binary = true};
  status = ns_run(store, &statement, deadline, &result);
  if (status != NOTIFY_STORE_OK) {
    goto cleanup;
  }
  const ns_answer answer = {.pq = store->pq, .result = result};
  if (has_shape(answer, 1) && ns_int8(answer, 0, &rows) && rows >= 0 && (uint64_t)rows <= count) {
    *updated = (size_t)rows;
  } else {
    status = fail_answer(store);
  }
cleanup:
  store->pq->clear(result);
  ns_text_free(&id_array);
  ns_text_free(&user_array);
  return status;
}
