#include <stdio.h>
#include <string.h>

#include "internal.h"

// In the order of the statement's parameters (sql/replay.h).
enum {
  PARAMETER_USER_INTEGER,
  PARAMETER_USER_UUID,
  PARAMETER_USER_TEXT,
  PARAMETER_LOWEST,
  PARAMETER_UNSENT,
  PARAMETER_SINCE,
  PARAMETER_SENT_LIMIT,
  PARAMETER_SNAPSHOT,
  PARAMETER_AFTER_TXID,
  PARAMETER_AFTER_SOURCE,
  PARAMETER_AFTER_NUMBER,
  PARAMETER_AFTER_TEXT,
  PARAMETER_BEGAN,
  PARAMETER_ARRAYS,
  PARAMETER_PAGE_ROWS = PARAMETER_ARRAYS,
  PARAMETER_PAGE_BYTES,
  // The statement for keys alone has none.
  PARAMETER_COUNT_KEYS,
  PARAMETER_ROW_BYTES = PARAMETER_COUNT_KEYS,
  PARAMETER_COUNT,
};

// Whether a text can be a pg_snapshot: digits, colons and commas. Nothing else may come between an array's quotes.
static bool is_snapshot(const char *text) {
  return text == NULL || (text[0] != '\0' && strspn(text, "0123456789:,") == strlen(text));
}

static void add_snapshot(ns_text *array, const char *snapshot) {
  if (snapshot == NULL) {
    ns_array_add(array, "NULL");
    return;
  }
  // Quoted, because it contains commas.
  ns_array_add(array, "\"");
  ns_text_add(array, snapshot);
  ns_text_add(array, "\"");
}

static void add_request(ns_text arrays[PARAMETER_ARRAYS], const notify_store_replay_request *request) {
  if (request->is_integer) {
    ns_array_add_int64(&arrays[PARAMETER_USER_INTEGER], request->integer);
  } else {
    ns_array_add(&arrays[PARAMETER_USER_INTEGER], "NULL");
  }
  ns_array_add_text(&arrays[PARAMETER_USER_UUID], request->is_uuid ? request->user : NULL);
  ns_array_add_text(&arrays[PARAMETER_USER_TEXT], request->user);
  ns_array_add_uint64(&arrays[PARAMETER_LOWEST], request->lowest_txid);
  ns_array_add(&arrays[PARAMETER_UNSENT], !request->unsent                             ? "0"
                                          : request->vouched && request->since != NULL ? "2"
                                                                                       : "1");
  add_snapshot(&arrays[PARAMETER_SINCE], request->since);
  ns_array_add_uint64(&arrays[PARAMETER_SENT_LIMIT], request->since == NULL ? 0 : request->sent_limit);
  add_snapshot(&arrays[PARAMETER_SNAPSHOT], request->snapshot);
  ns_array_add_uint64(&arrays[PARAMETER_AFTER_TXID], request->after_txid);
  ns_array_add_int64(&arrays[PARAMETER_AFTER_SOURCE], request->after_source);
  ns_array_add_int64(&arrays[PARAMETER_AFTER_NUMBER], request->after_id.number);
  ns_array_add_text(&arrays[PARAMETER_AFTER_TEXT], request->after_id.text);
  if (request->began_us != 0) {
    ns_array_add_int64(&arrays[PARAMETER_BEGAN], request->began_us);
  } else {
    ns_array_add(&arrays[PARAMETER_BEGAN], "NULL");
  }
}

static bool are_valid(const notify_store_replay_request *requests, size_t count) {
  // The answer counts requests in an int4.
  if ((requests == NULL && count > 0) || count > INT32_MAX) {
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    if (!is_snapshot(requests[i].since) || !is_snapshot(requests[i].snapshot)) {
      return false;
    }
  }
  return true;
}

static notify_store_status replay(notify_store *store, const notify_store_replay_request *requests, size_t count,
                                  uint32_t page_rows, uint64_t page_bytes, bool keys_alone, int timeout_ms) {
  int64_t deadline = 0;
  ns_text arrays[PARAMETER_ARRAYS];
  char rows[24];
  char bytes[24];
  char row_bytes[16];
  const char *parameters[PARAMETER_COUNT];
  bool failed = false;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (page_rows == 0 || page_bytes == 0 || !are_valid(requests, count)) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL,
                   "a replay needs users, pages of at least one row and byte, and snapshots as PostgreSQL writes them");
  }
  status = ns_sources_need(store);
  if (status == NOTIFY_STORE_OK && !keys_alone) {
    status = ns_prepare(store, NS_PREPARED_REPLAY, store->sources.replay_sql, deadline);
  }
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  for (int i = 0; i < PARAMETER_ARRAYS; i++) {
    ns_array_begin(&arrays[i], store->pq);
  }
  for (size_t i = 0; i < count; i++) {
    add_request(arrays, &requests[i]);
  }
  for (int i = 0; i < PARAMETER_ARRAYS; i++) {
    ns_array_end(&arrays[i]);
    failed = failed || arrays[i].failed;
    parameters[i] = arrays[i].bytes;
  }
  if (failed) {
    status = ns_fail_memory(store);
    goto cleanup;
  }
  (void)snprintf(rows, sizeof rows, "%lu", (unsigned long)page_rows);
  (void)snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)page_bytes);
  parameters[PARAMETER_PAGE_ROWS] = rows;
  parameters[PARAMETER_PAGE_BYTES] = bytes;
  (void)snprintf(row_bytes, sizeof row_bytes, "%lu", (unsigned long)store->row_bytes);
  parameters[PARAMETER_ROW_BYTES] = row_bytes;
  const ns_statement statement = {.sql = keys_alone ? store->sources.replay_keys_sql : store->sources.replay_sql,
                                  .settings = ns_read_settings,
                                  .name = keys_alone ? NULL : ns_prepared_name(store, NS_PREPARED_REPLAY),
                                  .count = keys_alone ? PARAMETER_COUNT_KEYS : PARAMETER_COUNT,
                                  .parameters = parameters,
                                  .binary = true,
                                  .stream = true};
  status = ns_stream_start(store, NS_STREAM_REPLAY, &statement, deadline);
  if (status == NOTIFY_STORE_OK) {
    store->stream.request_count = (uint32_t)count;
  }
cleanup:
  for (int i = 0; i < PARAMETER_ARRAYS; i++) {
    ns_text_free(&arrays[i]);
  }
  return status;
}

notify_store_status notify_store_replay(notify_store *store, const notify_store_replay_request *requests, size_t count,
                                        uint32_t page_rows, uint64_t page_bytes, int timeout_ms) {
  return replay(store, requests, count, page_rows, page_bytes, false, timeout_ms);
}

notify_store_status notify_store_replay_keys(notify_store *store, const notify_store_replay_request *requests,
                                             size_t count, uint32_t page_rows, int timeout_ms) {
  return replay(store, requests, count, page_rows, 1, true, timeout_ms);
}
