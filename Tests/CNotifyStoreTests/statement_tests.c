#include <errno.h>
#include <stdlib.h>

#include "fake.h"
#include "lists.h"

static void a_query_keeps_its_answer(void) {
  notify_store_result *result = NULL;
  notify_store *store = fake_store();
  fake_result *row = fake_row();
  row->status = PGRES_TUPLES_OK;
  fake_add_text(row, "one");
  fake_add_null(row, FAKE_TEXT);
  fake_answer(row);
  fake_answer(NULL);
  const char *const parameters[] = {"a", NULL};
  CHECK_EQUAL(notify_store_query(store, "SELECT $1, $2", 2, parameters, 1000, &result), NOTIFY_STORE_OK);
  CHECK_EQUAL(fake.parameter_count, 2);
  CHECK_TEXT(fake.parameters[1], "(null)");
  CHECK_EQUAL(fake.result_format, 0);
  CHECK_EQUAL(notify_store_result_rows(result), 1);
  CHECK_EQUAL(notify_store_result_columns(result), 2);
  CHECK_TEXT(notify_store_result_value(result, 0, 0), "one");
  CHECK(notify_store_result_value(result, 0, 1) == NULL);
  CHECK(notify_store_result_value(result, 1, 0) == NULL);
  CHECK(notify_store_result_value(result, -1, 0) == NULL);
  CHECK(notify_store_result_value(result, 0, 2) == NULL);
  CHECK(notify_store_result_value(result, 0, -1) == NULL);
  notify_store_result_destroy(result);
  fake_finish(store);
}

static void arguments_of_a_query_are_checked(void) {
  notify_store_result *result = NULL;
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_query(store, NULL, 0, NULL, 1000, &result), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", -1, NULL, 1000, &result), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 1, NULL, 1000, &result), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, -1, &result), NOTIFY_STORE_BAD_ARGUMENT);
  notify_store_close(store);
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, &result), NOTIFY_STORE_NOT_CONNECTED);
  CHECK(notify_store_last_error(store)->retriable);
  CHECK(result == NULL);
  fake_finish(store);
}

static void a_commit_that_fails_after_the_answer_is_a_failure(void) {
  notify_store_result *result = NULL;
  notify_store *store = fake_store();
  fake_answer(fake_end_of_rows());
  fake_answer(fake_error("ERROR", "40001", "could not serialize access"));
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_query(store, "INSERT", 0, NULL, 1000, &result), NOTIFY_STORE_SERVER_ERROR);
  CHECK(result == NULL);
  CHECK(notify_store_last_error(store)->retriable);
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_last_error(store)->status, NOTIFY_STORE_OK);
  CHECK_TEXT(notify_store_last_error(store)->message, "");
  fake_finish(store);
}

static void a_fatal_error_loses_the_connection(void) {
  notify_store *store = fake_store();
  fake_answer(fake_error("FATAL", "57P01", "terminating connection due to administrator command"));
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_CONNECTION_LOST);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "57P01");
  CHECK(!notify_store_is_connected(store));
  fake_finish(store);
}

static void a_broken_connection_is_told_from_an_error(void) {
  notify_store *store = fake_store();
  fake.failing = FAKE_GET_RESULT;
  fake.failing_call = 1;
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_CONNECTION_LOST);
  CHECK_TEXT(notify_store_last_error(store)->message, "server closed the connection unexpectedly");
  CHECK_EQUAL(fake.connections, 0);
  fake_finish(store);
}

static void a_statement_ends_at_its_deadline_and_closes(void) {
  notify_store *store = fake_store();
  fake.busy_times = 1000;
  fake.ready_times = 2;
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 300, NULL), NOTIFY_STORE_TIMEOUT);
  CHECK_EQUAL(fake.now_ms, 1300);
  CHECK(!notify_store_is_connected(store));
  CHECK(notify_store_last_error(store)->retriable);
  fake_finish(store);
}

static void sending_ends_at_its_deadline(void) {
  notify_store *store = fake_store();
  fake.unflushed = 1000;
  fake.ready_times = 1;
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 300, NULL), NOTIFY_STORE_TIMEOUT);
  CHECK_EQUAL(fake.now_ms, 1300);
  CHECK_EQUAL(fake.connections, 0);
  fake_finish(store);
}

static void input_is_taken_while_sending(void) {
  notify_store *store = fake_store();
  fake.unflushed = 3;
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 300, NULL), NOTIFY_STORE_OK);
  CHECK_EQUAL(fake.calls[FAKE_CONSUME_INPUT], 3);
  fake_finish(store);
}

