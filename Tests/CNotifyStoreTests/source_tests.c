// Which tables are read and marked, and by which statements.

#include <stdlib.h>

#include "fake.h"
#include "lists.h"

static const notify_store_source ours = {.number = 4,
                                         .relation = "app.\"Alarm\"",
                                         .id = "the \"id\"",
                                         .recipient = "to",
                                         .txid = "txid",
                                         .sent_at = "sent_at",
                                         .payload = "data || '{number}' -- all of it",
                                         .id_kind = NOTIFY_STORE_KIND_UUID,
                                         .recipient_kind = NOTIFY_STORE_KIND_TEXT};

static void read_delta(notify_store *store) {
  notify_store_row row;
  fake_answer(fake_snapshot("1:1:"));
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
}

static void our_own_table_is_served_at_first(void) {
  notify_store *store = fake_store();
  read_delta(store);
  CHECK(strstr(fake.prepared, "FROM public.notification n   WHERE n.\"txid\" >= $1::xid8 AND ") != NULL);
  CHECK(strchr(fake.prepared, '{') == NULL);
  fake_finish(store);
}

static void names_are_quoted(void) {
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_serve(store, &ours, 1), NOTIFY_STORE_OK);
  read_delta(store);
  CHECK(strstr(fake.prepared, "FROM app.\"Alarm\" n ") != NULL);
  CHECK(strstr(fake.prepared, "n.\"the \"\"id\"\"\"::text") != NULL);
  CHECK(strstr(fake.prepared, "n.\"to\"::text AS recipient") != NULL);
  // Braces in an expression are no placeholder, and its comment ends.
  CHECK(strstr(fake.prepared, "(data || '{number}' -- all of it\n)") != NULL);
  CHECK(strstr(fake.prepared, "public.notification") == NULL);
  fake_finish(store);
}

static void no_table_is_served_too(void) {
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_serve(store, NULL, 0), NOTIFY_STORE_OK);
  read_delta(store);
  CHECK(strstr(fake.prepared, "notify_bridge.revocation") != NULL);
  CHECK(strstr(fake.prepared, "public.notification") == NULL);
  fake_finish(store);
}

static void the_delta_is_prepared_once(void) {
  static const char *const first[] = {"DEALLOCATE ALL", "PREPARE notify_store_delta", "EXECUTE notify_store_delta",
                                      NULL};
  static const char *const second[] = {"EXECUTE notify_store_delta", NULL};
  static const char *const query[] = {"SELECT 1", NULL};
  notify_store *store = fake_store();
  read_delta(store);
  fake_sent(first);
  read_delta(store);
  fake_sent(second);
  CHECK_EQUAL(notify_store_query(store, "SELECT 1", 0, NULL, 1000, NULL), NOTIFY_STORE_OK);
  fake_sent(query);
  read_delta(store);
  fake_sent(second);
  CHECK_EQUAL(notify_store_serve(store, &ours, 1), NOTIFY_STORE_OK);
  read_delta(store);
  fake_sent(first);
  CHECK_EQUAL(notify_store_connect(store, "host=db", "test", 1000), NOTIFY_STORE_OK);
  fake.statement_count = 0;
  read_delta(store);
  fake_sent(first);
  read_delta(store);
  fake_sent(second);
  fake_finish(store);
}

static void a_replay_is_prepared_beside_the_delta(void) {
  static const char *const first[] = {"PREPARE notify_store_replay", "EXECUTE notify_store_replay", NULL};
  static const char *const delta[] = {"EXECUTE notify_store_delta", NULL};
  static const char *const again[] = {"DEALLOCATE ALL", "PREPARE notify_store_replay", "EXECUTE notify_store_replay",
                                      NULL};
  const notify_store_replay_request request = {.user = "5"};
  notify_store *store = fake_store();
  read_delta(store);
  fake.statement_count = 0;
  for (int i = 0; i < 3; i++) {
    notify_store_row row;
    fake_answer(fake_replay_snapshot("20:20:"));
    fake_answer(fake_replay_row(0, 0, 0, false, false));
    fake_answer(fake_end_of_rows());
    fake_answer(NULL);
    CHECK_EQUAL(notify_store_replay(store, &request, 1, 10, 1000, 1000), NOTIFY_STORE_OK);
    CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
    CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_OK);
    CHECK_EQUAL(notify_store_next(store, 1000, &row), NOTIFY_STORE_END);
    fake_sent(i == 0 ? first : i == 1 ? first + 1 : again);
    if (i == 0) {
      read_delta(store);
      fake_sent(delta);
    } else if (i == 1) {
      CHECK_EQUAL(notify_store_serve(store, &ours, 1), NOTIFY_STORE_OK);
    }
  }
  fake_finish(store);
}

