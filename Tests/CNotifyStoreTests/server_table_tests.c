// Rows of several tables in one delta and one replay.

#include <stdlib.h>

#include "lists.h"
#include "server_tables.h"

#define ALARM "app.\"Alarm \"\"Log\"\"\" (\"Id\", \"the \"\"User\"\"\", body)"

#define ALL_SIZE 2000

static table_items got;

static void all_tables_come_in_one_delta(void) {
  char snapshot[SNAPSHOT_SIZE];
  char before[SNAPSHOT_SIZE];
  char wanted[1000];
  notify_store *store = server_store();
  tables_make(store);
  server_snapshot(store, snapshot);
  server_snapshot(store, before);
  // One transaction, written in no order.
  server_run(store,
             "BEGIN;"
             "INSERT INTO app.meter (id, user_id, region, data) VALUES (2, 5, 'north', '2'), (1, 5, 'south', '1');"
             "INSERT INTO " ALARM " VALUES ('" TABLES_ROW "b', '" TABLES_ROW
             "1', '{\"a\" :1}'), "
             "('" TABLES_ROW
             "a', NULL, NULL);"
             "INSERT INTO app.event (code, person, title, details) VALUES ('ä', 'Ada', 'low', '1'), "
             "('Z', 'Bob', 'high', NULL), ('a', 'Ada', 'mid', NULL);"
             "INSERT INTO public.notification (user_id, data) VALUES (5, '{}');"
             "COMMIT");
  long long id = server_number(store, "SELECT id FROM public.notification");
  (void)snprintf(wanted, sizeof wanted,
                 "1/%lld 5 {}\n"
                 "3/Z Bob {\"title\": \"HIGH\", \"details\": null}\n"
                 "3/a Ada {\"title\": \"MID\", \"details\": null}\n"
                 "3/ä Ada {\"title\": \"LOW\", \"details\": 1}\n"
                 "7/" TABLES_ROW
                 "a  \n"
                 "7/" TABLES_ROW "b " TABLES_ROW
                 "1 {\"a\" :1}\n"
                 "9/1 5 1\n"
                 "9/2 5 2\n",
                 id);
  tables_delta(store, snapshot, &got);
  CHECK_TEXT(got.text, wanted);
  tables_delta(store, snapshot, &got);
  CHECK_TEXT(got.text, "");
  // Alone, the table of texts has the same order.
  CHECK_EQUAL(notify_store_serve(store, &tables[TABLE_EVENT], 1), NOTIFY_STORE_OK);
  tables_delta(store, before, &got);
  CHECK(strstr(wanted, got.text) != NULL && got.rows == 3);
  tables_drop(store);
  notify_store_destroy(store);
}

