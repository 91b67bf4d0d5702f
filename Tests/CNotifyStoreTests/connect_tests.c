#include <errno.h>
#include <stdlib.h>

#include "fake.h"
#include "lists.h"

#define SAMPLE "host=db user=u password=hunter2 dbname=d"

// Connects to a fake whose connection fails with this text, and returns the store.
static notify_store *refused(const char *text, notify_store_status expected) {
  static const PostgresPollingStatusType polls[] = {PGRES_POLLING_WRITING, PGRES_POLLING_READING, PGRES_POLLING_FAILED};
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
  fake.polls = polls;
  fake.error_message = text;
  CHECK_EQUAL(notify_store_connect(store, SAMPLE, "test", 1000), expected);
  CHECK(!notify_store_is_connected(store));
  CHECK_EQUAL(fake.connections, 0);
  CHECK_EQUAL(fake.verbosity, PQERRORS_VERBOSE);
  return store;
}

static void connects(void) {
  notify_store *store = fake_store();
  CHECK(notify_store_is_connected(store));
  CHECK_EQUAL(fake.verbosity, PQERRORS_DEFAULT);
  CHECK_EQUAL(fake.nonblocking, 1);
  CHECK(strstr(fake.sql, "default_transaction_isolation = 'read committed'") != NULL);
  CHECK(strstr(fake.sql, "plan_cache_mode = force_generic_plan") != NULL);
  CHECK_EQUAL(notify_store_server_version(store), 150018);
  CHECK_EQUAL(notify_store_backend_pid(store), FAKE_PID);
  notify_store_close(store);
  CHECK(!notify_store_is_connected(store));
  CHECK_EQUAL(notify_store_server_version(store), 0);
  CHECK_EQUAL(notify_store_backend_pid(store), 0);
  CHECK_EQUAL(notify_store_connect(store, SAMPLE, "test", 1000), NOTIFY_STORE_OK);
  fake_finish(store);
}

static void tells_the_sqlstate_of_a_refusal(void) {
  notify_store *store = refused(
      "connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  28P01: password authentication failed for "
      "user \"u\"\nLOCATION:  auth_failed, auth.c:335\n",
      NOTIFY_STORE_NOT_CONNECTED);
  const notify_store_error *error = notify_store_last_error(store);
  CHECK_TEXT(error->sqlstate, "28P01");
  CHECK(!error->retriable);
  CHECK_TEXT(error->message,
             "connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL: password authentication failed for "
             "user \"u\"");
  fake_finish(store);
}

static void reads_a_refusal_in_any_language(void) {
  notify_store *store = refused(
      "Verbindung zum Server auf »db« fehlgeschlagen: SCHWERWIEGEND:  3D000: Datenbank »d« existiert nicht\n"
      "ORT:  InitPostgres, postinit.c:941\n",
      NOTIFY_STORE_NOT_CONNECTED);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "3D000");
  CHECK(strstr(notify_store_last_error(store)->message, "ORT") == NULL);
  CHECK(strstr(notify_store_last_error(store)->message, "3D000") == NULL);
  fake_finish(store);
}

static void tells_the_last_answer_of_several_hosts(void) {
  notify_store *store = refused(
      "connection to server at \"a\" (10.0.0.1), port 5432 failed: FATAL:  57P03: the database system is starting up\n"
      "LOCATION:  ProcessStartupPacket, postmaster.c:2401\n"
      "connection to server at \"b\" (10.0.0.2), port 5432 failed: Connection refused\n"
      "\tIs the server running on that host and accepting TCP/IP connections?\n",
      NOTIFY_STORE_NOT_CONNECTED);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "57P03");
  CHECK(notify_store_last_error(store)->retriable);
  CHECK(strstr(notify_store_last_error(store)->message, "starting up") != NULL);
  fake_finish(store);
}

static void an_unreachable_host_is_retriable(void) {
  notify_store *store = refused(
      "connection to server at \"db\" (10.0.0.1), port 5432 failed: Connection refused\n"
      "\tIs the server running on that host and accepting TCP/IP connections?\n",
      NOTIFY_STORE_NOT_CONNECTED);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "");
  CHECK(notify_store_last_error(store)->retriable);
  CHECK_TEXT(notify_store_last_error(store)->message,
             "connection to server at \"db\" (10.0.0.1), port 5432 failed: Connection refused");
  fake_finish(store);
}

