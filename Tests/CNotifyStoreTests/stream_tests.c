#include "fake.h"
#include "lists.h"

static void answer_delta(void) {
  fake_answer(fake_snapshot("10:12:10"));
  fake_answer(fake_delta_row(5, 10, "7", "{\"a\": 1}"));
  fake_answer(fake_delta_row(4, 11, NULL, NULL));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
}

static void a_delta_is_read(void) {
  static const uint64_t xip[] = {8, UINT64_MAX};
  notify_store_row row;
  notify_store *store = fake_store();
  answer_delta();
  CHECK(!notify_store_has_buffered(store));
  CHECK_EQUAL(notify_store_delta(store, 9, xip, 2, 1000), NOTIFY_STORE_OK);
  CHECK_TEXT(fake.parameters[0], "9");
  CHECK_TEXT(fake.parameters[1], "{8,18446744073709551615}");
  CHECK(fake.single_row);
  CHECK_EQUAL(fake.result_format, 1);
  CHECK(notify_store_has_buffered(store));
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(row.kind, NOTIFY_STORE_ROW_SNAPSHOT);
  CHECK(row.data_length == 8 && memcmp(row.data, "10:12:10", 8) == 0);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(row.kind, NOTIFY_STORE_ROW_NOTIFICATION);
  CHECK_EQUAL(row.id, 5);
  CHECK_EQUAL(row.txid, 10);
  CHECK(row.has_created_at);
  CHECK_EQUAL(row.created_at_us, INT64_C(946684800000000));
  CHECK(row.user_length == 1 && row.user[0] == '7');
  CHECK_EQUAL(row.data_length, 8);
  CHECK_EQUAL(fake.results, 1);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK(row.user == NULL && row.data == NULL);
  CHECK_EQUAL(fake.results, 1);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
  CHECK_EQUAL(fake.results, 0);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 1, 1000), NOTIFY_STORE_BAD_ARGUMENT);
  fake_finish(store);
}

