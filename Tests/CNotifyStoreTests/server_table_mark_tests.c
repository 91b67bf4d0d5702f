// Marking, inserting and probing in tables of other kinds than ours.

#include <stdlib.h>

#include "lists.h"
#include "server_tables.h"

static void mark(notify_store *store, int table, const notify_store_mark *marks, size_t count, size_t wanted) {
  bool left[8];
  size_t marked = 99;
  uint64_t xid = 0;
  CHECK_EQUAL(notify_store_mark_sent(store, tables[table].number, marks, count, TIMEOUT_MS, &marked, left, &xid),
              NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, wanted);
  CHECK_EQUAL(xid != 0, wanted > 0);
  for (size_t i = 0; i < count; i++) {
    CHECK(!left[i]);
  }
}

static void each_table_is_marked_by_its_ids(void) {
  notify_store_mark codes[3] = {{.id.text = "a, \"b\""}, {.id.text = "c"}, {.id.text = "gone"}};
  notify_store_mark uuids[2] = {{.id.text = TABLES_ROW "b"}, {.id.text = TABLES_ROW "A"}};
  notify_store *store = server_store();
  tables_make(store);
  server_run(store,
             "INSERT INTO app.event (code, person) VALUES ('a, \"b\"', 'Ada'), ('c', 'Ada'), ('d', 'Ada');"
             "INSERT INTO app.\"Alarm \"\"Log\"\"\" (\"Id\") VALUES ('" TABLES_ROW "a'), ('" TABLES_ROW "b')");
  codes[0].txid = codes[1].txid = codes[2].txid = tables_txid(store, TABLE_EVENT, "code = 'c'");
  mark(store, TABLE_EVENT, codes, 3, 2);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM app.event WHERE sent_at IS NULL AND code = 'd'"), 1);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM app.event WHERE sent_at IS NOT NULL"), 2);
  uuids[0].txid = uuids[1].txid = tables_txid(store, TABLE_ALARM, "\"Id\" = '" TABLES_ROW "a'");
  mark(store, TABLE_ALARM, uuids, 2, 2);
  CHECK_EQUAL(server_number(store,
                            "SELECT count(*) FROM app.\"Alarm \"\"Log\"\"\" WHERE \"isSent\" AND \"Sent At\" "
                            "IS NOT NULL"),
              2);
  mark(store, TABLE_ALARM, uuids, 2, 0);
  tables_drop(store);
  notify_store_destroy(store);
}

static void rows_whose_ids_are_not_unique_are_told_apart(void) {
  notify_store_mark marks[2] = {{.id.number = 1}, {.id.number = 2}};
  notify_store *store = server_store();
  tables_make(store);
  server_run(store, "INSERT INTO app.meter (id, user_id, region) VALUES (1, 5, 'north'), (2, 6, 'south')");
  server_run(store, "INSERT INTO app.meter (id, user_id, region) VALUES (1, 6, 'south'), (2, 5, 'north')");
  // Of both ids there is a row of each transaction; one of each is meant.
  marks[0].txid = tables_txid(store, TABLE_METER, "id = 1 AND region = 'north'");
  marks[1].txid = tables_txid(store, TABLE_METER, "id = 2 AND region = 'north'");
  CHECK(marks[0].txid != marks[1].txid);
  mark(store, TABLE_METER, marks, 2, 2);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM app.meter WHERE is_sent AND sent_at IS NOT NULL"), 2);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM app.meter WHERE region = 'south' AND sent_at IS NULL"), 2);
  mark(store, TABLE_METER, marks, 2, 0);
  tables_drop(store);
  notify_store_destroy(store);
}

