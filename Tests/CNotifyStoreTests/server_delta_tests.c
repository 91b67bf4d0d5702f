#include <stdlib.h>

#include "lists.h"
#include "notify_store_keys.h"
#include "server.h"

static items got;

static void a_delta_has_what_was_committed_since(void) {
  char snapshot[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  notify_store *early = server_store();
  notify_store *late = server_store();
  server_clean(store);
  (void)server_insert(store, 1, "{}");
  server_snapshot(store, snapshot);
  server_delta(store, snapshot, &got);
  CHECK_EQUAL(got.count, 0);
  // The earlier transaction commits last.
  server_run(early, "BEGIN");
  int64_t first = server_insert(early, 1, "{\"n\": 1}");
  int64_t second = server_insert(late, 2, "{\"n\": 2}");
  server_delta(store, snapshot, &got);
  CHECK_EQUAL(got.count, 1);
  CHECK_EQUAL(got.rows[0].id, second);
  CHECK(strchr(strchr(snapshot, ':') + 1, ':')[1] != '\0');
  server_delta(store, snapshot, &got);
  CHECK_EQUAL(got.count, 0);
  server_run(early, "COMMIT");
  server_delta(store, snapshot, &got);
  CHECK_EQUAL(got.count, 1);
  CHECK_EQUAL(got.rows[0].id, first);
  CHECK(got.rows[0].has_created_at);
  CHECK_EQUAL(got.rows[0].created_at_us,
              server_number(store,
                            "SELECT (extract(epoch FROM created_at) * 1000000)::int8 FROM public.notification "
                            "WHERE id = %lld",
                            (long long)first));
  CHECK_EQUAL(got.rows[0].txid, server_txid(store, first));
  server_delta(store, snapshot, &got);
  CHECK_EQUAL(got.count, 0);
  notify_store_destroy(late);
  notify_store_destroy(early);
  notify_store_destroy(store);
}

static void rolled_back_rows_never_come(void) {
  char snapshot[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  notify_store *writer = server_store();
  server_clean(store);
  server_snapshot(store, snapshot);
  server_run(writer, "BEGIN");
  (void)server_insert(writer, 1, "{}");
  server_delta(store, snapshot, &got);
  server_run(writer, "ROLLBACK");
  server_delta(store, snapshot, &got);
  CHECK_EQUAL(got.count, 0);
  server_run(writer, "BEGIN");
  int64_t kept = server_insert(writer, 1, "{}");
  server_run(writer, "SAVEPOINT s");
  (void)server_insert(writer, 1, "{}");
  server_run(writer, "ROLLBACK TO s");
  int64_t after = server_insert(writer, 1, "{}");
  server_delta(store, snapshot, &got);
  CHECK_EQUAL(got.count, 0);
  server_run(writer, "COMMIT");
  server_delta(store, snapshot, &got);
  CHECK_EQUAL(got.count, 2);
  CHECK_EQUAL(got.rows[0].id, kept);
  CHECK_EQUAL(got.rows[1].id, after);
  notify_store_destroy(writer);
  notify_store_destroy(store);
}

static void what_is_not_for_us_never_comes(void) {
  char snapshot[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  server_clean(store);
  server_snapshot(store, snapshot);
  server_run(store, "INSERT INTO public.notification (user_id, is_sent) VALUES (1, true)");
  server_run(store,
             "SET session_replication_role = replica; INSERT INTO public.notification (user_id, txid) "
             "VALUES (1, NULL); RESET session_replication_role");
  int64_t sent = server_number(store,
                               "INSERT INTO public.notification (user_id, is_sent, sent_at) "
                               "VALUES (1, true, now()) RETURNING id");
  server_delta(store, snapshot, &got);
  CHECK_EQUAL(got.count, 1);
  CHECK_EQUAL(got.rows[0].id, sent);
  notify_store_destroy(store);
}

static void transactions_are_ordered_as_numbers(void) {
  char snapshot[SNAPSHOT_SIZE] = "3:3:";
  notify_store *store = server_store();
  server_clean(store);
  // The last one is of a cluster that has counted further.
  server_run(store,
             "ALTER TABLE public.notification DISABLE TRIGGER notify_bridge_txid; "
             "INSERT INTO public.notification (id, user_id, txid) OVERRIDING SYSTEM VALUE VALUES "
             "(-1, 1, '102'), (-2, 1, '98'), (-3, 1, '102'), (-4, 1, '100000000002'); "
             "ALTER TABLE public.notification ENABLE ALWAYS TRIGGER notify_bridge_txid");
  server_delta(store, snapshot, &got);
  CHECK_EQUAL(got.count, 3);
  CHECK_EQUAL(got.rows[0].id, -2);
  CHECK_EQUAL(got.rows[1].id, -3);
  CHECK_EQUAL(got.rows[2].id, -1);
  server_clean(store);
  notify_store_destroy(store);
}

static void nulls_and_large_rows_come_whole(void) {
  enum { SIZE = 5 * 1000 * 1000 };
  notify_store_row row;
  char snapshot[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  server_clean(store);
  server_snapshot(store, snapshot);
  uint64_t xmax = strtoull(strchr(snapshot, ':') + 1, NULL, 10);
  server_run(store, "INSERT INTO public.notification (user_id, data) VALUES (NULL, NULL)");
  server_run(store, "INSERT INTO public.notification (user_id, data) VALUES (-7, to_jsonb(repeat('ü', %d)))", SIZE / 2);
  server_run(store, "INSERT INTO public.notification (user_id, data, created_at) VALUES (8, 'null', 'infinity')");
  CHECK_EQUAL(notify_store_delta(store, xmax, NULL, 0, TIMEOUT_MS), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(row.kind, NOTIFY_STORE_ROW_SNAPSHOT);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_OK);
  CHECK(row.user == NULL && row.data == NULL && row.data_length == 0);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_OK);
  CHECK(row.user_length == 2 && memcmp(row.user, "-7", 2) == 0);
  CHECK_EQUAL(row.data_length, SIZE + 2);
  CHECK(row.data[0] == '"' && row.data[SIZE + 1] == '"' && memcmp(row.data + SIZE - 1, "ü", 2) == 0);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_OK);
  CHECK(row.data_length == 4 && memcmp(row.data, "null", 4) == 0);
  CHECK_EQUAL(row.created_at_us, INT64_MAX);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_END);
  server_clean(store);
  notify_store_destroy(store);
}

// Reads rows by their keys as callers do, and returns how many statements that took.
static int read_by_keys(notify_store *store, const notify_store_key *keys, size_t count, int kinds[], int *failed) {
  notify_store_row row;
  size_t answered = 0;
  int statements = 0;
  while (answered < count) {
    size_t first = answered;
    statements++;
    CHECK_EQUAL(notify_store_rows(store, keys + first, count - first, TIMEOUT_MS), NOTIFY_STORE_OK);
    notify_store_status status;
    while ((status = notify_store_next(store, TIMEOUT_MS, &row)) == NOTIFY_STORE_OK) {
      CHECK_EQUAL(row.request, answered - first);
      kinds[answered++] = row.kind;
    }
    if (status != NOTIFY_STORE_END) {
      CHECK_EQUAL(status, NOTIFY_STORE_SERVER_ERROR);
      kinds[answered++] = -1;
      (*failed)++;
    }
  }
  return statements;
}

static void a_row_that_fails_is_the_first_without_an_answer(void) {
  enum { ROWS = 3000 };
  static notify_store_key keys[ROWS];
  static int kinds[ROWS];
  notify_store_row row;
  char snapshot[SNAPSHOT_SIZE];
  int failed = 0;
  int count = 0;
  static const notify_store_source failing = {.number = 1,
                                              .relation = "public.notification",
                                              .id = "id",
                                              .recipient = "user_id",
                                              .txid = "txid",
                                              .sent_at = "sent_at",
                                              .payload =
                                                  "CASE WHEN n.id % 100 = 50 THEN to_jsonb(1 / (n.id % 50)) "
                                                  "ELSE to_jsonb(repeat('x', 1000)) END",
                                              .has_unique_id = true};
  notify_store *store = server_store();
  server_clean(store);
  CHECK_EQUAL(notify_store_serve(store, &failing, 1), NOTIFY_STORE_OK);
  server_snapshot(store, snapshot);
  uint64_t xmax = strtoull(strchr(snapshot, ':') + 1, NULL, 10);
  server_run(store,
             "INSERT INTO public.notification (id, user_id) OVERRIDING SYSTEM VALUE "
             "SELECT g + 1000000, 1 FROM generate_series(1, %d) g",
             ROWS);
  server_run(store, "DELETE FROM public.notification WHERE id = 1000007");
  CHECK_EQUAL(notify_store_delta(store, xmax, NULL, 0, TIMEOUT_MS), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_SERVER_ERROR);
  CHECK_EQUAL(notify_store_delta_keys(store, xmax, NULL, 0, TIMEOUT_MS), NOTIFY_STORE_OK);
  server_run(store, "DELETE FROM public.notification WHERE id = 1000008");
  for (bool is_last = false; !is_last;) {
    int before = count;
    CHECK_EQUAL(notify_store_fetch_keys(store, 1000, TIMEOUT_MS), NOTIFY_STORE_OK);
    while (notify_store_next(store, TIMEOUT_MS, &row) == NOTIFY_STORE_OK) {
      if (row.kind == NOTIFY_STORE_ROW_NOTIFICATION && count < ROWS) {
        CHECK(row.data == NULL && row.user_length == 1);
        keys[count++] = (notify_store_key){.source = row.source, .id = {.number = row.id}, .txid = row.txid};
      }
    }
    is_last = count - before < 999;
  }
  CHECK_EQUAL(count, ROWS - 1);
  CHECK_EQUAL(read_by_keys(store, keys, (size_t)count, kinds, &failed), 31);
  CHECK_EQUAL(failed, 30);
  for (int i = 0; i < count; i++) {
    int wanted = keys[i].id.number == 1000008    ? NOTIFY_STORE_ROW_GONE
                 : keys[i].id.number % 100 == 50 ? -1
                                                 : NOTIFY_STORE_ROW_NOTIFICATION;
    CHECK_EQUAL(kinds[i], wanted);
  }
  notify_store_set_row_bytes(store, 1001);
  failed = 0;
  (void)read_by_keys(store, keys, 3, kinds, &failed);
  CHECK_EQUAL(kinds[0], NOTIFY_STORE_ROW_UNREADABLE);
  server_clean(store);
  notify_store_destroy(store);
}

static void a_text_that_is_too_long_is_not_sent(void) {
  static const int kinds[] = {NOTIFY_STORE_ROW_SNAPSHOT, NOTIFY_STORE_ROW_NOTIFICATION, NOTIFY_STORE_ROW_UNREADABLE,
                              NOTIFY_STORE_ROW_NOTIFICATION};
  notify_store_row row;
  notify_store *store = server_store();
  server_clean(store);
  server_run(store,
             "INSERT INTO public.notification (user_id, data) "
             "VALUES (1, '\"123456\"'), (1, '\"1234567\"'), (1, NULL)");
  notify_store_set_row_bytes(store, 8);
  CHECK_EQUAL(notify_store_delta(store, 0, NULL, 0, TIMEOUT_MS), NOTIFY_STORE_OK);
  for (int i = 0; i < 4; i++) {
    CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_OK);
    CHECK_EQUAL(row.kind, kinds[i]);
    CHECK(i != 2 || (row.data_length == 5 && memcmp(row.data, "54000", 5) == 0));
  }
  CHECK(row.data == NULL);
  server_clean(store);
  notify_store_destroy(store);
}