static void tls_is_looked_at_again(void) {
  notify_store *store = fake_store();
  fake.tls = 1;
  fake.busy_times = 3;
  fake.ready_times = 0;
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 10000, NULL), NOTIFY_STORE_OK);
  CHECK(fake.now_ms > 1000 && fake.now_ms <= 2000);
  fake_finish(store);
}

static void a_signal_does_not_end_a_statement(void) {
  notify_store *store = fake_store();
  fake.busy_times = 1;
  fake.failing = FAKE_WAIT_FOR;
  fake.failing_call = 1;
  fake.wait_errno = EINTR;
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 300, NULL), NOTIFY_STORE_OK);
  fake_finish(store);
}

static void a_hang_up_is_read(void) {
  notify_store *store = fake_store();
  fake.busy_times = 1;
  fake.revents = POLLHUP | POLLERR;
  fake.failing = FAKE_CONSUME_INPUT;
  fake.failing_call = 1;
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 300, NULL), NOTIFY_STORE_CONNECTION_LOST);
  CHECK_TEXT(notify_store_last_error(store)->message, "the connection to the server is lost");
  fake_finish(store);
}

static void copy_is_refused(void) {
  static const ExecStatusType kinds[] = {PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH};
  for (int i = 0; i < 3; i++) {
    notify_store *store = fake_store();
    fake_result *copy = fake_end_of_rows();
    copy->status = kinds[i];
    fake_answer(copy);
    CHECK_EQUAL(notify_store_query(store, "COPY", 0, NULL, 300, NULL), NOTIFY_STORE_BAD_ARGUMENT);
    CHECK(!notify_store_is_connected(store));
    fake_finish(store);
  }
}

static void hints_tell_no_values(void) {
  notify_store *store = fake_store();
  fake_result *error = fake_error("ERROR", "23502", "null value");
  error->detail = "Failing row contains (1, {\"secret\": 1}).";
  fake_answer(error);
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_query(store, "INSERT", 0, NULL, 300, NULL), NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->hint, "");
  error = fake_error("ERROR", "42501", "permission denied");
  error->detail = "Only\tthe owner may.\n";
  fake_answer(error);
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_query(store, "INSERT", 0, NULL, 300, NULL), NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->hint, "Only the owner may.");
  error = fake_error("ERROR", "23502", "null value");
  error->detail = "Failing row contains (1).";
  error->hint = "Give one.";
  fake_answer(error);
  CHECK_EQUAL(notify_store_query(store, "INSERT", 0, NULL, 300, NULL), NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->hint, "Give one.");
  fake_finish(store);
}

static void inserting_tells_the_id(void) {
  char *id = NULL;
  notify_store *store = fake_store();
  fake_result *row = fake_row();
  row->status = PGRES_TUPLES_OK;
  fake_add_text(row, "-9007199254740993");
  fake_answer(row);
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_insert(store, 1, "7", NULL, 1000, &id), NOTIFY_STORE_OK);
  CHECK_TEXT(id, "-9007199254740993");
  free(id);
  CHECK_TEXT(fake.parameters[0], "7");
  CHECK_TEXT(fake.parameters[1], "(null)");
  CHECK_EQUAL(notify_store_insert(store, 1, NULL, NULL, 1000, &id), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_insert(store, 1, "7", NULL, 1000, NULL), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_insert(store, 2, "7", NULL, 1000, &id), NOTIFY_STORE_BAD_ARGUMENT);
  for (int i = 0; i < 3; i++) {
    fake_result *wrong = fake_row();
    wrong->status = PGRES_TUPLES_OK;
    fake_add_text(wrong, i == 0 ? NULL : "1");
    wrong->rows = i == 1 ? 0 : 1;
    wrong->columns = i == 2 ? 2 : 1;
    fake_answer(wrong);
    fake_answer(NULL);
    CHECK_EQUAL(notify_store_insert(store, 1, "7", NULL, 1000, &id), NOTIFY_STORE_BAD_ANSWER);
    CHECK(id == NULL);
  }
  fake_finish(store);
}

static void numbers_are_checked(void) {
  int64_t number = 0;
  for (int i = 0; i < 6; i++) {
    notify_store *store = fake_store();
    fake_result *row = fake_row();
    if (i != 5) {
      fake_add_int8(row, 1);
    }
    row->rows = i == 0 ? 0 : row->rows;
    row->values[0].type = i == 1 ? FAKE_INT4 : row->values[0].type;
    row->values[0].length = i == 2 ? 4 : row->values[0].length;
    row->values[0].is_null = i == 3;
    row->format = i == 4 ? 0 : row->format;
    row->status = PGRES_TUPLES_OK;
    fake_answer(row);
    fake_answer(NULL);
    CHECK_EQUAL(notify_store_purge(store, 1, 0, 1, true, 1000, &number), NOTIFY_STORE_BAD_ANSWER);
    CHECK(!notify_store_last_error(store)->retriable);
    fake_finish(store);
  }
}