static void a_text_that_is_too_long_comes_empty(void) {
  notify_store_row row;
  notify_store *store = fake_store();
  fake_answer(fake_snapshot("10:12:10"));
  fake_answer(fake_delta_row(5, 10, "7", ""));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_delta(store, 9, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(row.kind, NOTIFY_STORE_ROW_UNREADABLE);
  CHECK_EQUAL(row.id, 5);
  CHECK(row.data_length == 5 && memcmp(row.data, "54000", 5) == 0);
  fake_finish(store);
}

static void times_are_converted(void) {
  static const struct {
    int64_t stored, wanted;
  } cases[] = {{0, INT64_C(946684800000000)},
               {-1, INT64_C(946684799999999)},
               {INT64_MIN, INT64_MIN},
               {INT64_MAX, INT64_MAX},
               {INT64_C(9223371331199999999), INT64_MAX - 1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    notify_store_row row;
    notify_store *store = fake_store();
    fake_result *one = fake_delta_row(1, 1, "7", "{}");
    one->columns = 5;
    fake_add_timestamp(one, cases[i].stored);
    one->columns = 8;
    fake_answer(fake_snapshot("1:1:"));
    fake_answer(one);
    CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
    CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
    CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
    CHECK_EQUAL(row.created_at_us, cases[i].wanted);
    fake_finish(store);
  }
}

static void wrong_rows_are_refused(void) {
  // Each column of a row in turn has another type, is text instead of binary, has another length or is NULL.
  for (int column = 0; column < 8; column++) {
    for (int way = 0; way < 4; way++) {
      bool any_length = column == 3 || column >= 6;
      bool may_be_null = any_length || column == 5;
      if ((way == 1 && any_length) || (way == 2 && may_be_null)) {
        continue;
      }
      notify_store_row row;
      notify_store *store = fake_store();
      fake_result *bad = fake_delta_row(1, 1, "7", "{}");
      fake_value *place = &bad->values[column];
      place->type = way == 0 ? 600 : place->type;
      place->length = way == 1 ? place->length - 1 : place->length;
      place->is_null = way == 2;
      bad->format = way == 3 ? 0 : 1;
      fake_answer(fake_snapshot("1:1:"));
      fake_answer(bad);
      fake_answer(fake_delta_row(2, 2, "7", "{}"));
      fake_answer(fake_end_of_rows());
      fake_answer(NULL);
      CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
      CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
      CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_BAD_ANSWER);
      CHECK_EQUAL(notify_store_last_error(store)->status, NOTIFY_STORE_BAD_ANSWER);
      CHECK(!notify_store_last_error(store)->retriable);
      CHECK_EQUAL(fake.results, 0);
      // The connection is still of use: what is left of the answer is thrown away.
      CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
      CHECK_EQUAL(fake.script_next, fake.script_length);
      fake_finish(store);
    }
  }
}

// Reads a whole delta of these items; returns the status at its end.
static notify_store_status read_all(fake_result *const *items) {
  notify_store_row row;
  notify_store_status status = NOTIFY_STORE_OK;
  notify_store *store = NULL;
  // The items belong to the present fake, which fake_store would forget.
  fake.script_length = 0;
  fake.script_next = 0;
  CHECK_EQUAL(notify_store_create(fake_table(), &store), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_connect(store, "host=db", "test", 1000), NOTIFY_STORE_OK);
  for (; *items != NULL; items++) {
    fake_answer(*items);
  }
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  while (status == NOTIFY_STORE_OK) {
    status = notify_store_next(store, 1000, &row);
  }
  notify_store_destroy(store);
  return status;
}

static void wrong_answers_are_refused(void) {
  (void)fake_reset();
  fake_result *snapshot = fake_snapshot("1:1:");
  fake_result *first = fake_delta_row(1, 5, "7", "{}");
  fake_result *second = fake_delta_row(2, 5, "7", "{}");
  fake_result *end = fake_end_of_rows();
  fake_result *seven = fake_delta_row(1, 5, "7", "{}");
  seven->columns = 7;
  fake_result *nine = fake_delta_row(1, 5, "7", "{}");
  fake_add_int4(nine, 1);
  fake_result *two_rows = fake_delta_row(1, 5, "7", "{}");
  two_rows->rows = 2;
  fake_result *unknown = fake_delta_row(1, 5, "7", "{}");
  unknown->values[0].bytes[3] = 9;
  fake_result *no_snapshot = fake_snapshot(NULL);
  fake_result *command = fake_end_of_rows();
  command->status = PGRES_COMMAND_OK;
  fake_result *const right[] = {snapshot, first, second, end, NULL};
  CHECK_EQUAL(read_all(right), NOTIFY_STORE_END);
  fake_result *const empty[] = {snapshot, end, NULL};
  CHECK_EQUAL(read_all(empty), NOTIFY_STORE_END);
  // A partitioned table may hold an id twice.
  fake_result *const repeated[] = {snapshot, first, first, second, end, NULL};
  CHECK_EQUAL(read_all(repeated), NOTIFY_STORE_END);
  fake_result *const wrong[][5] = {{snapshot, second, first, end, NULL},
                                   {first, snapshot, end, NULL},
                                   {snapshot, snapshot, end, NULL},
                                   {snapshot, seven, end, NULL},
                                   {snapshot, nine, end, NULL},
                                   {snapshot, two_rows, end, NULL},
                                   {snapshot, unknown, end, NULL},
                                   {no_snapshot, end, NULL},
                                   {end, NULL},
                                   {snapshot, first, NULL},
                                   {snapshot, command, NULL},
                                   {NULL}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    CHECK_EQUAL(read_all(wrong[i]), NOTIFY_STORE_BAD_ANSWER);
  }
  CHECK_EQUAL(fake.results, 0);
  (void)fake_reset();
}

static void revocations_come_before_rows(void) {
  notify_store_row row;
  notify_store *store = fake_store();
  fake_answer(fake_snapshot("10:12:10"));
  fake_answer(fake_revocation(11, "7", NULL, "user inactive"));
  fake_answer(fake_revocation(10, "", "ab12", "session revoked"));
  fake_answer(fake_delta_row(5, 10, "7", "{}"));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_delta(store, 9, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(row.kind, NOTIFY_STORE_ROW_REVOCATION);
  CHECK_EQUAL(row.txid, 11);
  CHECK(row.user_length == 1 && row.user[0] == '7');
  CHECK(row.id_text == NULL && row.id_length == 0);
  CHECK(row.data_length == 13 && memcmp(row.data, "user inactive", 13) == 0);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(row.kind, NOTIFY_STORE_ROW_REVOCATION);
  CHECK(row.user != NULL && row.user_length == 0);
  CHECK(row.id_length == 4 && memcmp(row.id_text, "ab12", 4) == 0);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(row.kind, NOTIFY_STORE_ROW_NOTIFICATION);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
  fake_finish(store);
}

static void ids_that_are_texts_are_read(void) {
  notify_store_row row;
  notify_store *store = fake_store();
  fake_answer(fake_snapshot("10:12:10"));
  fake_answer(fake_source_row(2, 0, "b", 10));
  fake_answer(fake_source_row(2, 0, "a", 10));
  fake_answer(fake_source_row(3, 5, NULL, 10));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_delta(store, 9, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  for (int i = 0; i < 2; i++) {
    CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
    CHECK_EQUAL(row.source, 2);
    CHECK_EQUAL(row.id, 0);
    CHECK(row.id_length == 1 && row.id_text[0] == (i == 0 ? 'b' : 'a'));
  }
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(row.source, 3);
  CHECK_EQUAL(row.id, 5);
  CHECK(row.id_text == NULL && row.id_length == 0);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
  fake_finish(store);
}

static void the_order_of_sources_is_checked(void) {
  (void)fake_reset();
  fake_result *snapshot = fake_snapshot("1:1:");
  fake_result *first = fake_source_row(1, 9, NULL, 5);
  fake_result *second = fake_source_row(2, 1, NULL, 5);
  fake_result *text = fake_source_row(3, 0, "a", 5);
  fake_result *later = fake_source_row(1, 1, NULL, 6);
  fake_result *revocation = fake_revocation(5, "7", NULL, "user revoked");
  fake_result *nobody = fake_revocation(5, NULL, NULL, "user revoked");
  fake_result *nothing = fake_revocation(5, "7", NULL, NULL);
  fake_result *no_source = fake_source_row(1, 1, NULL, 5);
  fake_result *no_id = fake_source_row(1, 1, NULL, 5);
  fake_result *end = fake_end_of_rows();
  no_source->values[1].is_null = true;
  no_id->values[2].is_null = true;
  fake_result *const right[] = {snapshot, revocation, first, second, text, later, end, NULL};
  CHECK_EQUAL(read_all(right), NOTIFY_STORE_END);
  fake_result *const wrong[][6] = {
      {snapshot, second, first, end, NULL},     {snapshot, text, second, end, NULL}, {snapshot, later, text, end, NULL},
      {snapshot, first, revocation, end, NULL}, {revocation, snapshot, end, NULL},   {snapshot, nobody, end, NULL},
      {snapshot, nothing, end, NULL},           {snapshot, no_source, end, NULL},    {snapshot, no_id, end, NULL}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    CHECK_EQUAL(read_all(wrong[i]), NOTIFY_STORE_BAD_ANSWER);
  }
  CHECK_EQUAL(fake.results, 0);
  (void)fake_reset();
}

static void a_stream_that_fails_is_over(void) {
  notify_store_row row;
  notify_store *store = fake_store();
  fake_answer(fake_snapshot("1:1:"));
  fake_answer(fake_error("ERROR", "57014", "canceling statement due to statement timeout"));
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "57014");
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK(notify_store_is_connected(store));
  fake_answer(fake_snapshot("1:1:"));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
  fake_finish(store);
}

static void a_stream_ends_at_its_deadline(void) {
  notify_store_row row;
  notify_store *store = fake_store();
  answer_delta();
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  fake.busy_left = 1000;
  fake.ready_times = 0;
  CHECK(!notify_store_has_buffered(store));
  CHECK_EQUAL(notify_store_next(store, 400, &row), NOTIFY_STORE_TIMEOUT);
  CHECK_EQUAL(fake.now_ms, 1400);
  CHECK(!notify_store_is_connected(store));
  fake_finish(store);
}

static void a_stream_that_is_given_up_is_cancelled(void) {
  notify_store_row row;
  notify_store *store = fake_store();
  fake.takes_cancel = true;
  answer_delta();
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  fake.busy_left = 1000;
  fake.ready_times = 0;
  CHECK_EQUAL(notify_store_next(store, 400, &row), NOTIFY_STORE_TIMEOUT);
  CHECK_EQUAL(fake.cancels, 1);
  CHECK(notify_store_is_connected(store));
  CHECK_EQUAL(fake.script_next, fake.script_length);
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  // By the caller, and without a stream.
  answer_delta();
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_cancel(store), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_cancel(store), NOTIFY_STORE_OK);
  CHECK_EQUAL(fake.cancels, 2);
  CHECK_EQUAL(notify_store_next(store, 400, &row), NOTIFY_STORE_BAD_ARGUMENT);
  fake.takes_cancel = false;
  answer_delta();
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_cancel(store), NOTIFY_STORE_TIMEOUT);
  CHECK(!notify_store_is_connected(store));
  CHECK_EQUAL(notify_store_cancel(store), NOTIFY_STORE_NOT_CONNECTED);
  fake_finish(store);
}

