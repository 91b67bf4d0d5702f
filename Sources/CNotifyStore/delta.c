#include <stdio.h>

#include "internal.h"

// Deltas are many and alike: the server plans the statement once for a connection.
#define DELTA_NAME "notify_store_delta"

static notify_store_status run_prepare(notify_store *store, int64_t deadline) {
  const notify_store_libpq *pq = store->pq;
  PGresult *result = NULL;
  // One of an earlier list of tables may be there.
  const ns_statement forget = {.sql = "DEALLOCATE ALL"};
  notify_store_status status = ns_run(store, &forget, deadline, &result);
  pq->clear(result);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  const ns_statement prepare = {.sql = store->sources.delta_sql, .name = DELTA_NAME, .prepare = true};
  status = ns_run(store, &prepare, deadline, &result);
  pq->clear(result);
  store->delta_prepared = status == NOTIFY_STORE_OK;
  return status;
}

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
  status = ns_sources_need(store);
  if (status == NOTIFY_STORE_OK && !store->pooled && !store->delta_prepared) {
    status = run_prepare(store, deadline);
  }
  if (status != NOTIFY_STORE_OK) {
    return status;
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
  const ns_statement statement = {.sql = store->sources.delta_sql,
                                  .settings = ns_row_settings,
                                  .name = store->pooled ? NULL : DELTA_NAME,
                                  .count = 2,
                                  .parameters = parameters,
                                  .binary = true,
                                  .stream = true};
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
  status = ns_sources_need(store);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  const ns_statement statement = {
      .sql = store->sources.unsent_sql, .settings = ns_scan_settings, .binary = true, .stream = true};
  return ns_stream_start(store, NS_STREAM_UNSENT, &statement, deadline);
}
