// Every function of the table fails at its first call, at its second and so on, in a run through the whole interface.
// Whatever fails, some call says so, nothing leaks, and the store connects again.

#include <stdlib.h>

#include "fake.h"
#include "lists.h"
#include "notify_store_keys.h"

#define ITEMS_MAX 20

static notify_store_status read_items(notify_store *store) {
  notify_store_row row;
  notify_store_status status = NOTIFY_STORE_OK;
  for (int i = 0; i < ITEMS_MAX && status == NOTIFY_STORE_OK; i++) {
    status = notify_store_next(store, 1000, &row);
  }
  return status == NOTIFY_STORE_END ? NOTIFY_STORE_OK : status;
}

// Sets the script to the answer to one statement.
static void answer(const fake_result *first, const fake_result *second) {
  fake.script_length = 0;
  fake.script_next = 0;
  fake_answer(first);
  if (second != NULL) {
    fake_answer(second);
    fake_answer(fake_end_of_rows());
  }
  fake_answer(NULL);
}

static fake_result *text(const char *value) {
  fake_result *row = fake_row();
  row->status = PGRES_TUPLES_OK;
  fake_add_text(row, value);
  return row;
}

static fake_result *number(int64_t value) {
  fake_result *row = fake_row();
  row->status = PGRES_TUPLES_OK;
  fake_add_int8(row, value);
  return row;
}

// Reads rows in all ways. Returns the first status that is not OK.
static notify_store_status read_rows(notify_store *store) {
  // Long enough that arrays grow, so that growing can fail.
  uint64_t xip[300];
  const notify_store_replay_request request = {.user = "5", .unsent = true, .since = "1:1:"};
  notify_store_status status;
  for (size_t i = 0; i < 300; i++) {
    xip[i] = i;
  }
  answer(fake_snapshot("1:1:"), fake_delta_row(1, 1, "7", "{}"));
  if ((status = notify_store_delta(store, 1, xip, 300, 1000)) != NOTIFY_STORE_OK ||
      (status = read_items(store)) != NOTIFY_STORE_OK) {
    return status;
  }
  if ((status = notify_store_delta_keys(store, 1, xip, 300, 1000)) != NOTIFY_STORE_OK) {
    return status;
  }
  answer(fake_snapshot("1:1:"), fake_delta_row(1, 1, "7", NULL));
  if ((status = notify_store_fetch_keys(store, 10, 1000)) != NOTIFY_STORE_OK ||
      (status = read_items(store)) != NOTIFY_STORE_OK) {
    return status;
  }
  fake_result *keyed = fake_delta_row(1, 1, "7", "{}");
  fake_add_int4(keyed, 0);
  answer(keyed, NULL);
  fake.script_length--;
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  const notify_store_key key = {.source = 1, .id = {.number = 1}, .txid = 1};
  if ((status = notify_store_rows(store, &key, 1, 1000)) != NOTIFY_STORE_OK ||
      (status = read_items(store)) != NOTIFY_STORE_OK) {
    return status;
  }
  answer(fake_replay_snapshot("1:1:"), fake_replay_row(0, 1, 1, false, false));
  if ((status = notify_store_replay_keys(store, &request, 1, 10, 1000)) != NOTIFY_STORE_OK ||
      (status = read_items(store)) != NOTIFY_STORE_OK) {
    return status;
  }
  answer(fake_replay_snapshot("1:1:"), fake_replay_row(0, 1, 1, false, false));
  if ((status = notify_store_replay(store, &request, 1, 10, 10, 1000)) != NOTIFY_STORE_OK ||
      (status = read_items(store)) != NOTIFY_STORE_OK) {
    return status;
  }
  answer(fake_snapshot("1:1:"), fake_unsent_row("7", 1, 1));
  if ((status = notify_store_scan_unsent(store, 1000)) != NOTIFY_STORE_OK) {
    return status;
  }
  return read_items(store);
}

// Writes in all ways. Returns the first status that is not OK.
static notify_store_status write_rows(notify_store *store) {
  static const char *const users[2] = {"1", "2"};
  const notify_store_id ids[2] = {{.text = "1"}, {.text = "2"}};
  const notify_store_mark marks[2] = {{.id = ids[0], .txid = 1}, {.id = ids[1], .txid = 2}};
  size_t marked;
  bool left[2];
  uint64_t xid;
  char *id = NULL;
  notify_store_status status;
  fake.script_length = 0;
  fake.script_next = 0;
  fake_answer_marking(1, 9);
  fake_answer(number(2));
  fake_answer(NULL);
  if ((status = notify_store_mark_sent(store, 3, marks, 2, 1000, &marked, left, &xid)) != NOTIFY_STORE_OK) {
    return status;
  }
  answer(number(2), NULL);
  if ((status = notify_store_mark_read(store, 3, ids, users, 2, 1000, &marked)) != NOTIFY_STORE_OK) {
    return status;
  }
  answer(text("2"), NULL);
  status = notify_store_insert(store, 3, "7", "{}", 1000, &id);
  free(id);
  return status;
}