static void a_row_that_somebody_holds_is_left(void) {
  notify_store_mark codes[2] = {{.id.text = "a"}, {.id.text = "b"}};
  uint64_t xid = 0;
  bool left[2];
  size_t marked = 0;
  notify_store *store = server_store();
  notify_store *holder = server_store();
  tables_make(store);
  server_run(store, "INSERT INTO app.event (code, person) VALUES ('a', 'Ada'), ('b', 'Ada')");
  codes[0].txid = codes[1].txid = tables_txid(store, TABLE_EVENT, "code = 'a'");
  server_run(holder, "BEGIN; SELECT FROM app.event WHERE code = 'b' FOR UPDATE");
  CHECK_EQUAL(notify_store_mark_sent(store, 3, codes, 2, TIMEOUT_MS, &marked, left, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 1);
  CHECK(!left[0] && left[1]);
  server_run(holder, "ROLLBACK");
  mark(store, TABLE_EVENT, codes, 2, 1);
  tables_drop(store);
  notify_store_destroy(holder);
  notify_store_destroy(store);
}

static void read(notify_store *store, int table, const notify_store_id *ids, const char *const *users, size_t count,
                 size_t wanted) {
  size_t updated = 99;
  CHECK_EQUAL(notify_store_mark_read(store, tables[table].number, ids, users, count, TIMEOUT_MS, &updated),
              NOTIFY_STORE_OK);
  CHECK_EQUAL(updated, wanted);
}

static void what_was_read_is_a_boolean_or_a_time(void) {
  const notify_store_id codes[2] = {{.text = "a"}, {.text = "b"}};
  const notify_store_id uuid = {.text = TABLES_ROW "a"};
  const notify_store_id number = {.number = 1};
  static const char *const people[2] = {"Ada", "Ada"};
  static const char *const user = TABLES_ROW "7";
  static const char *const six = "6";
  notify_store *store = server_store();
  tables_make(store);
  server_run(store,
             "INSERT INTO app.event (code, person) VALUES ('a', 'Ada'), ('b', 'Bob');"
             "INSERT INTO app.\"Alarm \"\"Log\"\"\" (\"Id\", \"the \"\"User\"\"\") "
             "VALUES ('" TABLES_ROW "a', '" TABLES_ROW "7'), ('" TABLES_ROW "b', '" TABLES_ROW
             "7');"
             "INSERT INTO app.meter (id, user_id, region) VALUES (1, 5, 'north'), (1, 6, 'south')");
  read(store, TABLE_EVENT, codes, people, 2, 1);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM app.event WHERE seen AND code = 'a'"), 1);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM app.event WHERE seen"), 1);
  read(store, TABLE_EVENT, codes, people, 2, 0);
  read(store, TABLE_ALARM, &uuid, &user, 1, 1);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM app.\"Alarm \"\"Log\"\"\" WHERE \"readAt\" IS NOT NULL"), 1);
  read(store, TABLE_ALARM, &uuid, &user, 1, 0);
  // The row of another user has the same id.
  read(store, TABLE_METER, &number, &six, 1, 1);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM app.meter WHERE is_read"), 1);
  CHECK_EQUAL(server_number(store, "SELECT user_id FROM app.meter WHERE is_read"), 6);
  tables_drop(store);
  notify_store_destroy(store);
}

static void rows_with_one_id_and_user_are_read_together(void) {
  const notify_store_id number = {.number = 1};
  static const char *const five = "5";
  notify_store *store = server_store();
  tables_make(store);
  server_run(store, "INSERT INTO app.meter (id, user_id, region) VALUES (1, 5, 'north'), (1, 5, 'south')");
  read(store, TABLE_METER, &number, &five, 1, 2);
  tables_drop(store);
  notify_store_destroy(store);
}

