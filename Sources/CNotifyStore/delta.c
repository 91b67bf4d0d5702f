#include <stdio.h>

#include "internal.h"

// The texts of a delta's parameters (sql/delta.h).
typedef struct parameters {
  char xmax[24];
  ns_text xip;
  char row_bytes[16];
} parameters;

// Ends what was before. `xip` is freed by the caller where this succeeds.
static notify_store_status begin(notify_store *store, uint64_t xmax, const uint64_t *xip, size_t xip_count,
                                 int timeout_ms, int64_t *deadline, parameters *out) {
  notify_store_status status = ns_begin(store, timeout_ms, deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (xip == NULL && xip_count > 0) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "a delta's xip is missing");
  }
  status = ns_sources_need(store);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  (void)snprintf(out->xmax, sizeof out->xmax, "%llu", (unsigned long long)xmax);
  (void)snprintf(out->row_bytes, sizeof out->row_bytes, "%lu", (unsigned long)store->row_bytes);
  ns_array_begin(&out->xip, store->pq);
  for (size_t i = 0; i < xip_count; i++) {
    ns_array_add_uint64(&out->xip, xip[i]);
  }
  ns_array_end(&out->xip);
  if (out->xip.failed) {
    ns_text_free(&out->xip);
    return ns_fail_memory(store);
  }
  return NOTIFY_STORE_OK;
}

notify_store_status notify_store_delta(notify_store *store, uint64_t xmax, const uint64_t *xip, size_t xip_count,
                                       int timeout_ms) {
  int64_t deadline = 0;
  parameters texts;
  notify_store_status status = begin(store, xmax, xip, xip_count, timeout_ms, &deadline, &texts);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  status = ns_prepare(store, NS_PREPARED_DELTA, store->sources.delta_sql, deadline);
  if (status == NOTIFY_STORE_OK) {
    const char *const values[] = {texts.xmax, texts.xip.bytes, texts.row_bytes};
    const ns_statement statement = {.sql = store->sources.delta_sql,
                                    .settings = ns_read_settings,
                                    .name = ns_prepared_name(store, NS_PREPARED_DELTA),
                                    .count = 3,
                                    .parameters = values,
                                    .binary = true,
                                    .stream = true};
    status = ns_stream_start(store, NS_STREAM_DELTA, &statement, deadline);
  }
  ns_text_free(&texts.xip);
  return status;
}

static notify_store_status run_plain(notify_store *store, const ns_statement *statement, int64_t deadline) {
  PGresult *result = NULL;
  notify_store_status status = ns_run(store, statement, deadline, &result);
  store->pq->clear(result);
  return status;
}

notify_store_status notify_store_delta_keys(notify_store *store, uint64_t xmax, const uint64_t *xip, size_t xip_count,
                                            int timeout_ms) {
  int64_t deadline = 0;
  parameters texts;
  notify_store_status status = begin(store, xmax, xip, xip_count, timeout_ms, &deadline, &texts);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  // The cursor of an earlier delta that was given up.
  const ns_statement close = {.sql = "CLOSE ALL"};
  const char *const values[] = {texts.xmax, texts.xip.bytes};
  const ns_statement declare = {
      .sql = store->sources.delta_keys_sql, .settings = ns_read_settings, .count = 2, .parameters = values};
  status = run_plain(store, &close, deadline);
  if (status == NOTIFY_STORE_OK) {
    status = run_plain(store, &declare, deadline);
  }
  store->keys_begin = true;
  ns_text_free(&texts.xip);
  return status;
}

notify_store_status notify_store_fetch_keys(notify_store *store, uint32_t count, int timeout_ms) {
  int64_t deadline = 0;
  char sql[64];
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  (void)snprintf(sql, sizeof sql, "FETCH FORWARD %lu FROM notify_store_keys", (unsigned long)count);
  const ns_statement statement = {.sql = sql, .binary = true, .stream = true};
  status = ns_stream_start(store, NS_STREAM_KEYS, &statement, deadline);
  if (status == NOTIFY_STORE_OK) {
    store->stream.has_snapshot = !store->keys_begin;
    store->keys_begin = false;
  }
  return status;
}

notify_store_status notify_store_rows(notify_store *store, const notify_store_key *keys, size_t count, int timeout_ms) {
  enum { SOURCES, NUMBERS, TEXTS, TXIDS, ARRAYS };
  const notify_store_libpq *pq = store->pq;
  int64_t deadline = 0;
  ns_text arrays[ARRAYS];
  const char *values[ARRAYS + 1];
  char row_bytes[16];
  bool failed = false;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  // The answer counts keys in an int4.
  if (keys == NULL || count == 0 || count > INT32_MAX) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "rows are read by their keys, and there is none");
  }
  status = ns_sources_need(store);
  if (status == NOTIFY_STORE_OK) {
    status = ns_prepare(store, NS_PREPARED_ROWS, store->sources.rows_sql, deadline);
  }
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  for (int i = 0; i < ARRAYS; i++) {
    ns_array_begin(&arrays[i], pq);
  }
  for (size_t i = 0; i < count; i++) {
    ns_array_add_int64(&arrays[SOURCES], keys[i].source);
    ns_array_add_int64(&arrays[NUMBERS], keys[i].id.number);
    ns_array_add_text(&arrays[TEXTS], keys[i].id.text);
    ns_array_add_uint64(&arrays[TXIDS], keys[i].txid);
  }
  for (int i = 0; i < ARRAYS; i++) {
    ns_array_end(&arrays[i]);
    failed = failed || arrays[i].failed;
    values[i] = arrays[i].bytes;
  }
  (void)snprintf(row_bytes, sizeof row_bytes, "%lu", (unsigned long)store->row_bytes);
  values[ARRAYS] = row_bytes;
  const ns_statement statement = {.sql = store->sources.rows_sql,
                                  .settings = ns_read_settings,
                                  .name = ns_prepared_name(store, NS_PREPARED_ROWS),
                                  .count = ARRAYS + 1,
                                  .parameters = values,
                                  .binary = true,
                                  .stream = true};
  status = failed ? ns_fail_memory(store) : ns_stream_start(store, NS_STREAM_ROWS, &statement, deadline);
  if (status == NOTIFY_STORE_OK) {
    store->stream.has_snapshot = true;
    store->stream.request_count = (uint32_t)count;
  }
  for (int i = 0; i < ARRAYS; i++) {
    ns_text_free(&arrays[i]);
  }
  return status;
}

notify_store_status notify_store_scan_unsent(notify_store *store, int timeout_ms) {
  int64_t deadline = 0;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  status = ns_sources_need(store);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  const ns_statement statement = {
      .sql = store->sources.unsent_sql, .settings = ns_scan_settings, .binary = true, .stream = true};
  return ns_stream_start(store, NS_STREAM_UNSENT, &statement, deadline);
}
