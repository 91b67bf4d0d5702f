// Plans of a table that makes the planner expect the worst: one transaction wrote all its rows.

#include <stdlib.h>

#include "lists.h"
#include "server_tables.h"

#define PLAN_SIZE 20000

static int count(const char *text, const char *part) {
  int found = 0;
  for (; (text = strstr(text, part)) != NULL; text += strlen(part)) {
    found++;
  }
  return found;
}

// The plan of the delta that this connection has prepared, its lines one after another.
static void explain_delta(notify_store *store, char *plan) {
  notify_store_result *result = NULL;
  size_t length = 0;
  CHECK_EQUAL(notify_store_query(store, "EXPLAIN (COSTS off) EXECUTE notify_store_delta('1000000', '{998,999}', 1000)",
                                 0, NULL, TIMEOUT_MS, &result),
              NOTIFY_STORE_OK);
  plan[0] = '\0';
  for (int i = 0; result != NULL && i < notify_store_result_rows(result) && length < PLAN_SIZE; i++) {
    length += (size_t)snprintf(plan + length, PLAN_SIZE - length, "%s\n", notify_store_result_value(result, i, 0));
  }
  notify_store_result_destroy(result);
}

static void check_plan(const char *plan, int served) {
  CHECK_EQUAL(count(plan, "Seq Scan"), 0);
  // The first part of a table has the parameter, as have revocations; the second part has each id of the snapshot.
  CHECK_EQUAL(count(plan, "Index Cond: ((txid >= $1) AND (txid < pg_snapshot_xmax("), served + 1);
  CHECK_EQUAL(count(plan, "Index Cond: ((txid >= xip"), served);
  CHECK_EQUAL(count(plan, "notification_txid_idx"), 2);
  if (check_failures > 0) {
    fprintf(stderr, "%s", plan);
  }
}

static void the_delta_goes_by_the_index_on_txid(void) {
  static table_items got;
  char plan[PLAN_SIZE];
  char snapshot[SNAPSHOT_SIZE];
  const notify_store_source served[2] = {tables[TABLE_OURS], tables[TABLE_EVENT]};
  notify_store *store = server_store();
  tables_make(store);
  server_run(store,
             "INSERT INTO public.notification (user_id, data) SELECT g %% 1000, '{}' FROM generate_series(1, 300000) g;"
             "INSERT INTO app.event (code, person) SELECT g, g %% 10 FROM generate_series(1, 1000) g");
  server_run(store, "ANALYZE public.notification, app.event");
  CHECK_EQUAL(
      server_number(store, "SELECT n_distinct FROM pg_stats WHERE tablename = 'notification' AND attname = 'txid'"), 1);
  CHECK_EQUAL(notify_store_serve(store, NULL, 0), NOTIFY_STORE_OK);
  server_snapshot(store, snapshot);
  CHECK_EQUAL(notify_store_serve(store, served, 1), NOTIFY_STORE_OK);
  tables_delta(store, snapshot, &got);
  explain_delta(store, plan);
  check_plan(plan, 1);
  CHECK_EQUAL(notify_store_serve(store, served, 2), NOTIFY_STORE_OK);
  tables_delta(store, snapshot, &got);
  explain_delta(store, plan);
  check_plan(plan, 2);
  CHECK_EQUAL(got.rows, 0);
  server_run(store, "TRUNCATE public.notification; ANALYZE public.notification");
  tables_drop(store);
  notify_store_destroy(store);
}

// Reads a replay and returns how many rows it took from our table for that; they come by an index, or it fails.
static long long rows_read(notify_store *store, const notify_store_replay_request *request, table_items *out) {
  server_run(store, "BEGIN");
  CHECK_EQUAL(notify_store_replay(store, request, 1, 100, 1000000, TIMEOUT_MS), NOTIFY_STORE_OK);
  tables_read(store, out);
  long long rows = server_number(store,
                                 "SELECT CASE WHEN seq_tup_read = 0 THEN idx_tup_fetch END "
                                 "FROM pg_stat_xact_user_tables WHERE relid = 'public.notification'::regclass");
  server_run(store, "COMMIT");
  return rows;
}

static void a_replay_reads_the_rows_of_its_user(void) {
  static table_items got;
  notify_store *store = server_store();
  server_clean(store);
  // Few users, nearly all rows for two of them; sent before, in many transactions.
  server_run(store,
             "INSERT INTO public.notification (user_id, data, is_sent, sent_at, txid) "
             "SELECT CASE WHEN g %% 1000 = 0 THEN 2 + g / 1000 %% 20 ELSE g %% 2 END, '{}', true, now(), "
             "(3 + g / 200)::text::xid8 FROM generate_series(1, 100000) g");
  server_run(store, "ANALYZE public.notification");
  // Those after `since` are counted, and then the page is read.
  notify_store_replay_request request = {
      .user = "7", .integer = 7, .is_integer = true, .unsent = true, .since = "3:3:", .sent_limit = 50};
  CHECK_EQUAL(rows_read(store, &request, &got), 10);
  CHECK_EQUAL(got.rows, 5);
  // The rows of one with a long history before the lowest txid are not read.
  request =
      (notify_store_replay_request){.user = "1", .integer = 1, .is_integer = true, .unsent = true, .lowest_txid = 499};
  long long rows = rows_read(store, &request, &got);
  CHECK(rows >= 0 && rows <= 1000);
  CHECK_EQUAL(got.rows, 0);
  server_run(store, "TRUNCATE public.notification; ANALYZE public.notification");
  notify_store_destroy(store);
}

const test server_plan_tests[] = {
    {"the delta goes by the index on txid where one transaction wrote all rows", the_delta_goes_by_the_index_on_txid},
    {"a replay reads the rows of its user, where users are few too", a_replay_reads_the_rows_of_its_user},
    {NULL, NULL},
};
