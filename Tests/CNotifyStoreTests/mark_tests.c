#include "fake.h"
#include "lists.h"

static const notify_store_id ids[3] = {{.number = 0}, {.number = INT64_MIN}, {.number = 10}};
static const char *const users[3] = {"3", "-1", "3"};
static const notify_store_mark marks[3] = {
    {.id.number = 0, .txid = 7}, {.id.number = INT64_MIN, .txid = UINT64_MAX}, {.id.number = 10, .txid = 7}};

static void answer_left(int64_t place) {
  fake_result *row = fake_row();
  row->status = PGRES_TUPLES_OK;
  fake_add_int8(row, place);
  fake_answer(row);
  fake_answer(NULL);
}

static void marks_all(void) {
  size_t marked = 99;
  uint64_t xid = 99;
  bool left[3] = {true, true, true};
  notify_store *store = fake_store();
  fake_answer_marking(3, 1234567890123);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, 1000, &marked, left, &xid), NOTIFY_STORE_OK);
  CHECK_TEXT(fake.parameters[0], "{0,-9223372036854775808,10}");
  CHECK_TEXT(fake.parameters[1], "{7,18446744073709551615,7}");
  CHECK_EQUAL(marked, 3);
  CHECK_EQUAL(xid, 1234567890123);
  CHECK(!left[0] && !left[1] && !left[2]);
  CHECK_EQUAL(fake.calls[FAKE_SEND_QUERY_PARAMS], 1);
  fake_finish(store);
}

static void asks_which_were_left(void) {
  size_t marked = 99;
  uint64_t xid = 99;
  bool left[3] = {true, false, true};
  notify_store *store = fake_store();
  fake_answer_marking(0, 0);
  answer_left(2);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, 1000, &marked, left, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 0);
  CHECK_EQUAL(xid, 0);
  CHECK(!left[0] && left[1] && !left[2]);
  CHECK_EQUAL(fake.calls[FAKE_SEND_QUERY_PARAMS], 2);
  fake_finish(store);
}

static void nothing_to_mark_asks_nothing(void) {
  size_t marked = 99;
  uint64_t xid = 99;
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_mark_sent(store, 1, NULL, 0, 1000, &marked, NULL, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 0);
  CHECK_EQUAL(xid, 0);
  marked = 99;
  CHECK_EQUAL(notify_store_mark_read(store, 1, NULL, NULL, 0, 1000, &marked), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 0);
  CHECK_EQUAL(fake.calls[FAKE_SEND_QUERY_PARAMS], 0);
  fake_finish(store);
}

static void arguments_of_markings_are_checked(void) {
  size_t marked;
  uint64_t xid;
  bool left[3];
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_mark_sent(store, 1, NULL, 3, 1, &marked, left, &xid), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, 1, NULL, left, &xid), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, 1, &marked, NULL, &xid), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, 1, &marked, left, NULL), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, -1, &marked, left, &xid), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_mark_read(store, 1, NULL, users, 3, 1, &marked), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_mark_read(store, 1, ids, NULL, 3, 1, &marked), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_mark_read(store, 1, ids, users, 3, 1, NULL), NOTIFY_STORE_BAD_ARGUMENT);
  fake_finish(store);
}

static void wrong_answers_to_markings_are_refused(void) {
  for (int i = 0; i < 10; i++) {
    size_t marked;
    uint64_t xid;
    bool left[3];
    notify_store *store = fake_store();
    fake_answer_marking(i == 0 ? 4 : i == 1 ? -1 : i >= 7 ? 2 : 3, 12);
    fake_result *row = (fake_result *)(uintptr_t)fake.script[0];
    row->values[1].is_null = i == 2;
    row->values[0].length = i == 3 ? 7 : 8;
    row->columns = i == 4 ? 1 : 2;
    row->rows = i == 5 ? 0 : 1;
    row->values[1].type = i == 6 ? FAKE_INT8 : row->values[1].type;
    answer_left(i == 7 ? 0 : i == 8 ? 4 : 1);
    ((fake_result *)(uintptr_t)fake.script[2])->values[0].length = i == 9 ? 4 : 8;
    CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, 1000, &marked, left, &xid), NOTIFY_STORE_BAD_ANSWER);
    if (i >= 7) {
      // The marking itself is committed, and is told.
      CHECK_EQUAL(marked, 2);
      CHECK_EQUAL(xid, 12);
    }
    fake_finish(store);
  }
}

static void a_marking_that_is_not_committed_is_a_failure(void) {
  size_t marked = 99;
  uint64_t xid = 99;
  bool left[3];
  notify_store *store = fake_store();
  fake_answer_marking(3, 12);
  // In place of the end: the commit fails.
  fake.script[1] = fake_error("ERROR", "40001", "could not serialize access due to concurrent update");
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, 1000, &marked, left, &xid), NOTIFY_STORE_SERVER_ERROR);
  CHECK(notify_store_last_error(store)->retriable);
  CHECK_EQUAL(marked, 0);
  CHECK_EQUAL(xid, 0);
  fake_finish(store);
}

static void a_connection_lost_before_the_commit_is_a_failure(void) {
  size_t marked = 99;
  uint64_t xid = 99;
  bool left[3];
  notify_store *store = fake_store();
  fake_answer_marking(3, 12);
  ((fake_result *)(uintptr_t)fake.script[0])->breaks = true;
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, 1000, &marked, left, &xid), NOTIFY_STORE_CONNECTION_LOST);
  CHECK_EQUAL(marked, 0);
  fake_finish(store);
}

static void reading_is_marked(void) {
  size_t updated = 99;
  notify_store *store = fake_store();
  answer_left(2);
  CHECK_EQUAL(notify_store_mark_read(store, 1, ids, users, 3, 1000, &updated), NOTIFY_STORE_OK);
  CHECK_EQUAL(updated, 2);
  CHECK_TEXT(fake.parameters[0], "{0,-9223372036854775808,10}");
  CHECK_TEXT(fake.parameters[1], "{\"3\",\"-1\",\"3\"}");
  answer_left(-1);
  CHECK_EQUAL(notify_store_mark_read(store, 1, ids, users, 3, 1000, &updated), NOTIFY_STORE_BAD_ANSWER);
  fake_finish(store);
}

const test mark_tests[] = {
    {"marking all rows takes one statement", marks_all},
    {"when fewer rows were marked, a second statement finds those that were left", asks_which_were_left},
    {"marking nothing asks the server nothing", nothing_to_mark_asks_nothing},
    {"wrong arguments of markings are refused", arguments_of_markings_are_checked},
    {"wrong answers to a marking are refused", wrong_answers_to_markings_are_refused},
    {"a marking whose commit fails is a failure", a_marking_that_is_not_committed_is_a_failure},
    {"a connection lost before the commit's end is a failure", a_connection_lost_before_the_commit_is_a_failure},
    {"rows are marked read", reading_is_marked},
    {NULL, NULL},
};