static void rows_are_inserted_into_each_table(void) {
  static const char *const users[TABLES] = {"7", "Ada", TABLES_ROW "7", "7"};
  char snapshot[SNAPSHOT_SIZE];
  static table_items got;
  notify_store *store = server_store();
  tables_make(store);
  server_snapshot(store, snapshot);
  for (int i = 0; i < TABLES; i++) {
    char *id = NULL;
    char wanted[200];
    CHECK_EQUAL(notify_store_insert(store, tables[i].number, users[i], "{\"a\": 1}", TIMEOUT_MS, &id), NOTIFY_STORE_OK);
    tables_delta(store, snapshot, &got);
    (void)snprintf(wanted, sizeof wanted, "%d/%s %s %s\n", (int)tables[i].number, id == NULL ? "" : id, users[i],
                   i == TABLE_EVENT ? "{\"title\": \"X\", \"details\": {\"a\": 1}}" : "{\"a\": 1}");
    CHECK_TEXT(got.text, wanted);
    free(id);
  }
  char *id = NULL;
  CHECK_EQUAL(notify_store_insert(store, 9, "Ada", "{}", TIMEOUT_MS, &id), NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "22P02");
  CHECK(id == NULL);
  tables_drop(store);
  notify_store_destroy(store);
}

static void probe(notify_store *store, const notify_store_source *source, const char *sqlstate) {
  notify_store_status status = notify_store_probe(store, source, false, TIMEOUT_MS);
  if (status == NOTIFY_STORE_OK) {
    status = notify_store_probe(store, source, true, TIMEOUT_MS);
  }
  CHECK_EQUAL(status, sqlstate[0] == '\0' ? NOTIFY_STORE_OK : NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, sqlstate);
}

static void a_probe_finds_what_is_missing(void) {
  notify_store *store = server_store();
  tables_make(store);
  for (int i = 0; i < TABLES; i++) {
    probe(store, &tables[i], "");
  }
  notify_store_source source = tables[TABLE_EVENT];
  source.payload = "no_such_function(details)";
  probe(store, &source, "42883");
  source.payload = "details); DROP TABLE app.event; SELECT (1";
  probe(store, &source, "42601");
  // In a replay this would be one of the requests' columns.
  source.payload = "user_text";
  probe(store, &source, "42703");
  server_run(store, "ALTER TABLE app.meter DROP is_sent; ALTER TABLE app.event DROP title");
  probe(store, &tables[TABLE_METER], "42703");
  probe(store, &tables[TABLE_EVENT], "42703");
  server_run(store, "DROP TABLE app.meter");
  probe(store, &tables[TABLE_METER], "42P01");
  tables_drop(store);
  notify_store_destroy(store);
}

static void a_probe_finds_a_right_that_is_missing(void) {
  const notify_store_source *event = &tables[TABLE_EVENT];
  notify_store *store = server_store();
  notify_store *owner = server_store();
  tables_make(owner);
  server_run(owner, "DROP ROLE IF EXISTS probing; CREATE ROLE probing");
  server_run(store, "SET ROLE probing");
  probe(store, event, "42501");
  server_run(owner, "GRANT USAGE ON SCHEMA app TO probing");
  probe(store, event, "42501");
  server_run(owner, "GRANT SELECT (code, person, txid, sent_at, title, details) ON app.event TO probing");
  probe(store, event, "42501");
  server_run(owner, "GRANT UPDATE (sent_at) ON app.event TO probing");
  probe(store, event, "");
  server_run(owner, "REVOKE SELECT (details) ON app.event FROM probing");
  probe(store, event, "42501");
  tables_drop(owner);
  server_run(owner, "DROP ROLE probing");
  notify_store_destroy(owner);
  notify_store_destroy(store);
}

const test server_table_mark_tests[] = {
    {"each table is marked by ids of its kind", each_table_is_marked_by_its_ids},
    {"rows whose ids are not unique are distinguished by their transactions",
     rows_whose_ids_are_not_unique_are_told_apart},
    {"a row that another session holds is left, also where ids are texts", a_row_that_somebody_holds_is_left},
    {"reading sets a boolean or a time, of the user's row only", what_was_read_is_a_boolean_or_a_time},
    {"rows with one id and user are read together", rows_with_one_id_and_user_are_read_together},
    {"rows are inserted into each table", rows_are_inserted_into_each_table},
    {"a probe finds a missing column or table, and an expression that fails", a_probe_finds_what_is_missing},
    {"a probe finds a right that is missing, to read and to mark", a_probe_finds_a_right_that_is_missing},
    {NULL, NULL},
};
