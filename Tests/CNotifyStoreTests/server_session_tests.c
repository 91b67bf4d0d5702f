#include <pthread.h>
#include <stdlib.h>

#include "lists.h"
#include "server.h"

static void prepares_the_session(void) {
  char text[200];
  notify_store *store = server_store();
  server_text(store, text, sizeof text,
              "SELECT concat_ws(' ', current_setting('default_transaction_isolation'), "
              "current_setting('plan_cache_mode'), current_setting('jit'), current_setting('synchronous_commit'), "
              "current_setting('client_encoding'), current_setting('client_min_messages'), "
              "current_setting('DateStyle'), current_setting('application_name'), "
              "current_setting('max_parallel_workers_per_gather'), current_setting('enable_seqscan'))");
  CHECK(strstr(text, "read committed force_generic_plan off on UTF8 warning ISO") == text);
  CHECK(strstr(text, "test 0 off") != NULL);
  server_text(store, text, sizeof text, "SHOW client_connection_check_interval");
  CHECK_TEXT(text, "1s");
  CHECK(!notify_store_is_pooled(store));
  CHECK_EQUAL(notify_store_server_version(store), server_number(store, "SHOW server_version_num"));
  CHECK_EQUAL(notify_store_backend_pid(store), server_number(store, "SELECT pg_backend_pid()"));
  notify_store_destroy(store);
}

static void settings_of_the_role_do_not_reach_the_session(void) {
  static const char *const settings[][3] = {
      {"statement_timeout", "50s", "0"},
      {"lock_timeout", "50s", "0"},
      {"idle_session_timeout", "50s", "0"},
      {"idle_in_transaction_session_timeout", "50s", "0"},
      {"default_transaction_read_only", "on", "off"},
      {"default_transaction_isolation", "serializable", "read committed"},
      {"search_path", "public", "pg_catalog, pg_temp"},
      {"DateStyle", "German", "ISO, DMY"},
      {"IntervalStyle", "iso_8601", "postgres"},
      {"TimeZone", "Asia/Shanghai", "UTC"},
      {"extra_float_digits", "-5", "1"},
      {"bytea_output", "escape", "hex"},
      {"standard_conforming_strings", "off", "on"},
      {"transform_null_equals", "on", "off"},
      {"array_nulls", "off", "on"},
      {"row_security", "off", "on"},
      {"transaction_timeout", NULL, "0"},
  };
  char role[4000] = "DROP ROLE IF EXISTS has_settings; CREATE ROLE has_settings LOGIN";
  char conninfo[1000];
  char text[200];
  notify_store *owner = server_store();
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
    size_t length = strlen(role);
    if (settings[i][1] != NULL) {
      (void)snprintf(role + length, sizeof role - length, "; ALTER ROLE has_settings SET %s = '%s'", settings[i][0],
                     settings[i][1]);
    }
  }
  CHECK_EQUAL(notify_store_query(owner, role, 0, NULL, TIMEOUT_MS, NULL), NOTIFY_STORE_OK);
  const char *base = server_conninfo();
  (void)snprintf(conninfo, sizeof conninfo, "%s%cuser=has_settings", base, strchr(base, '?') == NULL ? '?' : '&');
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(NULL, &store), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_connect(store, conninfo, "test", TIMEOUT_MS), NOTIFY_STORE_OK);
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
    char question[200];
    (void)snprintf(question, sizeof question, "SELECT coalesce(current_setting('%s', true), '0')", settings[i][0]);
    server_text(store, text, sizeof text, question);
    CHECK_TEXT(text, settings[i][2]);
  }
  notify_store_destroy(store);
  CHECK_EQUAL(notify_store_query(owner, "DROP ROLE has_settings", 0, NULL, TIMEOUT_MS, NULL), NOTIFY_STORE_OK);
  notify_store_destroy(owner);
}

static void refuse(const char *addition, notify_store_status status, const char *sqlstate, bool retriable) {
  char conninfo[1000];
  notify_store *store = NULL;
  const char *base = server_conninfo();
  (void)snprintf(conninfo, sizeof conninfo, "%s%c%s", base, strchr(base, '?') == NULL ? '?' : '&', addition);
  CHECK_EQUAL(notify_store_create(NULL, &store), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_connect(store, conninfo, "test", TIMEOUT_MS), status);
  const notify_store_error *error = notify_store_last_error(store);
  CHECK_TEXT(error->sqlstate, sqlstate);
  CHECK_EQUAL(error->retriable, retriable);
  CHECK(error->message[0] != '\0' && strchr(error->message, '\n') == NULL);
  CHECK(strstr(error->message, "LOCATION") == NULL && strstr(error->message, "hunter2") == NULL);
  CHECK(!notify_store_is_connected(store));
  notify_store_destroy(store);
}