static void a_statement_in_the_middle_of_a_stream_is_no_harm(void) {
  notify_store_row row;
  notify_store *store = server_store();
  server_clean(store);
  server_run(store, "INSERT INTO public.notification (user_id) SELECT 1 FROM generate_series(1, 5000)");
  CHECK_EQUAL(notify_store_delta(store, 0, NULL, 0, TIMEOUT_MS), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(server_number(store, "SELECT 42"), 42);
  server_clean(store);
  notify_store_destroy(store);
}

#define WRITERS 4
#define STEPS 600

typedef struct writer {
  notify_store *store;
  int depth;
} writer;

// One random step of a writer: begin, insert, savepoint, roll back to it, commit or roll back.
static void step(writer *one) {
  switch (rand() % 6) {
    case 0:
      if (one->depth == 0) {
        server_run(one->store, "BEGIN");
        one->depth = 1;
      }
      break;
    case 1:
      if (one->depth > 0) {
        server_run(one->store, "%s", rand() % 3 == 0 ? "ROLLBACK" : "COMMIT");
        one->depth = 0;
      }
      break;
    case 2:
      if (one->depth > 0) {
        server_run(one->store, "SAVEPOINT s");
        one->depth = 2;
      }
      break;
    case 3:
      if (one->depth == 2) {
        server_run(one->store, "ROLLBACK TO s");
      }
      break;
    default:
      (void)server_insert(one->store, 1, "{}");
      break;
  }
}

static void random_transactions_come_exactly_once(void) {
  static int64_t seen[ROWS_MAX];
  char snapshot[SNAPSHOT_SIZE];
  size_t count = 0;
  writer writers[WRITERS];
  notify_store *store = server_store();
  server_clean(store);
  server_snapshot(store, snapshot);
  for (int i = 0; i < WRITERS; i++) {
    writers[i] = (writer){.store = server_store()};
  }
  srand(20240229);
  for (int i = 0; i < STEPS; i++) {
    step(&writers[rand() % WRITERS]);
    server_delta(store, snapshot, &got);
    for (size_t j = 0; j < got.count && count < ROWS_MAX; j++) {
      seen[count++] = got.rows[j].id;
    }
  }
  for (int i = 0; i < WRITERS; i++) {
    notify_store_destroy(writers[i].store);
  }
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < i; j++) {
      CHECK(seen[i] != seen[j]);
    }
    CHECK_EQUAL(server_number(store, "SELECT count(*) FROM public.notification WHERE id = %lld", (long long)seen[i]),
                1);
  }
  CHECK(count > 50);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM public.notification"), count);
  server_clean(store);
  notify_store_destroy(store);
}