static void a_host_name_without_address_is_retriable(void) {
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
  fake.start_error = "could not translate host name \"db\" to address: Temporary failure in name resolution\n";
  CHECK_EQUAL(notify_store_connect(store, SAMPLE, "test", 1000), NOTIFY_STORE_NOT_CONNECTED);
  CHECK(notify_store_last_error(store)->retriable);
  fake_finish(store);
}

static void a_missing_password_counts_as_a_wrong_one(void) {
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
  fake.needs_password = 1;
  fake.start_error = "connection to server at \"db\", port 5432 failed: fe_sendauth: no password supplied\n";
  CHECK_EQUAL(notify_store_connect(store, "host=db", "test", 1000), NOTIFY_STORE_NOT_CONNECTED);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "28P01");
  CHECK(!notify_store_last_error(store)->retriable);
  fake_finish(store);
}

static void a_wrong_option_value_is_a_bad_argument(void) {
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
  fake.start_error = "invalid integer value \"hunter2\" for connection option \"port\"\n";
  CHECK_EQUAL(notify_store_connect(store, SAMPLE, "test", 1000), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK(!notify_store_last_error(store)->retriable);
  CHECK(strstr(notify_store_last_error(store)->message, "hunter2") == NULL);
  fake_finish(store);
}

static void sqlstates_are_retriable_or_not(void) {
  static const struct {
    const char *sqlstate;
    bool retriable;
  } cases[] = {{"08006", true},  {"08001", true},  {"53300", true},  {"53100", true},  {"57P01", true},
               {"57P02", true},  {"57P03", true},  {"40001", true},  {"40P01", true},  {"55P03", true},
               {"25006", true},  {"57014", true},  {"57P05", true},  {"28P01", false}, {"28000", false},
               {"3D000", false}, {"42501", false}, {"42P01", false}, {"22P02", false}, {"23505", false},
               {"57P04", false}, {"40002", false}, {"XX000", false}, {"0A000", false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[200];
    (void)snprintf(text, sizeof text, "connection failed: FATAL:  %s: no\n", cases[i].sqlstate);
    notify_store *store = refused(text, NOTIFY_STORE_NOT_CONNECTED);
    CHECK_TEXT(notify_store_last_error(store)->sqlstate, cases[i].sqlstate);
    CHECK_EQUAL(notify_store_last_error(store)->retriable, cases[i].retriable);
    fake_finish(store);
    store = fake_store();
    fake_answer(fake_error("ERROR", cases[i].sqlstate, "no"));
    CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_SERVER_ERROR);
    CHECK_TEXT(notify_store_last_error(store)->sqlstate, cases[i].sqlstate);
    CHECK_EQUAL(notify_store_last_error(store)->retriable, cases[i].retriable);
    fake_finish(store);
  }
}

static void passwords_never_show(void) {
  notify_store *store = refused("something went wrong with hunter2 and hunter2\n", NOTIFY_STORE_NOT_CONNECTED);
  CHECK_TEXT(notify_store_last_error(store)->message, "something went wrong with ******* and *******");
  fake_finish(store);
  static const char *const strings[] = {"host=db password=hunter 2hunter2",
                                        "host=db password='hunter2",
                                        "hunter2",
                                        "host=db passwort=hunter2",
                                        "postgres://u:hun%ter2@db/d",
                                        "postgres://u:hunter@2@db/d",
                                        "postgres://u:hun/ter2@db/d",
                                        "postgresql://u:a?hunter2/b@db/d",
                                        "postgres://u:x@db/d?hunter2",
                                        "postgres://u:x@db/d?hunter2=1",
                                        "postgres://u:x@db/d?a=hunter2=b",
                                        "postgres://u:%00hunter2@db/d",
                                        "postgres://[hunter2",
                                        "postgres://u:x@[::1]hunter2"};
  for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
    char *message = NULL;
    CHECK_EQUAL(notify_store_check_conninfo(strings[i], &message), NOTIFY_STORE_BAD_ARGUMENT);
    CHECK(message != NULL && message[0] != '\0' && strchr(message, '\n') == NULL);
    CHECK(message != NULL && strstr(message, "hun") == NULL && strstr(message, "ter2") == NULL);
    CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
    CHECK_EQUAL(notify_store_connect(store, strings[i], "test", 1000), NOTIFY_STORE_BAD_ARGUMENT);
    CHECK(!notify_store_last_error(store)->retriable);
    CHECK(strstr(notify_store_last_error(store)->message, "hun") == NULL);
    CHECK(strstr(notify_store_last_error(store)->message, "ter2") == NULL);
    CHECK_EQUAL(fake.connections, 0);
    fake_finish(store);
    free(message);
  }
}

