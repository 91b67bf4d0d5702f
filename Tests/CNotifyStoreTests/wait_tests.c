#include <errno.h>

#include "fake.h"
#include "lists.h"

static notify_store_status wait_once(notify_store *store, int timeout_ms, unsigned *events, unsigned *doorbells) {
  *events = 99;
  *doorbells = 99;
  return notify_store_wait(store, timeout_ms, events, doorbells);
}

static void waits_for_its_time(void) {
  unsigned events, doorbells;
  notify_store *store = fake_store();
  fake.ready_times = 0;
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(fake.now_ms, 1700);
  CHECK_EQUAL(events, 0);
  CHECK_EQUAL(doorbells, 0);
  CHECK_EQUAL(wait_once(store, 0, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(fake.now_ms, 1700);
  CHECK_EQUAL(notify_store_wait(store, -1, &events, &doorbells), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_wait(store, 1, NULL, &doorbells), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_wait(store, 1, &events, NULL), NOTIFY_STORE_BAD_ARGUMENT);
  fake_finish(store);
}

static void counts_doorbells(void) {
  unsigned events, doorbells;
  notify_store *store = fake_store();
  fake.ready_times = 1;
  fake.notifications_per_read = 3;
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, NOTIFY_STORE_EVENT_DOORBELL);
  CHECK_EQUAL(doorbells, 3);
  CHECK_EQUAL(fake.now_ms, 1000);
  fake.ready_times = 0;
  CHECK_EQUAL(wait_once(store, 5, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, 0);
  fake_finish(store);
}

static void doorbells_during_a_statement_end_the_next_wait(void) {
  unsigned events, doorbells;
  notify_store *store = fake_store();
  fake.busy_times = 1;
  fake.notifications_per_read = 1;
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  // They do not pile up in libpq where statement follows statement.
  CHECK_EQUAL(fake.pending_notifications, 0);
  fake.ready_times = 0;
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, NOTIFY_STORE_EVENT_DOORBELL);
  CHECK(doorbells >= 1);
  CHECK_EQUAL(fake.now_ms, 1000);
  fake_finish(store);
}

static void doorbells_in_the_buffer_end_the_next_wait(void) {
  unsigned events, doorbells;
  notify_store *store = fake_store();
  fake.ready_times = 0;
  fake.pending_notifications = 1;
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(doorbells, 1);
  CHECK_EQUAL(fake.now_ms, 1000);
  fake_finish(store);
}

static void a_wake_ends_the_current_or_next_wait(void) {
  unsigned events, doorbells;
  notify_store *store = fake_store();
  fake.ready_times = 0;
  notify_store_wake(store);
  notify_store_wake(store);
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, NOTIFY_STORE_EVENT_WAKE);
  CHECK_EQUAL(fake.now_ms, 1000);
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, 0);
  fake_finish(store);
}

static void a_wake_and_a_doorbell_come_together(void) {
  unsigned events, doorbells;
  notify_store *store = fake_store();
  fake.ready_times = 0;
  fake.pending_notifications = 2;
  notify_store_wake(store);
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, NOTIFY_STORE_EVENT_WAKE | NOTIFY_STORE_EVENT_DOORBELL);
  CHECK_EQUAL(doorbells, 2);
  fake_finish(store);
}

static void waits_without_a_connection(void) {
  unsigned events, doorbells;
  notify_store *store = fake_store();
  notify_store_close(store);
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, 0);
  CHECK_EQUAL(fake.now_ms, 1700);
  notify_store_wake(store);
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, NOTIFY_STORE_EVENT_WAKE);
  fake_finish(store);
}

static void a_lost_connection_ends_a_wait(void) {
  unsigned events, doorbells;
  notify_store *store = fake_store();
  fake.failing = FAKE_CONSUME_INPUT;
  fake.failing_call = 1;
  fake.error_message = "server closed the connection unexpectedly\n\tThis probably means much.\n";
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_CONNECTION_LOST);
  CHECK(notify_store_last_error(store)->retriable);
  CHECK_TEXT(notify_store_last_error(store)->message, "server closed the connection unexpectedly");
  CHECK(!notify_store_is_connected(store));
  fake_finish(store);
}