static void a_statement_throws_away_the_rest_of_a_stream(void) {
  notify_store_row row;
  notify_store *store = fake_store();
  answer_delta();
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  CHECK_EQUAL(fake.script_next, fake.script_length);
  CHECK_TEXT(fake.sql, "SELECT 1");
  fake_finish(store);
}

static void the_unsent_are_scanned(void) {
  notify_store_row row;
  notify_store *store = fake_store();
  fake_answer(fake_snapshot("20:20:"));
  fake_answer(fake_unsent_row("9", 4, 17));
  fake_answer(fake_unsent_row("8", 1, 3));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_scan_unsent(store, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(row.kind, NOTIFY_STORE_ROW_UNSENT);
  CHECK_EQUAL(row.id, 4);
  CHECK_EQUAL(row.txid, 17);
  CHECK(row.user_length == 1 && row.user[0] == '9');
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(row.txid, 3);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
  fake_finish(store);
}

const test stream_tests[] = {
    {"a delta is read one result at a time", a_delta_is_read},
    {"a text that is too long comes empty", a_text_that_is_too_long_comes_empty},
    {"times are converted, infinities stay", times_are_converted},
    {"a row with a wrong type, length, format or NULL is refused", wrong_rows_are_refused},
    {"an answer with wrong columns, order or end is refused", wrong_answers_are_refused},
    {"revocations come before the rows of a delta", revocations_come_before_rows},
    {"ids that are texts are read", ids_that_are_texts_are_read},
    {"an answer whose tables or revocations are out of order is refused", the_order_of_sources_is_checked},
    {"a stream that fails is over, and the connection is of use", a_stream_that_fails_is_over},
    {"a stream ends at its deadline and closes the connection", a_stream_ends_at_its_deadline},
    {"a statement throws away the rest of a stream", a_statement_throws_away_the_rest_of_a_stream},
    {"users with unsent rows are found", the_unsent_are_scanned},
    {"a stream that is given up is cancelled", a_stream_that_is_given_up_is_cancelled},
    {NULL, NULL},
};
