#include <stdio.h>

#include "internal.h"

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
  if (status == NOTIFY_STORE_OK) {
    status = ns_prepare(store, NS_PREPARED_DELTA, store->sources.delta_sql, deadline);
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
                                  .name = ns_prepared_name(store, NS_PREPARED_DELTA),
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