static void a_wake_is_not_lost_with_the_connection(void) {
  unsigned events, doorbells;
  notify_store *store = fake_store();
  fake.failing = FAKE_CONSUME_INPUT;
  fake.failing_call = 1;
  notify_store_wake(store);
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_CONNECTION_LOST);
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(events, NOTIFY_STORE_EVENT_WAKE);
  fake_finish(store);
}

static void a_servers_farewell_is_told(void) {
  static const fake_result termination_message = {
      .severity = "FATAL", .sqlstate = "57P01", .primary = "terminating connection"};
  unsigned events, doorbells;
  notify_store *store = fake_store();
  fake.notice = &termination_message;
  fake.failing = FAKE_CONSUME_INPUT;
  fake.failing_call = 2;
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_CONNECTION_LOST);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "57P01");
  CHECK_TEXT(notify_store_last_error(store)->message, "terminating connection");
  CHECK_EQUAL(notify_store_connect(store, "host=db", "test", 1000), NOTIFY_STORE_OK);
  fake_finish(store);
}

static void a_notice_is_no_farewell(void) {
  static const fake_result notice = {.severity = "WARNING", .sqlstate = "01000", .primary = "mind the gap"};
  unsigned events, doorbells;
  notify_store *store = fake_store();
  fake.notice = &notice;
  fake.failing = FAKE_CONSUME_INPUT;
  fake.failing_call = 2;
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_CONNECTION_LOST);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "");
  CHECK(strstr(notify_store_last_error(store)->message, "gap") == NULL);
  fake_finish(store);
}

static void a_signal_does_not_end_a_wait(void) {
  unsigned events, doorbells;
  notify_store *store = fake_store();
  fake.ready_times = 0;
  fake.failing = FAKE_WAIT_FOR;
  fake.failing_call = 1;
  fake.wait_errno = EINTR;
  CHECK_EQUAL(wait_once(store, 700, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(fake.now_ms, 1700);
  fake_finish(store);
}

static void listening_quotes_the_channel(void) {
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_listen(store, "a bell", 1000), NOTIFY_STORE_OK);
  CHECK_TEXT(fake.sql, "LISTEN \"a bell\"");
  CHECK_EQUAL(notify_store_listen(store, "", 1000), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_listen(store, NULL, 1000), NOTIFY_STORE_BAD_ARGUMENT);
  fake_answer(fake_error("ERROR", "25006", "cannot execute LISTEN during recovery"));
  CHECK_EQUAL(notify_store_listen(store, "bell", 1000), NOTIFY_STORE_SERVER_ERROR);
  CHECK(notify_store_last_error(store)->retriable);
  fake_finish(store);
}

static void waiting_ends_a_stream(void) {
  unsigned events, doorbells;
  notify_store_row row;
  notify_store *store = fake_store();
  fake_answer(fake_snapshot("1:1:"));
  fake_answer(fake_delta_row(1, 1, "7", "{}"));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  fake.ready_times = 0;
  CHECK_EQUAL(wait_once(store, 10, &events, &doorbells), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK(notify_store_is_connected(store));
  CHECK_EQUAL(fake.script_next, fake.script_length);
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  fake_finish(store);
}

const test wait_tests[] = {
    {"a wait lasts as long as its timeout", waits_for_its_time},
    {"doorbells are counted once", counts_doorbells},
    {"a doorbell during a statement ends the next wait at once", doorbells_during_a_statement_end_the_next_wait},
    {"a doorbell in libpq's buffer ends the next wait at once", doorbells_in_the_buffer_end_the_next_wait},
    {"a wake ends the current or the next wait, once", a_wake_ends_the_current_or_next_wait},
    {"a wake and a doorbell come together", a_wake_and_a_doorbell_come_together},
    {"without a connection a wait ends by wake or time", waits_without_a_connection},
    {"a lost connection ends a wait and is retriable", a_lost_connection_ends_a_wait},
    {"a wake is not lost with the connection", a_wake_is_not_lost_with_the_connection},
    {"a server that shuts down is recognised by its SQLSTATE", a_servers_farewell_is_told},
    {"an ordinary notice is not taken for the cause of a loss", a_notice_is_no_farewell},
    {"a signal does not end a wait", a_signal_does_not_end_a_wait},
    {"LISTEN quotes the channel", listening_quotes_the_channel},
    {"a wait throws away the rest of a stream", waiting_ends_a_stream},
    {NULL, NULL},
};
