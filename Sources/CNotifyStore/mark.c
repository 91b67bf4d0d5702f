#include <string.h>

#include "internal.h"

static notify_store_status fail_answer(notify_store *store) {
  return ns_fail(store, NOTIFY_STORE_BAD_ANSWER, NULL,
                 "the server's answer to a marking has not the columns asked for");
}

// Whether an answer has exactly one row of so many columns.
static bool has_shape(ns_answer answer, int columns) {
  return answer.pq->rows(answer.result) == 1 && answer.pq->columns(answer.result) == columns;
}

static notify_store_status find_source(notify_store *store, int32_t number, const ns_source **out) {
  notify_store_status status = ns_sources_need(store);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  *out = ns_source_find(store, number);
  return *out == NULL ? ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "no served table has this number")
                      : NOTIFY_STORE_OK;
}

static void add_id(ns_text *array, const ns_source *source, const notify_store_id *id) {
  if (source->id_kind == NOTIFY_STORE_KIND_INTEGER) {
    ns_array_add_int64(array, id->number);
  } else {
    ns_array_add_text(array, id->text);
  }
}

static notify_store_status mark(notify_store *store, const char *sql, const char *const pairs[2], size_t count,
                                int64_t deadline, size_t *marked, uint64_t *xid) {
  const ns_statement statement = {
      .sql = sql, .settings = ns_mark_settings, .count = 2, .parameters = pairs, .binary = true};
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

static notify_store_status find_left(notify_store *store, const char *sql, const char *const pairs[2], size_t count,
                                     int64_t deadline, bool *left) {
  const notify_store_libpq *pq = store->pq;
  const ns_statement statement = {
      .sql = sql, .settings = ns_mark_settings, .count = 2, .parameters = pairs, .binary = true};
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

notify_store_status notify_store_mark_sent(notify_store *store, int32_t source, const notify_store_mark *marks,
                                           size_t count, int timeout_ms, size_t *marked, bool *left, uint64_t *xid) {
  int64_t deadline = 0;
  ns_text id_array;
  ns_text txid_array;
  const ns_source *found = NULL;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (marked == NULL || xid == NULL || (count > 0 && (marks == NULL || left == NULL))) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "a marking needs its rows and output parameters");
  }
  *marked = 0;
  *xid = 0;
  if (count == 0) {
    return NOTIFY_STORE_OK;
  }
  memset(left, 0, count * sizeof *left);
  status = find_source(store, source, &found);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  ns_array_begin(&id_array, store->pq);
  ns_array_begin(&txid_array, store->pq);
  for (size_t i = 0; i < count; i++) {
    add_id(&id_array, found, &marks[i].id);
    ns_array_add_uint64(&txid_array, marks[i].txid);
  }
  ns_array_end(&id_array);
  ns_array_end(&txid_array);
  if (id_array.failed || txid_array.failed) {
    status = ns_fail_memory(store);
    goto cleanup;
  }
  const char *const pairs[2] = {id_array.bytes, txid_array.bytes};
  status = mark(store, found->mark_sql, pairs, count, deadline, marked, xid);
  if (status == NOTIFY_STORE_OK && *marked < count) {
    status = find_left(store, found->left_sql, pairs, count, deadline, left);
  }
cleanup:
  ns_text_free(&id_array);
  ns_text_free(&txid_array);
  return status;
}

notify_store_status notify_store_mark_read(notify_store *store, int32_t source, const notify_store_id *ids,
                                           const char *const *users, size_t count, int timeout_ms, size_t *updated) {
  int64_t deadline = 0;
  int64_t rows = 0;
  PGresult *result = NULL;
  ns_text id_array;
  ns_text user_array;
  const ns_source *found = NULL;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (updated == NULL || (count > 0 && (ids == NULL || users == NULL))) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "a marking needs its rows and an output parameter");
  }
  *updated = 0;
  if (count == 0) {
    return NOTIFY_STORE_OK;
  }
  status = find_source(store, source, &found);
  if (status != NOTIFY_STORE_OK || found->read_sql == NULL) {
    return status;
  }
  ns_array_begin(&id_array, store->pq);
  ns_array_begin(&user_array, store->pq);
  for (size_t i = 0; i < count; i++) {
    add_id(&id_array, found, &ids[i]);
    ns_array_add_text(&user_array, users[i]);
  }
  ns_array_end(&id_array);
  ns_array_end(&user_array);
  if (id_array.failed || user_array.failed) {
    status = ns_fail_memory(store);
    goto cleanup;
  }
  const char *const pairs[2] = {id_array.bytes, user_array.bytes};
  const ns_statement statement = {
      .sql = found->read_sql, .settings = ns_mark_settings, .count = 2, .parameters = pairs, .binary = true};
  status = ns_run(store, &statement, deadline, &result);
  if (status != NOTIFY_STORE_OK) {
    goto cleanup;
  }
  const ns_answer answer = {.pq = store->pq, .result = result};
  // May be more than `count` where ids are not unique.
  if (has_shape(answer, 1) && ns_int8(answer, 0, &rows) && rows >= 0) {
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