static void accepts_what_libpq_accepts(void) {
  static const char *const strings[] = {"",
                                        "host=/run/postgresql dbname=d",
                                        "postgres:///d?host=/tmp",
                                        "postgresql://u:p%40ss@a:1,b:2/d?target_session_attrs=read-write",
                                        "postgresql://u@[::1]:5432/d?options=-c%20search_path%3Da",
                                        "postgresql://db/d?user=a@b",
                                        "user=a@b password=p@s/s host=db"};
  for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
    char *message = NULL;
    CHECK_EQUAL(notify_store_check_conninfo(strings[i], &message), NOTIFY_STORE_OK);
    CHECK(message == NULL);
  }
  CHECK_EQUAL(notify_store_check_conninfo(NULL, NULL), NOTIFY_STORE_BAD_ARGUMENT);
}

static void connecting_ends_at_its_deadline(void) {
  static const PostgresPollingStatusType reading[] = {PGRES_POLLING_READING, PGRES_POLLING_FAILED};
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
  fake.polls = reading;
  fake.ready_times = 1;
  CHECK_EQUAL(notify_store_connect(store, SAMPLE, "test", 250), NOTIFY_STORE_TIMEOUT);
  CHECK_EQUAL(fake.now_ms, 1250);
  CHECK_EQUAL(fake.connections, 0);
  CHECK(notify_store_last_error(store)->retriable);
  fake_finish(store);
}

static void a_session_that_cannot_be_prepared_is_no_connection(void) {
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
  fake_answer(fake_error("ERROR", "42501", "permission denied to set parameter"));
  CHECK_EQUAL(notify_store_connect(store, SAMPLE, "test", 1000), NOTIFY_STORE_NOT_CONNECTED);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "42501");
  CHECK_TEXT(notify_store_last_error(store)->message, "permission denied to set parameter");
  CHECK_EQUAL(fake.connections, 0);
  fake_finish(store);
}

static void arguments_of_connect_are_checked(void) {
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_connect(store, NULL, "test", 1000), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_connect(store, "", NULL, 1000), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_connect(store, "", "test", -1), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_create(NULL, NULL), NOTIFY_STORE_BAD_ARGUMENT);
  fake_finish(store);
  notify_store_destroy(NULL);
  notify_store_result_destroy(NULL);
}

static void long_messages_are_cut_between_characters(void) {
  char text[3000];
  for (size_t i = 0; i + 1 < sizeof text; i += 2) {
    memcpy(text + i, "é", 2);
  }
  text[0] = 'x';
  text[1] = 'y';
  text[sizeof text - 2] = '\0';
  for (int shift = 0; shift < 2; shift++) {
    notify_store *store = refused(text + shift, NOTIFY_STORE_NOT_CONNECTED);
    const char *message = notify_store_last_error(store)->message;
    size_t length = strlen(message);
    CHECK(length > 900 && length < 1024);
    CHECK_EQUAL((length + (size_t)shift) % 2, 0);
    fake_finish(store);
  }
}

const test connect_tests[] = {
    {"a store connects, prepares its session, closes and connects again", connects},
    {"a refusal is reported with its SQLSTATE and one clean line", tells_the_sqlstate_of_a_refusal},
    {"a refusal is understood in any language", reads_a_refusal_in_any_language},
    {"the last answer of several hosts is reported", tells_the_last_answer_of_several_hosts},
    {"an unreachable host is retriable and has no SQLSTATE", an_unreachable_host_is_retriable},
    {"a host name without address is retriable", a_host_name_without_address_is_retriable},
    {"a password that is missing counts as a wrong one", a_missing_password_counts_as_a_wrong_one},
    {"an option with a wrong value is a bad argument", a_wrong_option_value_is_a_bad_argument},
    {"each SQLSTATE is retriable or not, for connecting and for statements", sqlstates_are_retriable_or_not},
    {"no message holds a password", passwords_never_show},
    {"every string that libpq accepts is accepted", accepts_what_libpq_accepts},
    {"connecting ends at its deadline", connecting_ends_at_its_deadline},
    {"a session that can't be prepared is no connection", a_session_that_cannot_be_prepared_is_no_connection},
    {"wrong arguments of connect are refused", arguments_of_connect_are_checked},
    {"a long message is cut between characters", long_messages_are_cut_between_characters},
    {NULL, NULL},
};
