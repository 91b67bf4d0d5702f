// Tries a table's statements, for their failures only.

#include "sql/probe.h"

#include "internal.h"

static notify_store_status try_template(notify_store *store, const char *template, const notify_store_source *source,
                                        int64_t deadline) {
  ns_text sql;
  PGresult *result = NULL;
  ns_text_begin(&sql, store->pq);
  ns_text_add_template(&sql, template, source);
  notify_store_status status = sql.failed ? ns_fail_memory(store) : NOTIFY_STORE_OK;
  if (status == NOTIFY_STORE_OK) {
    // In this form a text can hold no second statement.
    const ns_statement statement = {.sql = sql.bytes, .settings = ns_read_settings, .binary = true};
    status = ns_run(store, &statement, deadline, &result);
    store->pq->clear(result);
  }
  ns_text_free(&sql);
  return status;
}

notify_store_status notify_store_probe(notify_store *store, const notify_store_source *source, bool marking,
                                       int timeout_ms) {
  int64_t deadline = 0;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status == NOTIFY_STORE_OK) {
    status = ns_sources_check(store, source, 1);
  }
  return status == NOTIFY_STORE_OK ? try_template(store, marking ? probe_mark_sql : probe_read_sql, source, deadline)
                                   : status;
}
