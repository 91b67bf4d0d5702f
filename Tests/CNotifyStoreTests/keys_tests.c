#include "fake.h"
#include "lists.h"
#include "notify_store_keys.h"

static fake_result *keyed_row(int place, int kind) {
  fake_result *row = fake_delta_row(1, 1, "7", "{}");
  row->values[0].bytes[3] = (char)kind;
  for (int i = 1; i < 5; i++) {
    row->values[i].is_null = true;
  }
  fake_add_int4(row, place);
  return row;
}

static void rows_are_read_by_their_keys(void) {
  static const int kinds[3] = {NOTIFY_STORE_ROW_NOTIFICATION, NOTIFY_STORE_ROW_UNREADABLE, NOTIFY_STORE_ROW_GONE};
  const notify_store_key keys[3] = {{.source = 1, .id = {.number = 5}, .txid = 9},
                                    {.source = 2, .id = {.text = "a\"b"}, .txid = 9},
                                    {.source = 1, .id = {.number = 6}, .txid = 10}};
  notify_store_row row;
  notify_store *store = fake_store();
  for (int i = 0; i < 3; i++) {
    fake_answer(keyed_row(i, kinds[i]));
  }
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  notify_store_set_row_bytes(store, 17);
  CHECK_EQUAL(notify_store_rows(store, keys, 3, 1000), NOTIFY_STORE_OK);
  CHECK_TEXT(fake.parameters[0], "{1,2,1}");
  CHECK_TEXT(fake.parameters[1], "{5,0,6}");
  CHECK_TEXT(fake.parameters[2], "{NULL,\"a\\\"b\",NULL}");
  CHECK_TEXT(fake.parameters[3], "{9,9,10}");
  CHECK_TEXT(fake.parameters[4], "17");
  for (int i = 0; i < 3; i++) {
    CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
    CHECK_EQUAL(row.kind, kinds[i]);
    CHECK_EQUAL(row.request, i);
  }
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
  CHECK_EQUAL(notify_store_rows(store, keys, 0, 1000), NOTIFY_STORE_BAD_ARGUMENT);
  // A key left out, too few, too many.
  const int wrong[3][2] = {{1, -1}, {0, -1}, {0, 0}};
  for (int i = 0; i < 3; i++) {
    notify_store_status status = NOTIFY_STORE_OK;
    for (int j = 0; j < 2 && wrong[i][j] >= 0; j++) {
      fake_answer(keyed_row(wrong[i][j], NOTIFY_STORE_ROW_NOTIFICATION));
    }
    fake_answer(fake_end_of_rows());
    fake_answer(NULL);
    CHECK_EQUAL(notify_store_rows(store, keys, 2, 1000), NOTIFY_STORE_OK);
    while (status == NOTIFY_STORE_OK) {
      status = notify_store_next(store, 1000, &row);
    }
    CHECK_EQUAL(status, NOTIFY_STORE_BAD_ANSWER);
  }
  fake_finish(store);
}

static void the_keys_of_a_delta_are_fetched(void) {
  static const char *const sent[] = {"CLOSE ALL", "DECLARE notify_store_keys ", "FETCH FORWARD 2 ", "FETCH FORWARD 2 ",
                                     NULL};
  notify_store_row row;
  notify_store *store = fake_store();
  fake_sent((const char *const[]){NULL});
  fake_answer(fake_snapshot("10:12:10"));
  fake_answer(fake_delta_row(1, 5, "7", NULL));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  fake_answer(fake_delta_row(2, 5, "7", NULL));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_delta_keys(store, 9, NULL, 0, 1000), NOTIFY_STORE_OK);
  for (int i = 0; i < 2; i++) {
    CHECK_EQUAL(notify_store_fetch_keys(store, 2, 1000), NOTIFY_STORE_OK);
    for (int j = i; j < 2; j++) {
      CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
      CHECK_EQUAL(row.kind, j == 0 ? NOTIFY_STORE_ROW_SNAPSHOT : NOTIFY_STORE_ROW_NOTIFICATION);
    }
    CHECK_EQUAL(row.id, i + 1);
    CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
  }
  fake_sent(sent);
  fake_finish(store);
}

const test keys_tests[] = {
    {"rows are read by their keys, with an answer for each", rows_are_read_by_their_keys},
    {"the keys of a delta are fetched piece by piece", the_keys_of_a_delta_are_fetched},
    {NULL, NULL},
};
