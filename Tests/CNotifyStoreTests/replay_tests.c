#include "fake.h"
#include "lists.h"

static void a_replay_tells_each_request(void) {
  const notify_store_replay_request requests[3] = {
      {.user = "-5",
       .integer = -5,
       .is_integer = true,
       .unsent = true,
       .vouched = true,
       .since = "10:12:10,11",
       .sent_limit = 50},
      {.user = "a \"b\" \\", .lowest_txid = UINT64_MAX, .since = NULL, .sent_limit = 50},
      {.user = "0b0a",
       .is_uuid = true,
       .snapshot = "9:9:",
       .after_txid = 8,
       .after_source = 2,
       .after_id = {3, "x"},
       .began_us = 77}};
  static const struct {
    int kind;
    uint32_t request;
    int64_t id;
  } wanted[] = {{NOTIFY_STORE_ROW_SNAPSHOT, 0, 0},     {NOTIFY_STORE_ROW_REQUEST, 0, 0},
                {NOTIFY_STORE_ROW_NOTIFICATION, 0, 3}, {NOTIFY_STORE_ROW_NOTIFICATION, 0, 4},
                {NOTIFY_STORE_ROW_REQUEST, 1, 0},      {NOTIFY_STORE_ROW_REQUEST, 2, 0},
                {NOTIFY_STORE_ROW_NOTIFICATION, 2, 1}};
  notify_store_row row;
  notify_store *store = fake_store();
  fake_answer(fake_replay_snapshot("20:20:"));
  fake_answer(fake_replay_row(0, 3, 5, true, true));
  fake_answer(fake_replay_row(0, 4, 5, true, true));
  fake_answer(fake_replay_row(1, 0, 0, false, false));
  fake_answer(fake_replay_row(2, 1, 5, false, true));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_replay(store, requests, 3, 10, 1000, 1000), NOTIFY_STORE_OK);
  static const char *const parameters[] = {"{-5,NULL,NULL}",
                                           "{NULL,NULL,\"0b0a\"}",
                                           "{\"-5\",\"a \\\"b\\\" \\\\\",\"0b0a\"}",
                                           "{0,18446744073709551615,0}",
                                           "{2,0,0}",
                                           "{\"10:12:10,11\",NULL,NULL}",
                                           "{50,0,0}",
                                           "{NULL,NULL,\"9:9:\"}",
                                           "{0,0,8}",
                                           "{0,0,2}",
                                           "{0,0,3}",
                                           "{NULL,NULL,\"x\"}",
                                           "{NULL,NULL,77}",
                                           "10",
                                           "1000",
                                           "67108864"};
  CHECK_EQUAL(fake.parameter_count, sizeof parameters / sizeof parameters[0]);
  for (int i = 0; i < fake.parameter_count; i++) {
    CHECK_TEXT(fake.parameters[i], parameters[i]);
  }
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
    CHECK_EQUAL(row.kind, wanted[i].kind);
    CHECK_EQUAL(row.request, wanted[i].request);
    CHECK_EQUAL(row.id, wanted[i].id);
    if (i == 1) {
      CHECK(row.truncated && row.more);
      CHECK(notify_store_has_buffered(store));
    }
    if (i == 5) {
      CHECK(!row.truncated && row.more);
    }
  }
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
  fake_finish(store);
}

static void a_replay_leaves_no_request_out(void) {
  const notify_store_replay_request requests[2] = {{.user = "5"}, {.user = "6"}};
  // The rows of an answer, as (request, id); the last one never comes.
  static const int wrong[][3][2] = {{{1, 0}, {1, 0}, {-9, 0}}, {{1, 1}, {0, 0}, {-9, 0}}, {{0, 1}, {-9, 0}},
                                    {{0, 1}, {1, 0}, {2, 0}},  {{0, 0}, {1, 1}, {0, 1}},  {{0, 0}, {0, 1}, {1, 0}},
                                    {{-1, 0}, {0, 0}, {1, 0}}, {{0, 2}, {0, 1}, {1, 0}},  {{0, 1}, {1, 2}, {1, 1}}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    notify_store_row row;
    notify_store_status status = NOTIFY_STORE_OK;
    notify_store *store = fake_store();
    fake_answer(fake_replay_snapshot("20:20:"));
    for (int j = 0; j < 3 && wrong[i][j][0] != -9; j++) {
      fake_answer(fake_replay_row(wrong[i][j][0], wrong[i][j][1], 5, false, false));
    }
    fake_answer(fake_end_of_rows());
    fake_answer(NULL);
    CHECK_EQUAL(notify_store_replay(store, requests, 2, 10, 1000, 1000), NOTIFY_STORE_OK);
    while (status == NOTIFY_STORE_OK) {
      status = notify_store_next(store, 1000, &row);
    }
    CHECK_EQUAL(status, NOTIFY_STORE_BAD_ANSWER);
    fake_finish(store);
  }
}

static void a_replay_has_its_columns(void) {
  const notify_store_replay_request request = {.user = "5"};
  for (int columns = 8; columns <= 12; columns++) {
    notify_store_row row;
    notify_store *store = fake_store();
    fake_result *snapshot = fake_replay_snapshot("20:20:");
    if (columns > snapshot->columns) {
      fake_add_bool(snapshot, true);
    }
    snapshot->columns = columns;
    fake_answer(snapshot);
    CHECK_EQUAL(notify_store_replay(store, &request, 1, 10, 1000, 1000), NOTIFY_STORE_OK);
    CHECK_EQUAL(notify_store_next(store, 1000, &row), columns == 11 ? NOTIFY_STORE_OK : NOTIFY_STORE_BAD_ANSWER);
    fake_finish(store);
  }
}

static void arguments_of_a_replay_are_checked(void) {
  notify_store_replay_request request = {.user = "5"};
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_replay(store, NULL, 1, 1, 1, 1000), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_replay(store, &request, 1, 0, 1, 1000), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_replay(store, &request, 1, 1, 0, 1000), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_replay(store, &request, (size_t)INT32_MAX + 1, 1, 1, 1000), NOTIFY_STORE_BAD_ARGUMENT);
  static const char *const bad[] = {"", "1:1:\"", "1:1:\\", "1:1:}", "1 :1:", "x"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    request = (notify_store_replay_request){.user = "5", .since = bad[i]};
    CHECK_EQUAL(notify_store_replay(store, &request, 1, 1, 1, 1000), NOTIFY_STORE_BAD_ARGUMENT);
    request = (notify_store_replay_request){.user = "5", .snapshot = bad[i]};
    CHECK_EQUAL(notify_store_replay(store, &request, 1, 1, 1, 1000), NOTIFY_STORE_BAD_ARGUMENT);
  }
  CHECK_EQUAL(fake.calls[FAKE_SEND_QUERY_PARAMS], 0);
  fake_finish(store);
}

const test replay_tests[] = {
    {"a replay has an item for each request before its rows", a_replay_tells_each_request},
    {"a replay whose answer leaves a request out or mixes them is refused", a_replay_leaves_no_request_out},
    {"a replay has eleven columns, no more and no fewer", a_replay_has_its_columns},
    {"wrong arguments of a replay are refused", arguments_of_a_replay_are_checked},
    {NULL, NULL},
};