static void a_delta_that_cannot_be_prepared_is_tried_again(void) {
  static const char *const statements[] = {"DEALLOCATE ALL",
                                           "PREPARE notify_store_delta",
                                           "DEALLOCATE ALL",
                                           "PREPARE notify_store_delta",
                                           "EXECUTE notify_store_delta",
                                           NULL};
  notify_store *store = fake_store();
  fake.refused = "PREPARE";
  fake.refusal = fake_error("ERROR", "42P01", "relation \"public.notification\" does not exist");
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "42P01");
  fake.refused = NULL;
  read_delta(store);
  fake_sent(statements);
  fake.refused = "DEALLOCATE";
  CHECK_EQUAL(notify_store_serve(store, &ours, 1), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_delta(store, 1, NULL, 0, 1000), NOTIFY_STORE_SERVER_ERROR);
  fake.refused = NULL;
  read_delta(store);
  fake_finish(store);
}

static void wrong_sources_are_told(void) {
  notify_store_source sources[2] = {ours, ours};
  const char **const needed[] = {&sources[1].relation, &sources[1].id,      &sources[1].recipient,
                                 &sources[1].txid,     &sources[1].sent_at, &sources[1].payload};
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_serve(store, NULL, 1), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_probe(store, NULL, false, 1000), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_probe(store, &ours, false, -1), NOTIFY_STORE_BAD_ARGUMENT);
  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
    const char *before = *needed[i];
    *needed[i] = NULL;
    CHECK_EQUAL(notify_store_serve(store, sources, 2), NOTIFY_STORE_BAD_ARGUMENT);
    CHECK_EQUAL(notify_store_last_error(store)->status, NOTIFY_STORE_BAD_ARGUMENT);
    CHECK_EQUAL(notify_store_probe(store, &sources[1], false, 1000), NOTIFY_STORE_BAD_ARGUMENT);
    *needed[i] = before;
  }
  CHECK_EQUAL(fake.statement_count, 0);
  // What was served before is served still.
  read_delta(store);
  CHECK(strstr(fake.prepared, "public.notification") != NULL);
  fake_finish(store);
}

static void what_is_served_stays_where_memory_is_short(void) {
  const notify_store_source sources[2] = {ours, ours};
  static const char *const execute[] = {"EXECUTE notify_store_delta", NULL};
  int call = 1;
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_serve(store, &ours, 1), NOTIFY_STORE_OK);
  read_delta(store);
  notify_store_status status = NOTIFY_STORE_NO_MEMORY;
  for (; status == NOTIFY_STORE_NO_MEMORY; call++) {
    int held = fake.allocations;
    fake.statement_count = 0;
    memset(fake.calls, 0, sizeof fake.calls);
    fake.failing = FAKE_ALLOCATE;
    fake.failing_call = call;
    status = notify_store_serve(store, sources, 2);
    fake.failing_call = 0;
    if (status == NOTIFY_STORE_NO_MEMORY) {
      CHECK_EQUAL(notify_store_last_error(store)->status, status);
      CHECK_EQUAL(fake.allocations, held);
      fake.script_length = 0;
      fake.script_next = 0;
      read_delta(store);
      fake_sent(execute);
    }
  }
  CHECK_EQUAL(status, NOTIFY_STORE_OK);
  CHECK(call > 15);
  fake_finish(store);
}

static void a_number_that_names_no_table_is_told(void) {
  static const notify_store_id id = {.number = 1};
  static const notify_store_mark mark = {.id.number = 1, .txid = 1};
  static const char *const user = "7";
  size_t count = 0;
  bool left = false;
  uint64_t xid = 0;
  char *made = NULL;
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_mark_sent(store, 4, &mark, 1, 1000, &count, &left, &xid), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_mark_read(store, 4, &id, &user, 1, 1000, &count), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_insert(store, 4, "7", NULL, 1000, &made), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_serve(store, &ours, 1), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, &mark, 1, 1000, &count, &left, &xid), NOTIFY_STORE_BAD_ARGUMENT);
  // It has no column for payloads, and none for what was read: there is nothing to note.
  CHECK_EQUAL(notify_store_insert(store, 4, "7", NULL, 1000, &made), NOTIFY_STORE_BAD_ARGUMENT);
  CHECK_EQUAL(notify_store_mark_read(store, 4, &id, &user, 1, 1000, &count), NOTIFY_STORE_OK);
  CHECK_EQUAL(count, 0);
  CHECK_EQUAL(fake.statement_count, 0);
  fake_finish(store);
}