// Returns the first status that is not OK.
static notify_store_status run_statements(notify_store *store) {
  static const char *const parameters[] = {"1"};
  static const notify_store_source sources[2] = {{.number = 1,
                                                  .relation = "a",
                                                  .id = "id",
                                                  .recipient = "user_id",
                                                  .txid = "txid",
                                                  .sent_at = "sent_at",
                                                  .payload = "data"},
                                                 {.number = 3,
                                                  .relation = "b",
                                                  .id = "id",
                                                  .recipient = "user_id",
                                                  .txid = "txid",
                                                  .sent_at = "sent_at",
                                                  .read_at = "read_at",
                                                  .payload = "data",
                                                  .payload_column = "data",
                                                  .id_kind = NOTIFY_STORE_KIND_TEXT}};
  notify_store_result *result = NULL;
  unsigned events, doorbells;
  notify_store_status status;
  if ((status = notify_store_listen(store, "bell", 1000)) != NOTIFY_STORE_OK ||
      (status = notify_store_wait(store, 10, &events, &doorbells)) != NOTIFY_STORE_OK) {
    return status;
  }
  status = notify_store_query(store, "SELECT $1", 1, parameters, 1000, &result);
  notify_store_result_destroy(result);
  if (status != NOTIFY_STORE_OK || (status = read_rows(store)) != NOTIFY_STORE_OK ||
      (status = notify_store_probe(store, &sources[1], false, 1000)) != NOTIFY_STORE_OK ||
      (status = notify_store_serve(store, sources, 2)) != NOTIFY_STORE_OK) {
    return status;
  }
  return write_rows(store);
}

// One run with one failing call, with or without a pooler. Returns whether the call was reached.
static bool run_with(fake_function function, int call, bool pooled) {
  static const PostgresPollingStatusType polls[] = {PGRES_POLLING_WRITING, PGRES_POLLING_READING, PGRES_POLLING_OK};
  notify_store *store = NULL;
  (void)fake_reset();
  fake.server_pid += pooled;
  fake.failing = function;
  fake.failing_call = call;
  fake.polls = polls;
  fake.busy_times = 1;
  fake.unflushed = 2;
  // Ends the wait: the fake's connection is always ready, and its clock stands still.
  fake.notifications_per_read = 1;
  fake.error_message = "it failed\n";
  notify_store_status status = notify_store_create(fake_table(), &store);
  if (status == NOTIFY_STORE_OK) {
    status = notify_store_connect(store, "host=db password=hunter2", "test", 1000);
  }
  if (status == NOTIFY_STORE_OK) {
    status = run_statements(store);
  }
  bool reached = fake.calls[function] >= call;
  CHECK_EQUAL(status != NOTIFY_STORE_OK, reached);
  CHECK(status != NOTIFY_STORE_END);
  CHECK_EQUAL(fake.results, 0);
  if (store != NULL) {
    if (reached) {
      CHECK_EQUAL(notify_store_last_error(store)->status, status);
      CHECK(notify_store_last_error(store)->message[0] != '\0');
      CHECK(strstr(notify_store_last_error(store)->message, "hunter2") == NULL);
    }
    fake.failing_call = 0;
    fake.script_length = 0;
    fake.script_next = 0;
    CHECK_EQUAL(notify_store_connect(store, "host=db", "test", 1000), NOTIFY_STORE_OK);
  } else {
    CHECK_EQUAL(status, NOTIFY_STORE_NO_MEMORY);
  }
  fake_finish(store);
  return reached;
}

static void every_function_fails_at_every_call(void) {
  static const struct {
    fake_function function;
    int at_least;
    int at_least_pooled;
  } functions[] = {{FAKE_CONNECT_START, 1, 1},     {FAKE_CONNECT_POLL, 2, 2},        {FAKE_SOCKET, 20, 20},
                   {FAKE_SET_NONBLOCKING, 1, 1},   {FAKE_SEND_QUERY, 3, 13},         {FAKE_SEND_QUERY_PARAMS, 9, 11},
                   {FAKE_SEND_PREPARE, 2, 0},      {FAKE_SEND_QUERY_PREPARED, 2, 0}, {FAKE_SET_SINGLE_ROW_MODE, 3, 3},
                   {FAKE_FLUSH, 15, 25},           {FAKE_CONSUME_INPUT, 20, 30},     {FAKE_GET_RESULT, 20, 40},
                   {FAKE_ESCAPE_IDENTIFIER, 1, 1}, {FAKE_CONNINFO_PARSE, 1, 1},      {FAKE_EVENT_OPEN, 1, 1},
                   {FAKE_WAIT_FOR, 20, 30},        {FAKE_ALLOCATE, 40, 50}};
  CHECK_EQUAL(sizeof functions / sizeof functions[0], FAKE_FUNCTIONS);
  for (size_t i = 0; i < 2 * sizeof functions / sizeof functions[0]; i++) {
    bool pooled = i % 2 != 0;
    fake_function function = functions[i / 2].function;
    int call = 1;
    while (run_with(function, call, pooled) && check_failures == 0) {
      call++;
    }
    if (check_failures > 0) {
      fprintf(stderr, "    function %d, call %d, pooled %d\n", (int)function, call, pooled);
      return;
    }
    CHECK(call > (pooled ? functions[i / 2].at_least_pooled : functions[i / 2].at_least));
  }
}

const test sweep_tests[] = {
    {"every function fails at every call: that is reported, nothing leaks, and the store connects again",
     every_function_fails_at_every_call},
    {NULL, NULL},
};