static void transactions_that_were_in_progress_come_of_each_table(void) {
  char snapshot[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  notify_store *early = server_store();
  tables_make(store);
  server_run(early,
             "BEGIN; INSERT INTO app.meter (id, user_id) VALUES (1, 5); "
             "INSERT INTO app.event (code, person) VALUES ('early', 'Ada')");
  server_run(store, "INSERT INTO app.event (code, person) VALUES ('late', 'Ada')");
  server_snapshot(store, snapshot);
  tables_delta(store, snapshot, &got);
  CHECK_TEXT(got.text, "");
  server_run(early, "COMMIT");
  tables_delta(store, snapshot, &got);
  CHECK_TEXT(got.text, "3/early Ada {\"title\": \"X\", \"details\": null}\n9/1 5 \n");
  tables_delta(store, snapshot, &got);
  CHECK_TEXT(got.text, "");
  tables_drop(store);
  notify_store_destroy(early);
  notify_store_destroy(store);
}

static void what_is_sent_depends_on_the_columns_there_are(void) {
  char snapshot[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  tables_make(store);
  server_snapshot(store, snapshot);
  // Inserted as sent: a row of a table that has a column for it is not for us.
  server_run(store,
             "INSERT INTO app.meter (id, user_id, is_sent, sent_at) VALUES (1, 5, true, NULL), (2, 5, true, now()), "
             "(3, 5, NULL, NULL); INSERT INTO app.event (code, person, sent_at) VALUES ('a', 'Ada', now())");
  tables_delta(store, snapshot, &got);
  CHECK_TEXT(got.text, "3/a Ada {\"title\": \"X\", \"details\": null}\n9/2 5 \n9/3 5 \n");
  CHECK(got.has_created_at);
  server_run(store, "INSERT INTO app.event (code, person) VALUES ('b', 'Ada'), ('c', NULL)");
  tables_delta(store, snapshot, &got);
  CHECK_EQUAL(got.rows, 2);
  CHECK(!got.has_created_at);
  CHECK_EQUAL(notify_store_scan_unsent(store, TIMEOUT_MS), NOTIFY_STORE_OK);
  tables_read(store, &got);
  CHECK_TEXT(got.text, "unsent 3 Ada 1\nunsent 9 5 1\n");
  tables_drop(store);
  notify_store_destroy(store);
}

// Reads a replay in pages of so many rows; `all` receives the rows of all pages. Returns how many pages there were.
static int read_pages(notify_store *store, notify_store_replay_request request, uint32_t rows, char all[ALL_SIZE]) {
  static char snapshot[SNAPSHOT_SIZE];
  static char after[100];
  size_t length = 0;
  int pages = 0;
  do {
    CHECK_EQUAL(notify_store_replay(store, &request, 1, rows, 1000000, TIMEOUT_MS), NOTIFY_STORE_OK);
    tables_read(store, &got);
    const char *first = strchr(got.text, '\n');
    CHECK(first != NULL && got.rows <= rows);
    length += (size_t)snprintf(all + length, ALL_SIZE - length, "%s", first == NULL ? "" : first + 1);
    if (request.snapshot == NULL) {
      (void)snprintf(snapshot, sizeof snapshot, "%s", got.snapshot);
      request.snapshot = snapshot;
    }
    (void)snprintf(after, sizeof after, "%s", got.id_text);
    request.after_txid = got.txid;
    request.after_source = got.source;
    request.after_id = (notify_store_id){got.id, after};
    pages++;
  } while (got.more && length < ALL_SIZE && check_failures == 0);
  return pages;
}

static void pages_go_over_tables(void) {
  char all[ALL_SIZE];
  char wanted[ALL_SIZE];
  notify_store *store = server_store();
  tables_make(store);
  server_run(store,
             "BEGIN; INSERT INTO app.event (code, person) VALUES ('a', '7'), ('b', '7'), ('Z', '7'), ('x', '8');"
             "INSERT INTO app.meter (id, user_id) VALUES (4, 7), (3, 7), (2, 8);"
             "INSERT INTO public.notification (user_id) VALUES (7); COMMIT");
  server_run(store,
             "BEGIN; INSERT INTO app.event (code, person) VALUES ('c', '7');"
             "INSERT INTO public.notification (user_id) VALUES (7); COMMIT");
  long long first = server_number(store, "SELECT min(id) FROM public.notification");
  long long second = server_number(store, "SELECT max(id) FROM public.notification");
  const char *event = "7 {\"title\": \"X\", \"details\": null}";
  (void)snprintf(wanted, sizeof wanted, "1/%lld 7 \n3/Z %s\n3/a %s\n3/b %s\n9/3 7 \n9/4 7 \n1/%lld 7 \n3/c %s\n", first,
                 event, event, event, second, event);
  const notify_store_replay_request request = {.user = "7", .integer = 7, .is_integer = true, .unsent = true};
  for (uint32_t rows = 1; rows <= 8; rows++) {
    CHECK_EQUAL(read_pages(store, request, rows, all), (8 + rows - 1) / rows);
    CHECK_TEXT(all, wanted);
  }
  tables_drop(store);
  notify_store_destroy(store);
}

static void uuids_come_in_the_order_of_their_texts(void) {
  char all[ALL_SIZE];
  notify_store *store = server_store();
  tables_make(store);
  server_run(store, "INSERT INTO " ALARM " SELECT ('" TABLES_ROW "' || x)::uuid, '" TABLES_ROW
                    "7', '{}' FROM unnest('{f,9,A,0}'::text[]) x");
  server_run(store, "INSERT INTO app.event (code, person) VALUES ('a', '" TABLES_ROW "7')");
  const notify_store_replay_request request = {.user = TABLES_ROW "7", .is_uuid = true, .unsent = true};
  CHECK_EQUAL(read_pages(store, request, 1, all), 5);
  CHECK_TEXT(all, "7/" TABLES_ROW "0 " TABLES_ROW
                  "7 {}\n"
                  "7/" TABLES_ROW "9 " TABLES_ROW
                  "7 {}\n"
                  "7/" TABLES_ROW "a " TABLES_ROW
                  "7 {}\n"
                  "7/" TABLES_ROW "f " TABLES_ROW
                  "7 {}\n"
                  "3/a " TABLES_ROW "7 {\"title\": \"X\", \"details\": null}\n");
  tables_drop(store);
  notify_store_destroy(store);
}

static void sent_rows_are_counted_over_tables(void) {
  char since[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  tables_make(store);
  server_snapshot(store, since);
  server_run(store,
             "INSERT INTO app.event (code, person, sent_at) VALUES ('a', '7', now()), ('b', '7', now());"
             "INSERT INTO app.event (code, person, sent_at) VALUES ('c', '7', NULL);"
             "INSERT INTO public.notification (user_id, is_sent, sent_at) VALUES (7, true, now()), (7, true, now())");
  notify_store_replay_request request = {
      .user = "7", .integer = 7, .is_integer = true, .unsent = true, .since = since, .sent_limit = 3};
  CHECK_EQUAL(notify_store_replay(store, &request, 1, 100, 1000000, TIMEOUT_MS), NOTIFY_STORE_OK);
  tables_read(store, &got);
  CHECK_TEXT(got.text, "request truncated\n3/c 7 {\"title\": \"X\", \"details\": null}\n");
  request.sent_limit = 4;
  CHECK_EQUAL(notify_store_replay(store, &request, 1, 100, 1000000, TIMEOUT_MS), NOTIFY_STORE_OK);
  tables_read(store, &got);
  CHECK(!got.truncated);
  CHECK_EQUAL(got.rows, 5);
  // Without its integer, only the table with texts has rows for this user.
  request.is_integer = false;
  request.sent_limit = 2;
  CHECK_EQUAL(notify_store_replay(store, &request, 1, 100, 1000000, TIMEOUT_MS), NOTIFY_STORE_OK);
  tables_read(store, &got);
  CHECK(!got.truncated);
  CHECK_EQUAL(got.rows, 3);
  tables_drop(store);
  notify_store_destroy(store);
}

static void revocations_come_exactly_once(void) {
  char snapshot[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  notify_store *early = server_store();
  server_clean(store);
  server_run(store, "INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('1', 'user', 'revoked')");
  server_snapshot(store, snapshot);
  server_run(early,
             "BEGIN; INSERT INTO notify_bridge.revocation (user_id, kind, credential, reason) "
             "VALUES ('', 'session', 'ab12', 'revoked')");
  server_run(store, "INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('2', 'user', 'inactive')");
  (void)server_insert(store, 2, NULL);
  tables_delta(store, snapshot, &got);
  CHECK(strstr(got.text, "revocation 2  user inactive\n1/") == got.text);
  CHECK_EQUAL(got.rows, 1);
  tables_delta(store, snapshot, &got);
  CHECK_TEXT(got.text, "");
  server_run(early, "COMMIT");
  tables_delta(store, snapshot, &got);
  CHECK_TEXT(got.text, "revocation  ab12 session revoked\n");
  tables_delta(store, snapshot, &got);
  CHECK_TEXT(got.text, "");
  // Also where no table is served.
  CHECK_EQUAL(notify_store_serve(store, NULL, 0), NOTIFY_STORE_OK);
  server_run(store, "INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('3', 'user', 'revoked')");
  (void)server_number(store, "INSERT INTO public.notification (user_id) VALUES (2) RETURNING id");
  tables_delta(store, snapshot, &got);
  CHECK_TEXT(got.text, "revocation 3  user revoked\n");
  const notify_store_replay_request request = {.user = "2", .integer = 2, .is_integer = true, .unsent = true};
  CHECK_EQUAL(notify_store_replay(store, &request, 1, 100, 1000000, TIMEOUT_MS), NOTIFY_STORE_OK);
  tables_read(store, &got);
  CHECK_TEXT(got.text, "request\n");
  CHECK_EQUAL(notify_store_scan_unsent(store, TIMEOUT_MS), NOTIFY_STORE_OK);
  tables_read(store, &got);
  CHECK_TEXT(got.text, "");
  server_run(store, "DELETE FROM notify_bridge.revocation");
  server_clean(store);
  notify_store_destroy(early);
  notify_store_destroy(store);
}

static void a_table_can_change_between_deltas(void) {
  char snapshot[SNAPSHOT_SIZE];
  notify_store_row row;
  notify_store *store = server_store();
  tables_make(store);
  server_snapshot(store, snapshot);
  tables_delta(store, snapshot, &got);
  server_run(store,
             "ALTER TABLE app.event ALTER code TYPE text, ADD later int; ALTER TABLE app.meter ALTER id TYPE int8");
  server_run(store, "INSERT INTO app.event (code, person) VALUES ('a', 'Ada')");
  tables_delta(store, snapshot, &got);
  CHECK_EQUAL(got.rows, 1);
  server_run(store, "ALTER TABLE app.event RENAME person TO somebody");
  CHECK_EQUAL(notify_store_delta(store, 3, NULL, 0, TIMEOUT_MS), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "42703");
  // Without it the others come again.
  CHECK_EQUAL(notify_store_serve(store, &tables[TABLE_METER], 1), NOTIFY_STORE_OK);
  server_run(store, "INSERT INTO app.meter (id, user_id) VALUES (1, 5)");
  tables_delta(store, snapshot, &got);
  CHECK_TEXT(got.text, "9/1 5 \n");
  tables_drop(store);
  notify_store_destroy(store);
}

static void objects_of_others_are_not_used(void) {
  char snapshot[SNAPSHOT_SIZE];
  notify_store_mark code = {.id.text = "a"};
  bool left = true;
  size_t marked = 0;
  uint64_t xid = 0;
  notify_store_replay_request request = {.user = "Ada", .unsent = true};
  notify_store *store = server_store();
  tables_make(store);
  // Each has exactly the types of a statement's arguments, which the built-in one has not.
  server_run(
      store,
      "CREATE FUNCTION public.unnest(xid8[]) RETURNS SETOF xid8 LANGUAGE plpgsql AS 'BEGIN RAISE ''planted''; END';"
      "CREATE FUNCTION public.pg_column_size(jsonb) RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE ''planted''; END';"
      "CREATE FUNCTION public.planted(varchar, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''planted''; END';"
      "CREATE FUNCTION public.planted(int8, numeric) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''planted''; END';"
      "CREATE OPERATOR public.= (FUNCTION = public.planted, LEFTARG = varchar, RIGHTARG = text);"
      "CREATE OPERATOR public.< (FUNCTION = public.planted, LEFTARG = int8, RIGHTARG = numeric)");
  server_snapshot(store, snapshot);
  server_run(store, "INSERT INTO app.event (code, person) VALUES ('a', 'Ada')");
  tables_delta(store, snapshot, &got);
  CHECK_EQUAL(got.rows, 1);
  CHECK_EQUAL(notify_store_replay(store, &request, 1, 100, 1000000, TIMEOUT_MS), NOTIFY_STORE_OK);
  tables_read(store, &got);
  CHECK_EQUAL(got.rows, 1);
  CHECK_EQUAL(notify_store_scan_unsent(store, TIMEOUT_MS), NOTIFY_STORE_OK);
  tables_read(store, &got);
  CHECK_TEXT(got.text, "unsent 3 Ada 1\n");
  code.txid = tables_txid(store, TABLE_EVENT, "true");
  CHECK_EQUAL(notify_store_mark_sent(store, tables[TABLE_EVENT].number, &code, 1, TIMEOUT_MS, &marked, &left, &xid),
              NOTIFY_STORE_OK);
  CHECK(marked == 1 && !left);
  server_run(store,
             "DROP FUNCTION public.unnest(xid8[]), public.pg_column_size(jsonb), public.planted(varchar, text), "
             "public.planted(int8, numeric) CASCADE");
  tables_drop(store);
  notify_store_destroy(store);
}

const test server_table_tests[] = {
    {"rows of integers, uuids and texts come in one delta, ordered by transaction, table and id",
     all_tables_come_in_one_delta},
    {"of each table come the rows of transactions that were in progress",
     transactions_that_were_in_progress_come_of_each_table},
    {"what is sent and when it was made depends on the columns there are",
     what_is_sent_depends_on_the_columns_there_are},
    {"pages of a replay go over tables in order", pages_go_over_tables},
    {"uuids come in the order of their texts, and have tables of texts too", uuids_come_in_the_order_of_their_texts},
    {"rows sent before are counted over all tables", sent_rows_are_counted_over_tables},
    {"revocations come exactly once, before rows, also without tables", revocations_come_exactly_once},
    {"a table may change between deltas, and a missing column is reported", a_table_can_change_between_deltas},
    {"functions and operators of others in the search path are not used", objects_of_others_are_not_used},
    {NULL, NULL},
};