static void ids_that_are_texts_are_marked(void) {
  static const notify_store_mark marks[3] = {
      {.id.text = "a,\"b\"\\", .txid = 1}, {.id.text = "", .txid = 2}, {.id.text = NULL, .txid = 3}};
  size_t marked = 0;
  bool left[3];
  uint64_t xid = 0;
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_serve(store, &ours, 1), NOTIFY_STORE_OK);
  fake_answer_marking(3, 9);
  CHECK_EQUAL(notify_store_mark_sent(store, 4, marks, 3, 1000, &marked, left, &xid), NOTIFY_STORE_OK);
  CHECK_TEXT(fake.parameters[0], "{\"a,\\\"b\\\"\\\\\",\"\",NULL}");
  CHECK(strstr(fake.sql, "unnest($1::uuid[], $2::xid8[])") != NULL);
  fake_finish(store);
}

// Sends a statement by each call, and looks for a brace in what the server got.
static void every_placeholder_is_filled_in(void) {
  static const notify_store_mark mark = {.id.number = 1, .txid = 1};
  static const char *const user = "7";
  static const notify_store_replay_request request = {.user = "7"};
  size_t count = 0;
  bool left = false;
  uint64_t xid = 0;
  char *made = NULL;
  notify_store *store = fake_store();
  read_delta(store);
  CHECK(strchr(fake.prepared, '{') == NULL);
  CHECK_EQUAL(notify_store_replay(store, &request, 1, 10, 1000, 1000), NOTIFY_STORE_OK);
  CHECK(strstr(fake.prepared, "asked") != NULL && strchr(fake.prepared, '{') == NULL);
  CHECK_EQUAL(notify_store_scan_unsent(store, 1000), NOTIFY_STORE_OK);
  CHECK(strstr(fake.sql, "unsent") != NULL && strchr(fake.sql, '{') == NULL);
  fake_finish(store);
  store = fake_store();
  fake_answer_marking(0, 0);
  fake_answer(fake_end_of_rows());
  fake_answer(NULL);
  (void)!notify_store_mark_sent(store, 1, &mark, 1, 1000, &count, &left, &xid);
  CHECK(strstr(fake.sql, "pair.place") != NULL && strchr(fake.sql, '{') == NULL);
  fake_answer_marking(1, 9);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, &mark, 1, 1000, &count, &left, &xid), NOTIFY_STORE_OK);
  CHECK(strstr(fake.sql, "WITH locked") != NULL && strchr(fake.sql, '{') == NULL);
  (void)!notify_store_mark_read(store, 1, &mark.id, &user, 1, 1000, &count);
  CHECK(strstr(fake.sql, "read_at") != NULL && strchr(fake.sql, '{') == NULL);
  (void)!notify_store_insert(store, 1, "7", NULL, 1000, &made);
  CHECK(strstr(fake.sql, "INSERT") != NULL && strchr(fake.sql, '{') == NULL);
  free(made);
  fake_finish(store);
}

static void a_probe_reads_and_marks_nothing(void) {
  static const char *const reading[] = {"SELECT", NULL};
  static const char *const marking[] = {"EXPLAIN UPDATE app.\"Alarm\" n SET", NULL};
  notify_store *store = fake_store();
  CHECK_EQUAL(notify_store_probe(store, &ours, false, 1000), NOTIFY_STORE_OK);
  fake_sent(reading);
  CHECK_EQUAL(notify_store_probe(store, &ours, true, 1000), NOTIFY_STORE_OK);
  fake_sent(marking);
  fake_answer(fake_error("ERROR", "42703", "column n.to does not exist"));
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_probe(store, &ours, false, 1000), NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "42703");
  fake_answer(fake_error("ERROR", "42501", "permission denied for table Alarm"));
  fake_answer(NULL);
  CHECK_EQUAL(notify_store_probe(store, &ours, true, 1000), NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "42501");
  fake.statement_count = 0;
  // What is probed is not served.
  read_delta(store);
  CHECK(strstr(fake.prepared, "public.notification") != NULL);
  fake_finish(store);
}

const test source_tests[] = {
    {"our own table is served until others are", our_own_table_is_served_at_first},
    {"names are quoted, expressions stay as they are", names_are_quoted},
    {"a store serves no table where there is none", no_table_is_served_too},
    {"the delta is prepared once for each connection and list of tables", the_delta_is_prepared_once},
    {"a replay is prepared beside the delta", a_replay_is_prepared_beside_the_delta},
    {"a delta that can't be prepared is tried again", a_delta_that_cannot_be_prepared_is_tried_again},
    {"incomplete tables are refused", wrong_sources_are_told},
    {"the earlier tables stay when memory is short", what_is_served_stays_where_memory_is_short},
    {"a number that names no served table is refused", a_number_that_names_no_table_is_told},
    {"ids that are texts are quoted in a marking", ids_that_are_texts_are_marked},
    {"every placeholder of a statement is filled in", every_placeholder_is_filled_in},
    {"a probe reads and marks nothing, and reports the fault", a_probe_reads_and_marks_nothing},
    {NULL, NULL},
};
