// Behind a pooler a session is nobody's: rows are read and marked in transactions that bring their own settings.

#include "fake.h"
#include "lists.h"

static const notify_store_mark mark = {.id.number = 1, .txid = 1};

static void answer_delta(void) {
  fake_answer(fake_snapshot("1:1:"));
  fake_answer(fake_delta_row(1, 1, "7", "{}"));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
}

static void a_pooler_is_detected(void) {
  static const char *const direct[] = {"SELECT pg_backend_pid()", "SET statement_timeout", NULL};
  static const char *const pooled[] = {"SELECT pg_backend_pid()", NULL};
  static const char *const told[] = {"SET statement_timeout", NULL};
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_connect(store, "host=db", "test", 1000), NOTIFY_STORE_OK);
  CHECK(!notify_store_is_pooled(store));
  fake_sent(direct);
  fake.server_pid++;
  CHECK_EQUAL(notify_store_connect(store, "host=db", "test", 1000), NOTIFY_STORE_OK);
  CHECK(notify_store_is_pooled(store));
  fake_sent(pooled);
  notify_store_close(store);
  CHECK(!notify_store_is_pooled(store));
  notify_store_set_pooler(store, NOTIFY_STORE_POOLER_NEVER);
  CHECK_EQUAL(notify_store_connect(store, "host=db", "test", 1000), NOTIFY_STORE_OK);
  CHECK(!notify_store_is_pooled(store));
  fake_sent(told);
  fake.server_pid--;
  notify_store_set_pooler(store, NOTIFY_STORE_POOLER_ALWAYS);
  CHECK_EQUAL(notify_store_connect(store, "host=db", "test", 1000), NOTIFY_STORE_OK);
  CHECK(notify_store_is_pooled(store));
  CHECK_EQUAL(fake.statement_count, 0);
  fake_finish(store);
}

static void a_server_that_does_not_tell_its_process_is_not_connected(void) {
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
  fake.refused = "SELECT pg_backend_pid";
  fake.refusal = fake_error("ERROR", "53300", "no more connections allowed");
  CHECK_EQUAL(notify_store_connect(store, "host=db", "test", 1000), NOTIFY_STORE_NOT_CONNECTED);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "53300");
  CHECK(notify_store_last_error(store)->retriable);
  fake_finish(store);
}

#define BEGIN_ROWS "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on;"
#define BEGIN_SCAN "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL max_parallel_workers_per_gather = 0;"

static void a_stream_has_a_transaction(void) {
  static const char *const begun[] = {BEGIN_ROWS, "SELECT 0::int4 AS kind", NULL};
  static const char *const scanned[] = {BEGIN_SCAN, "SELECT 0::int4 AS kind", "COMMIT", NULL};
  static const char *const committed[] = {"COMMIT", NULL};
  notify_store_row row;
  notify_store *store = fake_pooled_store();
  answer_delta();
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  fake_sent(begun);
  CHECK_EQUAL(fake.parameter_count, 3);
  CHECK(fake.single_row);
  for (int i = 0; i < 2; i++) {
    CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  }
  CHECK_EQUAL(fake.statement_count, 0);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
  fake_sent(committed);
  fake_answer(fake_snapshot("1:1:"));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_scan_unsent(store, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
  fake_sent(scanned);
  fake_finish(store);
}

static void a_stream_whose_commit_fails_has_no_end(void) {
  notify_store_row row;
  notify_store *store = fake_pooled_store();
  answer_delta();
  fake.refused = "COMMIT";
  fake.refusal = fake_error("ERROR", "25P02", "current transaction is aborted");
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  for (int i = 0; i < 2; i++) {
    CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  }
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_SERVER_ERROR);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_BAD_ARGUMENT);
  fake_finish(store);
}

static void an_unfinished_stream_is_rolled_back(void) {
  static const char *const statements[] = {BEGIN_ROWS, "SELECT 0::int4 AS kind", "ROLLBACK", "SELECT 1", NULL};
  static const char *const next[] = {"SELECT 1", NULL};
  notify_store_row row;
  notify_store *store = fake_pooled_store();
  answer_delta();
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  CHECK_EQUAL(fake.script_next, fake.script_length);
  fake_sent(statements);
  // Once.
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  fake_sent(next);
  fake_finish(store);
}

static void a_marking_has_a_transaction(void) {
  static const char *const marked_all[] = {BEGIN_ROWS, "WITH locked AS", "COMMIT", NULL};
  static const char *const failed[] = {BEGIN_ROWS, "WITH locked AS", NULL};
  static const char *const again[] = {"ROLLBACK", BEGIN_ROWS, "WITH locked AS", "COMMIT", NULL};
  size_t marked = 0;
  bool left = false;
  uint64_t xid = 0;
  notify_store *store = fake_pooled_store();
  fake_answer_marking(1, 9);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, &mark, 1, 1000, &marked, &left, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 1);
  fake_sent(marked_all);
  fake_answer(fake_error("ERROR", "40001", "could not serialize access due to concurrent update"));
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, &mark, 1, 1000, &marked, &left, &xid), NOTIFY_STORE_SERVER_ERROR);
  fake_sent(failed);
  fake_answer_marking(1, 9);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, &mark, 1, 1000, &marked, &left, &xid), NOTIFY_STORE_OK);
  fake_sent(again);
  fake_finish(store);
}