static void an_error_says_whether_it_may_quote_a_row(void) {
  static const struct {
    const char *sqlstate;
    const char *context;
    bool quotes;
  } cases[] = {
      {"42501", NULL, false},
      {"55P03", NULL, false},
      {"53100", NULL, false},
      {"22P02", NULL, true},
      {"23505", NULL, true},
      {"P0001", NULL, true},
      {"XX000", NULL, true},
      {"42501", "PL/pgSQL function public.keep() line 3 at RAISE", true},
      {"42501", "PL/Python function \"keep\"", true},
      {"42P01", "PL/pgSQL function notify_bridge.purge(integer,integer,boolean) line 8 at EXECUTE", false},
      {"22012", "PL/pgSQL function notify_bridge.purge(integer,integer,boolean) line 8 at EXECUTE", true},
      {"42501", "PL/pgSQL function public.keep() line 3 at RAISE\nPL/pgSQL function notify_bridge.purge() line 8",
       true},
      {"42501", "PL/pgSQL function notify_bridge.x() line 1\nSQL function \"keep\" statement 1", true},
      {"42501", "PL/pgSQL-Funktion notify_bridge.x() Zeile 1", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    notify_store_result *result = NULL;
    notify_store *store = fake_store();
    fake_result *error = (fake_result *)(uintptr_t)fake_error("ERROR", cases[i].sqlstate, "text");
    error->context = cases[i].context;
    fake_answer(error);
    fake_answer(NULL);
    CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, &result), NOTIFY_STORE_SERVER_ERROR);
    CHECK_EQUAL(notify_store_last_error(store)->quotes, cases[i].quotes);
    fake_finish(store);
  }
}

static void purging_passes_its_arguments(void) {
  int64_t number = 0;
  notify_store *store = fake_store();
  fake_result *row = fake_row();
  row->status = PGRES_TUPLES_OK;
  fake_add_int8(row, 12);
  fake_answer(row);
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_purge(store, 30, 0, 1000, true, 1000, &number), NOTIFY_STORE_OK);
  CHECK_EQUAL(number, 12);
  CHECK_TEXT(fake.parameters[0], "30");
  CHECK_TEXT(fake.parameters[1], "1000");
  CHECK_TEXT(fake.parameters[2], "t");
  CHECK_TEXT(fake.parameters[3], "0");
  CHECK_EQUAL(notify_store_purge(store, 1, -1, 1, true, 1000, &number), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_purge(store, -1, 0, 1, true, 1000, &number), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_purge(store, 1, 0, 0, true, 1000, &number), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_purge(store, 1, 0, 1, true, 1000, NULL), NOTIFY_STORE_BAD_ARGUMENT);
  fake_finish(store);
}

const test statement_tests[] = {
    {"a query keeps its answer as text", a_query_keeps_its_answer},
    {"wrong arguments of a query are refused", arguments_of_a_query_are_checked},
    {"a commit that fails after the statement's answer is a failure",
     a_commit_that_fails_after_the_answer_is_a_failure},
    {"an error that ends the session loses the connection", a_fatal_error_loses_the_connection},
    {"a broken connection is distinguished from a server's error", a_broken_connection_is_told_from_an_error},
    {"a statement ends at its deadline and closes the connection", a_statement_ends_at_its_deadline_and_closes},
    {"sending ends at its deadline", sending_ends_at_its_deadline},
    {"input is taken in while sending", input_is_taken_while_sending},
    {"with TLS the connection is looked at again without an event", tls_is_looked_at_again},
    {"a signal does not end a statement", a_signal_does_not_end_a_statement},
    {"a hang-up is read, and loses the connection", a_hang_up_is_read},
    {"COPY is refused instead of waited for", copy_is_refused},
    {"a detail that may quote values is left out", hints_tell_no_values},
    {"an error says whether its text may quote a row", an_error_says_whether_it_may_quote_a_row},
    {"inserting returns the id", inserting_tells_the_id},
    {"an answer that is not one number is refused", numbers_are_checked},
    {"purging passes its arguments on", purging_passes_its_arguments},
    {NULL, NULL},
};