static void the_unsent_of_each_user_are_counted(void) {
  notify_store_row row;
  int users = 0;
  notify_store *store = server_store();
  server_clean(store);
  server_run(store, "ALTER TABLE public.notification DISABLE TRIGGER notify_bridge_txid");
  server_run(store, "INSERT INTO public.notification (user_id, txid) VALUES (5, '1002'), (5, '998'), (6, '7')");
  server_run(store, "SET session_replication_role = replica");
  server_run(store,
             "INSERT INTO public.notification (user_id, is_sent, sent_at, txid) VALUES (5, true, now(), '5'), "
             "(5, false, now(), '5'), (5, true, NULL, '5'), (7, true, now(), '5'), (NULL, false, NULL, '5'), "
             "(8, false, NULL, NULL)");
  server_run(store, "RESET session_replication_role");
  server_run(store, "ALTER TABLE public.notification ENABLE ALWAYS TRIGGER notify_bridge_txid");
  CHECK_EQUAL(notify_store_scan_unsent(store, TIMEOUT_MS), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_OK);
  CHECK_EQUAL(row.kind, NOTIFY_STORE_ROW_SNAPSHOT);
  while (notify_store_next(store, TIMEOUT_MS, &row) == NOTIFY_STORE_OK) {
    CHECK_EQUAL(row.kind, NOTIFY_STORE_ROW_UNSENT);
    CHECK_EQUAL(row.id, row.user[0] == '5' ? 2 : 1);
    CHECK_EQUAL(row.txid, row.user[0] == '5' ? 998 : 7);
    users++;
  }
  CHECK_EQUAL(notify_store_last_error(store)->status, NOTIFY_STORE_OK);
  CHECK_EQUAL(users, 2);
  server_clean(store);
  notify_store_destroy(store);
}

const test server_delta_tests[] = {
    {"a delta has the rows committed since the snapshot", a_delta_has_what_was_committed_since},
    {"rows that were rolled back never come", rolled_back_rows_never_come},
    {"rows inserted as sent and rows without transaction never come", what_is_not_for_us_never_comes},
    {"transactions are ordered as numbers", transactions_are_ordered_as_numbers},
    {"NULLs, infinity and five megabytes come whole", nulls_and_large_rows_come_whole},
    {"where rows are read by their keys, one that fails is the first without an answer",
     a_row_that_fails_is_the_first_without_an_answer},
    {"a text that is too long is not sent", a_text_that_is_too_long_is_not_sent},
    {"a statement in the middle of a stream is no harm", a_statement_in_the_middle_of_a_stream_is_no_harm},
    {"rows of random transactions come exactly once", random_transactions_come_exactly_once},
    {"the unsent rows of each user are counted", the_unsent_of_each_user_are_counted},
    {NULL, NULL},
};
