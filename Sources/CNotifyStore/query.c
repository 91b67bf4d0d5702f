#include "internal.h"

// The protocol counts parameters in 16 bits.
#define PARAMETERS_MAX 65535

notify_store_status notify_store_query(notify_store *store, const char *sql, int count, const char *const *parameters,
                                       int timeout_ms, notify_store_result **out) {
  const notify_store_libpq *pq = store->pq;
  int64_t deadline = 0;
  notify_store_result *wrapper = NULL;
  PGresult *result = NULL;
  if (out != NULL) {
    *out = NULL;
  }
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (sql == NULL || count < 0 || count > PARAMETERS_MAX || (count > 0 && parameters == NULL)) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "a statement needs its text and 0 to 65535 parameters");
  }
  if (out != NULL) {
    // Before the statement, so that one that took effect is not reported as failed.
    wrapper = pq->allocate(sizeof *wrapper);
    if (wrapper == NULL) {
      return ns_fail_memory(store);
    }
  }
  const ns_statement statement = {.sql = sql, .count = count, .parameters = parameters};
  status = ns_run(store, &statement, deadline, &result);
  if (status != NOTIFY_STORE_OK) {
    goto cleanup;
  }
  if (out != NULL) {
    *wrapper = (notify_store_result){.pq = pq, .result = result};
    *out = wrapper;
    wrapper = NULL;
    result = NULL;
  }
cleanup:
  pq->clear(result);
  pq->deallocate(wrapper);
  return status;
}

int notify_store_result_rows(const notify_store_result *result) {
  return result->pq->rows(result->result);
}

int notify_store_result_columns(const notify_store_result *result) {
  return result->pq->columns(result->result);
}

const char *notify_store_result_value(const notify_store_result *result, int row, int column) {
  // Outside the answer libpq would print a warning.
  if (row < 0 || row >= notify_store_result_rows(result) || column < 0 ||
      column >= notify_store_result_columns(result) || result->pq->is_null(result->result, row, column) != 0) {
    return NULL;
  }
  return result->pq->value(result->result, row, column);
}

void notify_store_result_destroy(notify_store_result *result) {
  if (result == NULL) {
    return;
  }
  const notify_store_libpq *pq = result->pq;
  pq->clear(result->result);
  pq->deallocate(result);
}