static void a_marking_whose_commit_fails_is_a_failure(void) {
  size_t marked = 99;
  bool left = false;
  uint64_t xid = 99;
  notify_store *store = fake_pooled_store();
  fake_answer_marking(1, 9);
  fake.refused = "COMMIT";
  fake.refusal = fake_error("ERROR", "40001", "could not serialize access");
  CHECK_EQUAL(notify_store_mark_sent(store, 1, &mark, 1, 1000, &marked, &left, &xid), NOTIFY_STORE_SERVER_ERROR);
  CHECK_EQUAL(marked, 0);
  CHECK_EQUAL(xid, 0);
  fake_finish(store);
}

static void a_transaction_that_does_not_begin_runs_nothing(void) {
  static const char *const statements[] = {BEGIN_ROWS, NULL};
  static const char *const next[] = {"ROLLBACK", "SELECT 1", NULL};
  notify_store *store = fake_pooled_store();
  fake.refused = "BEGIN";
  fake.refusal = fake_error("ERROR", "53200", "out of memory");
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_SERVER_ERROR);
  fake_sent(statements);
  fake.refused = NULL;
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  fake_sent(next);
  fake_finish(store);
}

static void waits_for_locks_are_limited_in_each_transaction(void) {
  static const char *const session[] = {"SET lock_timeout = 1000", NULL};
  notify_store *store = fake_pooled_store();
  CHECK_EQUAL(notify_store_limit_lock_waits(store, -1, 1000), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_limit_lock_waits(store, 1000, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(fake.statement_count, 0);
  // The last statement, whose text is kept whole.
  fake.refused = "BEGIN";
  fake.refusal = fake_error("ERROR", "53200", "out of memory");
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_SERVER_ERROR);
  CHECK(strstr(fake.sql, "; SET LOCAL lock_timeout = 1000") != NULL);
  fake_finish(store);
  store = fake_store();
  CHECK_EQUAL(notify_store_limit_lock_waits(store, 1000, 1000), NOTIFY_STORE_OK);
  fake_sent(session);
  fake_finish(store);
}

static void a_transaction_brings_what_a_session_would_have(void) {
  size_t marked = 0;
  bool left = false;
  uint64_t xid = 0;
  notify_store *store = fake_pooled_store();
  // The last statement, whose text is kept whole.
  fake.refused = "BEGIN";
  fake.refusal = fake_error("ERROR", "53200", "out of memory");
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_SERVER_ERROR);
  CHECK(strstr(fake.sql, "; SET LOCAL search_path = pg_catalog, pg_temp; ") != NULL);
  CHECK(strstr(fake.sql, "; SET LOCAL statement_timeout = 0; ") != NULL);
  fake.refused = NULL;
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  fake.refused = "BEGIN";
  CHECK_EQUAL(notify_store_mark_sent(store, 1, &mark, 1, 1000, &marked, &left, &xid), NOTIFY_STORE_SERVER_ERROR);
  CHECK(strstr(fake.sql,
               "; SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '2s'; "
               "SET LOCAL notify_bridge.marking = on") != NULL);
  // Triggers of the backend have the role's own.
  CHECK(strstr(fake.sql, "search_path") == NULL);
  fake_finish(store);
}

static void what_needs_no_settings_needs_no_transaction(void) {
  static const char *const statements[] = {"SELECT 1", "INSERT INTO public.notification", NULL};
  char *made = NULL;
  notify_store *store = fake_pooled_store();
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_insert(store, 1, "7", NULL, 1000, &made), NOTIFY_STORE_BAD_ANSWER);
  fake_sent(statements);
  fake_finish(store);
}

static void a_closed_connection_has_no_transaction(void) {
  static const char *const statements[] = {BEGIN_ROWS, "SELECT 0::int4 AS kind", "SELECT pg_backend_pid()", "SELECT 1",
                                           NULL};
  notify_store_row row;
  notify_store *store = fake_pooled_store();
  answer_delta();
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_connect(store, "host=db", "test", 1000), NOTIFY_STORE_OK);
  fake.script_next = fake.script_length;
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  fake_sent(statements);
  fake_finish(store);
}

const test pooler_tests[] = {
    {"a pooler is detected at each connect, unless it is set", a_pooler_is_detected},
    {"a server that does not answer with its process id is not connected",
     a_server_that_does_not_tell_its_process_is_not_connected},
    {"behind a pooler a stream is read in a transaction that is committed at its end", a_stream_has_a_transaction},
    {"a stream whose commit fails has no end", a_stream_whose_commit_fails_has_no_end},
    {"the transaction of an unfinished stream is rolled back before the next statement",
     an_unfinished_stream_is_rolled_back},
    {"a marking has a transaction, which is rolled back after a failure", a_marking_has_a_transaction},
    {"a marking whose COMMIT fails is a failure", a_marking_whose_commit_fails_is_a_failure},
    {"nothing runs in a transaction that does not begin", a_transaction_that_does_not_begin_runs_nothing},
    {"a transaction brings the settings that a session would have", a_transaction_brings_what_a_session_would_have},
    {"waits for locks are limited in each transaction, or once in a session",
     waits_for_locks_are_limited_in_each_transaction},
    {"a statement without settings has no transaction", what_needs_no_settings_needs_no_transaction},
    {"a closed connection has no transaction", a_closed_connection_has_no_transaction},
    {NULL, NULL},
};
