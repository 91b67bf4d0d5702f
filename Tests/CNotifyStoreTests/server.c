#include "server.h"

#include <stdarg.h>
#include <stdlib.h>

#define SQL_SIZE 4096

const char *server_conninfo(void) {
  return getenv("NOTIFY_STORE_TEST_DATABASE");
}

notify_store *server_store(void) {
  notify_store *store = NULL;
  if (notify_store_create(NULL, &store) != NOTIFY_STORE_OK ||
      notify_store_connect(store, server_conninfo(), "test", TIMEOUT_MS) != NOTIFY_STORE_OK) {
    fprintf(stderr, "no connection: %s\n", store == NULL ? "memory" : notify_store_last_error(store)->message);
    exit(1);
  }
  return store;
}

static notify_store_result *run(notify_store *store, const char *format, va_list arguments) {
  char sql[SQL_SIZE];
  notify_store_result *result = NULL;
  (void)vsnprintf(sql, sizeof sql, format, arguments);
  notify_store_status status = notify_store_query(store, sql, 0, NULL, TIMEOUT_MS, &result);
  CHECK_EQUAL(status, NOTIFY_STORE_OK);
  if (status != NOTIFY_STORE_OK) {
    fprintf(stderr, "    %s: %s\n", sql, notify_store_last_error(store)->message);
  }
  return result;
}

void server_run(notify_store *store, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  notify_store_result_destroy(run(store, format, arguments));
  va_end(arguments);
}

long long server_number(notify_store *store, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  notify_store_result *result = run(store, format, arguments);
  va_end(arguments);
  const char *value = result == NULL ? NULL : notify_store_result_value(result, 0, 0);
  long long number = value == NULL ? -1 : atoll(value);
  notify_store_result_destroy(result);
  return number;
}

void server_text(notify_store *store, char *out, size_t size, const char *sql) {
  notify_store_result *result = NULL;
  CHECK_EQUAL(notify_store_query(store, sql, 0, NULL, TIMEOUT_MS, &result), NOTIFY_STORE_OK);
  const char *value = result == NULL ? NULL : notify_store_result_value(result, 0, 0);
  (void)snprintf(out, size, "%s", value == NULL ? "" : value);
  notify_store_result_destroy(result);
}

void server_clean(notify_store *store) {
  server_run(store, "DELETE FROM public.notification");
}

int64_t server_insert(notify_store *store, long long user, const char *data) {
  char text[32];
  char *id = NULL;
  (void)snprintf(text, sizeof text, "%lld", user);
  CHECK_EQUAL(notify_store_insert(store, 1, text, data, TIMEOUT_MS, &id), NOTIFY_STORE_OK);
  int64_t number = id == NULL ? 0 : strtoll(id, NULL, 10);
  CHECK(number > 0);
  free(id);
  return number;
}

uint64_t server_txid(notify_store *store, int64_t id) {
  return (uint64_t)server_number(store, "SELECT txid FROM public.notification WHERE id = %lld", (long long)id);
}

void server_read(notify_store *store, items *out) {
  notify_store_row row;
  out->count = 0;
  out->snapshot[0] = '\0';
  while ((out->end = notify_store_next(store, TIMEOUT_MS, &row)) == NOTIFY_STORE_OK) {
    if (row.kind == NOTIFY_STORE_ROW_SNAPSHOT) {
      CHECK(row.data_length < SNAPSHOT_SIZE);
      (void)snprintf(out->snapshot, sizeof out->snapshot, "%.*s", (int)row.data_length, row.data);
      out->began_us = row.created_at_us;
    } else if (out->count < ROWS_MAX) {
      out->rows[out->count++] = row;
    }
  }
  CHECK_EQUAL(out->end, NOTIFY_STORE_END);
  if (out->end != NOTIFY_STORE_END) {
    fprintf(stderr, "    %s\n", notify_store_last_error(store)->message);
  }
}

void server_snapshot(notify_store *store, char *out) {
  server_text(store, out, SNAPSHOT_SIZE, "SELECT pg_current_snapshot()");
}

uint64_t server_snapshot_parts(const char *snapshot, uint64_t xip[64], size_t *count) {
  // xmin:xmax:xip,xip
  char *rest = NULL;
  uint64_t xmax = strtoull(strchr(snapshot, ':') + 1, &rest, 10);
  *count = 0;
  for (rest++; *rest != '\0' && *count < 64; rest += *rest == ',') {
    xip[(*count)++] = strtoull(rest, &rest, 10);
  }
  return xmax;
}

void server_delta(notify_store *store, char *snapshot, items *out) {
  uint64_t xip[64];
  size_t count = 0;
  uint64_t xmax = server_snapshot_parts(snapshot, xip, &count);
  CHECK_EQUAL(notify_store_delta(store, xmax, xip, count, TIMEOUT_MS), NOTIFY_STORE_OK);
  server_read(store, out);
  (void)snprintf(snapshot, SNAPSHOT_SIZE, "%s", out->snapshot);
}
