#include "internal.h"

static const char *const names[] = {
    [NS_PREPARED_DELTA] = "notify_store_delta",
    [NS_PREPARED_REPLAY] = "notify_store_replay",
    [NS_PREPARED_ROWS] = "notify_store_rows",
};

const char *ns_prepared_name(const notify_store *store, ns_prepared statement) {
  return store->pooled ? NULL : names[statement];
}

notify_store_status ns_prepare(notify_store *store, ns_prepared statement, const char *sql, int64_t deadline) {
  const notify_store_libpq *pq = store->pq;
  const unsigned flag = 1U << statement;
  PGresult *result = NULL;
  notify_store_status status = NOTIFY_STORE_OK;
  if (store->pooled || (store->prepared & flag) != 0) {
    return NOTIFY_STORE_OK;
  }
  if (store->prepared == 0) {
    // Those of an earlier list of tables may be there.
    const ns_statement forget = {.sql = "DEALLOCATE ALL"};
    status = ns_run(store, &forget, deadline, &result);
    pq->clear(result);
    if (status != NOTIFY_STORE_OK) {
      return status;
    }
  }
  const ns_statement prepare = {.sql = sql, .name = names[statement], .prepare = true};
  status = ns_run(store, &prepare, deadline, &result);
  pq->clear(result);
  if (status == NOTIFY_STORE_OK) {
    store->prepared |= flag;
  }
  return status;
}