static void tells_why_it_is_refused(void) {
  refuse("dbname=no_such_database", NOTIFY_STORE_NOT_CONNECTED, "3D000", false);
  refuse("user=no_such_role&password=hunter2", NOTIFY_STORE_NOT_CONNECTED, "28000", false);
  refuse("port=1", NOTIFY_STORE_NOT_CONNECTED, "", true);
  refuse("host=/nowhere", NOTIFY_STORE_NOT_CONNECTED, "", true);
  refuse("port=hunter2", NOTIFY_STORE_BAD_ARGUMENT, "", false);
  refuse("sslmode=hunter2", NOTIFY_STORE_BAD_ARGUMENT, "", false);
  refuse("keepalives=hunter2", NOTIFY_STORE_BAD_ARGUMENT, "", false);
  refuse("service=hunter2", NOTIFY_STORE_BAD_ARGUMENT, "", false);
  refuse("sslmode=require", NOTIFY_STORE_NOT_CONNECTED, "", true);
  refuse("options=-c%20no_such_setting%3D1", NOTIFY_STORE_NOT_CONNECTED, "42704", false);
}

static void a_doorbell_of_another_session_rings(void) {
  unsigned events = 0, doorbells = 0;
  notify_store *store = server_store();
  notify_store *other = server_store();
  CHECK_EQUAL(notify_store_listen(store, "A bell", TIMEOUT_MS), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_wait(store, 0, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, 0);
  server_run(other, "NOTIFY \"A bell\", '1'; NOTIFY \"A bell\", '2'; NOTIFY \"a bell\"");
  CHECK_EQUAL(notify_store_wait(store, TIMEOUT_MS, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, NOTIFY_STORE_EVENT_DOORBELL);
  CHECK_EQUAL(doorbells, 2);
  notify_store_destroy(other);
  notify_store_destroy(store);
}

static void a_doorbell_during_a_statement_is_kept(void) {
  unsigned events = 0, doorbells = 0;
  notify_store *store = server_store();
  CHECK_EQUAL(notify_store_listen(store, "bell", TIMEOUT_MS), NOTIFY_STORE_OK);
  server_run(store, "NOTIFY bell");
  server_run(store, "SELECT 1");
  CHECK_EQUAL(notify_store_wait(store, 0, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, NOTIFY_STORE_EVENT_DOORBELL);
  CHECK_EQUAL(doorbells, 1);
  notify_store_destroy(store);
}

static void *wake(void *store) {
  notify_store_wake(store);
  return NULL;
}

static void another_thread_wakes(void) {
  unsigned events = 0, doorbells = 0;
  pthread_t thread;
  notify_store *store = server_store();
  CHECK_EQUAL(pthread_create(&thread, NULL, wake, store), 0);
  CHECK_EQUAL(notify_store_wait(store, TIMEOUT_MS, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, NOTIFY_STORE_EVENT_WAKE);
  CHECK_EQUAL(pthread_join(thread, NULL), 0);
  notify_store_destroy(store);
}

static void a_session_that_is_ended_is_noticed_while_waiting(void) {
  unsigned events = 0, doorbells = 0;
  notify_store *store = server_store();
  notify_store *other = server_store();
  server_run(other, "SELECT pg_terminate_backend(%d)", notify_store_backend_pid(store));
  CHECK_EQUAL(notify_store_wait(store, TIMEOUT_MS, &events, &doorbells), NOTIFY_STORE_CONNECTION_LOST);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "57P01");
  CHECK(notify_store_last_error(store)->retriable);
  CHECK_EQUAL(notify_store_connect(store, server_conninfo(), "test", TIMEOUT_MS), NOTIFY_STORE_OK);
  notify_store_destroy(other);
  notify_store_destroy(store);
}

static void a_session_that_is_ended_is_noticed_in_a_statement(void) {
  notify_store_row row;
  notify_store_status status = NOTIFY_STORE_OK;
  notify_store *store = server_store();
  CHECK_EQUAL(notify_store_query(store, "SELECT pg_terminate_backend(pg_backend_pid())", 0, NULL, TIMEOUT_MS, NULL),
              NOTIFY_STORE_CONNECTION_LOST);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "57P01");
  CHECK_EQUAL(notify_store_connect(store, server_conninfo(), "test", TIMEOUT_MS), NOTIFY_STORE_OK);
  // In the middle of a stream that the server can't have sent whole.
  notify_store *other = server_store();
  server_clean(other);
  server_run(other,
             "INSERT INTO public.notification (user_id, data) SELECT 1, to_jsonb(repeat('x', 100000)) "
             "FROM generate_series(1, 300)");
  CHECK_EQUAL(notify_store_delta(store, 0, NULL, 0, TIMEOUT_MS), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_OK);
  server_run(other, "SELECT pg_terminate_backend(%d)", notify_store_backend_pid(store));
  while (status == NOTIFY_STORE_OK) {
    status = notify_store_next(store, TIMEOUT_MS, &row);
  }
  CHECK_EQUAL(status, NOTIFY_STORE_CONNECTION_LOST);
  CHECK(notify_store_last_error(store)->retriable);
  notify_store_destroy(other);
  notify_store_destroy(store);
}

static void a_statement_ends_at_its_deadline(void) {
  notify_store *store = server_store();
  int session = notify_store_backend_pid(store);
  CHECK_EQUAL(notify_store_query(store, "SELECT pg_sleep(600)", 0, NULL, 30, NULL), NOTIFY_STORE_TIMEOUT);
  CHECK(notify_store_is_connected(store));
  CHECK_EQUAL(server_number(store, "SELECT pg_backend_pid()"), session);
  notify_store_destroy(store);
}

static void a_server_that_does_not_answer_holds_nobody_up(void) {
  notify_store *store = server_store();
  // The postmaster, which takes requests to cancel, and the session itself.
  server_run(store,
             "COPY (SELECT pg_backend_pid(), p.pid FROM (SELECT pg_postmaster_start_time()) t, "
             "LATERAL (SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS pid) p) TO PROGRAM "
             "'read session postmaster; (kill -STOP $postmaster; sleep 4; kill -CONT $postmaster) "
             ">/dev/null 2>&1 &'");
  CHECK_EQUAL(notify_store_query(store, "SELECT pg_sleep(600)", 0, NULL, 30, NULL), NOTIFY_STORE_TIMEOUT);
  CHECK(!notify_store_is_connected(store));
  notify_store_destroy(store);
  // The request is taken once the postmaster goes on, and the statement does not run any more.
  notify_store *other = server_store();
  while (server_number(other, "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'") > 0) {
  }
  notify_store_destroy(other);
}

static void errors_are_told(void) {
  const char *const bad[] = {"x"};
  notify_store_result *result = NULL;
  notify_store *store = server_store();
  CHECK_EQUAL(notify_store_query(store, "SELECT nothing_of_this_name", 0, NULL, TIMEOUT_MS, &result),
              NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "42703");
  CHECK_TEXT(notify_store_last_error(store)->message, "column \"nothing_of_this_name\" does not exist");
  CHECK_EQUAL(notify_store_query(store, "SELECT $1::int", 1, bad, TIMEOUT_MS, &result), NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "22P02");
  CHECK_EQUAL(notify_store_query(store, "COPY (SELECT 1) TO STDOUT", 0, NULL, TIMEOUT_MS, &result),
              NOTIFY_STORE_BAD_ARGUMENT);
  CHECK(result == NULL);
  notify_store_destroy(store);
}

static void large_parameters_go_out(void) {
  size_t length = 20u * 1000 * 1000;
  char *data = malloc(length + 1);
  memset(data, 'x', length);
  data[0] = '"';
  data[length - 1] = '"';
  data[length] = '\0';
  notify_store *store = server_store();
  server_clean(store);
  int64_t id = server_insert(store, 5, data);
  CHECK_EQUAL(
      server_number(store, "SELECT length(data #>> '{}') FROM public.notification WHERE id = %lld", (long long)id),
      (long long)length - 2);
  free(data);
  server_clean(store);
  notify_store_destroy(store);
}

static void the_purge_deletes_old_sent_rows(void) {
  int64_t rows = -1;
  notify_store *store = server_store();
  server_clean(store);
  server_run(store,
             "INSERT INTO public.notification (user_id, is_sent, sent_at, created_at) "
             "SELECT 5, true, now(), now() - interval '10 days' FROM generate_series(1, 5)");
  (void)server_insert(store, 5, NULL);
  CHECK_EQUAL(notify_store_purge(store, 9, 0, 2, true, TIMEOUT_MS, &rows), NOTIFY_STORE_OK);
  CHECK_EQUAL(rows, 5);
  CHECK_EQUAL(notify_store_purge(store, 9, 0, 2, false, TIMEOUT_MS, &rows), NOTIFY_STORE_OK);
  CHECK_EQUAL(rows, 2);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM public.notification"), 4);
  server_clean(store);
  notify_store_destroy(store);
}

static void transactions_bring_their_settings_behind_a_pooler(void) {
  static items got;
  char snapshot[SNAPSHOT_SIZE];
  notify_store_row row;
  bool left = false;
  size_t marked = 0;
  uint64_t xid = 0;
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(NULL, &store), NOTIFY_STORE_OK);
  notify_store_set_pooler(store, NOTIFY_STORE_POOLER_ALWAYS);
  CHECK_EQUAL(notify_store_connect(store, server_conninfo(), "test", TIMEOUT_MS), NOTIFY_STORE_OK);
  server_clean(store);
  server_snapshot(store, snapshot);
  const notify_store_id id = {.number = server_insert(store, 5, "{}")};
  server_delta(store, snapshot, &got);
  CHECK_EQUAL(got.count, 1);
  // Not read to its end: it is rolled back.
  CHECK_EQUAL(notify_store_delta(store, 3, NULL, 0, TIMEOUT_MS), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_OK);
  const notify_store_mark mark = {.id = id, .txid = server_txid(store, id.number)};
  CHECK_EQUAL(notify_store_mark_sent(store, 1, &mark, 1, TIMEOUT_MS, &marked, &left, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 1);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, &mark, 1, TIMEOUT_MS, &marked, &left, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 0);
  CHECK_EQUAL(notify_store_scan_unsent(store, TIMEOUT_MS), NOTIFY_STORE_OK);
  server_read(store, &got);
  CHECK_EQUAL(got.count, 0);
  // Another session sees it: it is committed. Nothing stays in this one.
  notify_store *other = server_store();
  CHECK_EQUAL(server_number(other, "SELECT count(*) FROM public.notification WHERE is_sent"), 1);
  CHECK_EQUAL(server_number(other, "SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND state = 'idle'",
                            notify_store_backend_pid(store)),
              1);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM pg_prepared_statements"), 0);
  CHECK_EQUAL(server_number(store,
                            "SELECT count(*) FROM pg_settings WHERE source = 'session' AND name IN "
                            "('enable_seqscan', 'plan_cache_mode', 'jit', 'synchronous_commit')"),
              0);
  notify_store_destroy(other);
  notify_store_destroy(store);
}

const test server_session_tests[] = {
    {"the session is prepared", prepares_the_session},
    {"settings of the role do not reach the session", settings_of_the_role_do_not_reach_the_session},
    {"behind a pooler transactions bring their settings, and nothing stays",
     transactions_bring_their_settings_behind_a_pooler},
    {"a refusal gives its reason, without the password", tells_why_it_is_refused},
    {"a doorbell of another session ends the wait", a_doorbell_of_another_session_rings},
    {"a doorbell during a statement is kept", a_doorbell_during_a_statement_is_kept},
    {"another thread wakes", another_thread_wakes},
    {"a session that is ended is noticed while waiting", a_session_that_is_ended_is_noticed_while_waiting},
    {"a session that is ended is noticed in a statement and in a stream",
     a_session_that_is_ended_is_noticed_in_a_statement},
    {"a statement of the server ends at its deadline, and the session goes on", a_statement_ends_at_its_deadline},
    {"a server that takes no request to cancel holds nobody up", a_server_that_does_not_answer_holds_nobody_up},
    {"errors of the server are reported", errors_are_told},
    {"large parameters go out", large_parameters_go_out},
    {"the purge deletes old rows that were sent", the_purge_deletes_old_sent_rows},
    {NULL, NULL},
};
