#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

// Runs a statement that answers with one int8.
static notify_store_status run_number(notify_store *store, const ns_statement *statement, int64_t deadline,
                                      int64_t *out) {
  PGresult *result = NULL;
  notify_store_status status = ns_run(store, statement, deadline, &result);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  const ns_answer answer = {.pq = store->pq, .result = result};
  if (store->pq->rows(result) != 1 || store->pq->columns(result) != 1 || !ns_int8(answer, 0, out)) {
    status = ns_fail(store, NOTIFY_STORE_BAD_ANSWER, NULL, "the server's answer is not one number");
  }
  store->pq->clear(result);
  return status;
}

notify_store_status notify_store_insert(notify_store *store, int32_t source, const char *user, const char *data,
                                        int timeout_ms, char **id) {
  const notify_store_libpq *pq = store->pq;
  int64_t deadline = 0;
  PGresult *result = NULL;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status == NOTIFY_STORE_OK) {
    status = ns_sources_need(store);
  }
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  const ns_source *found = ns_source_find(store, source);
  if (user == NULL || id == NULL || found == NULL || found->insert_sql == NULL) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL,
                   "a row needs a recipient, a place for its id, and a served table with a column for payloads");
  }
  *id = NULL;
  const char *const parameters[] = {user, data};
  const ns_statement statement = {.sql = found->insert_sql, .count = 2, .parameters = parameters};
  status = ns_run(store, &statement, deadline, &result);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (pq->rows(result) != 1 || pq->columns(result) != 1 || pq->is_null(result, 0, 0) != 0) {
    status = ns_fail(store, NOTIFY_STORE_BAD_ANSWER, NULL, "the server's answer is not one id");
  } else {
    size_t size = (size_t)pq->length(result, 0, 0) + 1;
    *id = malloc(size);
    if (*id == NULL) {
      status = ns_fail_memory(store);
    } else {
      memcpy(*id, pq->value(result, 0, 0), size);
    }
  }
  pq->clear(result);
  return status;
}

notify_store_status notify_store_purge(notify_store *store, int days, int unsent_days, int batch, bool dry_run,
                                       int timeout_ms, int64_t *rows) {
  int64_t deadline = 0;
  char day_digits[16];
  char unsent_digits[16];
  char batch_digits[16];
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (days < 0 || unsent_days < 0 || batch < 1 || rows == NULL) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL,
                   "purging needs numbers of days, at least one row, and a place");
  }
  *rows = 0;
  (void)snprintf(day_digits, sizeof day_digits, "%d", days);
  (void)snprintf(unsent_digits, sizeof unsent_digits, "%d", unsent_days);
  (void)snprintf(batch_digits, sizeof batch_digits, "%d", batch);
  const char *const parameters[] = {day_digits, batch_digits, dry_run ? "t" : "f", unsent_digits};
  const ns_statement statement = {.sql = "SELECT notify_bridge.purge($1::int4, $2::int4, $3::bool, $4::int4)",
                                  .count = 4,
                                  .parameters = parameters,
                                  .binary = true};
  return run_number(store, &statement, deadline, rows);
}
