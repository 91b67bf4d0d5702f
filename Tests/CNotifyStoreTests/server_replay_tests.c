#include "lists.h"
#include "server.h"

static items got;

static void replay(notify_store *store, const notify_store_replay_request *requests, size_t count, uint32_t page_rows,
                   uint64_t page_bytes) {
  CHECK_EQUAL(notify_store_replay(store, requests, count, page_rows, page_bytes, TIMEOUT_MS), NOTIFY_STORE_OK);
  server_read(store, &got);
}

// Whether the items are the one request with these flags and then these rows, from `first` on in ascending order.
static void expect(bool truncated, bool more, const int64_t *ids, size_t count) {
  CHECK_EQUAL(got.count, count + 1);
  if (got.count != count + 1) {
    return;
  }
  CHECK_EQUAL(got.rows[0].kind, NOTIFY_STORE_ROW_REQUEST);
  CHECK_EQUAL(got.rows[0].truncated, truncated);
  CHECK_EQUAL(got.rows[0].more, more);
  for (size_t i = 0; i < count; i++) {
    CHECK_EQUAL(got.rows[i + 1].kind, NOTIFY_STORE_ROW_NOTIFICATION);
    CHECK_EQUAL(got.rows[i + 1].id, ids[i]);
  }
}

// Inserts so many rows for user 5, each in a transaction of its own.
static void insert_rows(notify_store *store, int64_t *ids, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ids[i] = server_insert(store, 5, "{}");
  }
}

static void set_sent(notify_store *store, int64_t id) {
  server_run(store, "UPDATE public.notification SET is_sent = true, sent_at = now() WHERE id = %lld", (long long)id);
}

static void pages_end_by_rows(void) {
  int64_t ids[5];
  char snapshot[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  server_clean(store);
  insert_rows(store, ids, 3);
  // Two rows of one transaction, over the end of a page.
  server_run(store, "BEGIN");
  insert_rows(store, ids + 3, 2);
  server_run(store, "COMMIT");
  notify_store_replay_request request = {.user = "5", .integer = 5, .is_integer = true, .unsent = true};
  replay(store, &request, 1, 2, 1000000);
  expect(false, true, ids, 2);
  (void)snprintf(snapshot, sizeof snapshot, "%s", got.snapshot);
  // What comes later belongs to the next delta.
  (void)server_insert(store, 5, "{}");
  request.snapshot = snapshot;
  request.after_txid = got.rows[2].txid;
  request.after_source = 1;
  request.after_id.number = got.rows[2].id;
  replay(store, &request, 1, 2, 1000000);
  expect(false, true, ids + 2, 2);
  request.after_txid = got.rows[2].txid;
  request.after_source = 1;
  request.after_id.number = got.rows[2].id;
  replay(store, &request, 1, 2, 1000000);
  expect(false, false, ids + 4, 1);
  request.after_txid = got.rows[1].txid;
  request.after_id.number = got.rows[1].id;
  replay(store, &request, 1, 2, 1000000);
  expect(false, false, NULL, 0);
  notify_store_destroy(store);
}

static void nobody_has_no_rows(void) {
  int64_t id = 0;
  notify_store *store = server_store();
  server_clean(store);
  insert_rows(store, &id, 1);
  server_run(store, "INSERT INTO public.notification (user_id) VALUES (NULL)");
  const notify_store_replay_request requests[2] = {{.user = NULL, .unsent = true},
                                                   {.user = "5", .integer = 5, .is_integer = true, .unsent = true}};
  replay(store, requests, 2, 10, 1000000);
  CHECK_EQUAL(got.count, 3);
  CHECK_EQUAL(got.rows[0].kind, NOTIFY_STORE_ROW_REQUEST);
  CHECK_EQUAL(got.rows[1].kind, NOTIFY_STORE_ROW_REQUEST);
  CHECK_EQUAL(got.rows[2].id, id);
  notify_store_destroy(store);
}

static void later_pages_have_what_was_marked_meanwhile(void) {
  int64_t ids[4];
  char snapshot[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  server_clean(store);
  insert_rows(store, ids, 4);
  // Sent long before the first page began: nobody wants it.
  server_run(store,
             "UPDATE public.notification SET is_sent = true, sent_at = now() - interval '1 minute' WHERE id = %lld",
             (long long)ids[2]);
  notify_store_replay_request request = {.user = "5", .integer = 5, .is_integer = true, .unsent = true};
  replay(store, &request, 1, 1, 1000000);
  expect(false, true, ids, 1);
  (void)snprintf(snapshot, sizeof snapshot, "%s", got.snapshot);
  // Another device took them.
  set_sent(store, ids[1]);
  set_sent(store, ids[3]);
  request.snapshot = snapshot;
  request.after_txid = got.rows[1].txid;
  request.after_source = 1;
  request.after_id.number = got.rows[1].id;
  const int64_t began_us = got.began_us;
  replay(store, &request, 1, 100, 1000000);
  expect(false, false, NULL, 0);
  request.began_us = began_us;
  replay(store, &request, 1, 100, 1000000);
  const int64_t marked[] = {ids[1], ids[3]};
  expect(false, false, marked, 2);
  notify_store_destroy(store);
}

static void pages_end_by_bytes(void) {
  int64_t ids[3];
  notify_store *store = server_store();
  server_clean(store);
  for (int i = 0; i < 3; i++) {
    // Values that do not compress.
    ids[i] = server_number(store,
                           "INSERT INTO public.notification (user_id, data) SELECT 5, to_jsonb(string_agg("
                           "md5(random()::text), '')) FROM generate_series(1, 3000) RETURNING id");
  }
  const notify_store_replay_request request = {.user = "5", .integer = 5, .is_integer = true, .unsent = true};
  replay(store, &request, 1, 100, 1);
  expect(false, true, ids, 1);
  CHECK(got.rows[1].data_length > 90000);
  // The row that reaches the size exactly is the page's last.
  long long size =
      server_number(store, "SELECT pg_column_size(data) FROM public.notification WHERE id = %lld", (long long)ids[0]);
  replay(store, &request, 1, 100, (uint64_t)size);
  expect(false, true, ids, 1);
  replay(store, &request, 1, 100, (uint64_t)size + 1);
  expect(false, true, ids, 2);
  replay(store, &request, 1, 100, UINT64_MAX);
  expect(false, false, ids, 3);
  server_clean(store);
  notify_store_destroy(store);
}

static void since_gives_what_is_newer(void) {
  int64_t ids[4];
  char since[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  notify_store *early = server_store();
  server_clean(store);
  insert_rows(store, ids, 2);
  set_sent(store, ids[0]);
  // In progress when the cursor is made.
  server_run(early, "BEGIN");
  insert_rows(early, ids + 2, 1);
  (void)server_insert(store, 5, "{}");
  server_run(store, "DELETE FROM public.notification WHERE id > %lld", (long long)ids[2]);
  server_snapshot(store, since);
  server_run(early, "COMMIT");
  insert_rows(store, ids + 3, 1);
  set_sent(store, ids[3]);
  const notify_store_replay_request both = {
      .user = "5", .integer = 5, .is_integer = true, .unsent = true, .since = since, .sent_limit = 1};
  replay(store, &both, 1, 100, 1000000);
  expect(false, false, ids + 1, 3);
  const notify_store_replay_request newer = {.user = "5", .integer = 5, .is_integer = true, .since = since};
  replay(store, &newer, 1, 100, 1000000);
  expect(false, false, ids + 2, 2);
  const notify_store_replay_request nothing = {.user = "5", .integer = 5, .is_integer = true};
  replay(store, &nothing, 1, 100, 1000000);
  expect(false, false, NULL, 0);
  notify_store_destroy(early);
  notify_store_destroy(store);
}

static void too_many_sent_rows_are_truncated(void) {
  int64_t ids[5];
  char since[SNAPSHOT_SIZE];
  notify_store *store = server_store();
  server_clean(store);
  server_snapshot(store, since);
  insert_rows(store, ids, 5);
  for (int i = 0; i < 4; i++) {
    set_sent(store, ids[i]);
  }
  notify_store_replay_request request = {
      .user = "5", .integer = 5, .is_integer = true, .unsent = true, .since = since, .sent_limit = 3};
  replay(store, &request, 1, 100, 1000000);
  expect(true, false, ids + 4, 1);
  request.sent_limit = 4;
  replay(store, &request, 1, 100, 1000000);
  expect(false, false, ids, 5);
  request.sent_limit = 0;
  replay(store, &request, 1, 100, 1000000);
  expect(false, false, ids, 5);
  notify_store_destroy(store);
}

static void is_sent_put_back_does_not_send_again(void) {
  int64_t ids[3];
  notify_store *store = server_store();
  server_clean(store);
  insert_rows(store, ids, 3);
  set_sent(store, ids[0]);
  server_run(store, "UPDATE public.notification SET is_sent = false WHERE id = %lld", (long long)ids[0]);
  server_run(store, "UPDATE public.notification SET is_sent = true WHERE id = %lld", (long long)ids[1]);
  const notify_store_replay_request request = {
      .user = "5", .integer = 5, .is_integer = true, .unsent = true, .since = "1:1:"};
  replay(store, &request, 1, 100, 1000000);
  // The first was sent and is newer than `since`; the second is not for us.
  const int64_t wanted[] = {ids[0], ids[2]};
  expect(false, false, wanted, 2);
  const notify_store_replay_request unsent = {.user = "5", .integer = 5, .is_integer = true, .unsent = true};
  replay(store, &unsent, 1, 100, 1000000);
  expect(false, false, ids + 2, 1);
  notify_store_destroy(store);
}

static void the_lowest_txid_bounds_the_search(void) {
  int64_t ids[3];
  notify_store *store = server_store();
  server_clean(store);
  insert_rows(store, ids, 3);
  const notify_store_replay_request request = {
      .user = "5", .integer = 5, .is_integer = true, .unsent = true, .lowest_txid = server_txid(store, ids[1])};
  replay(store, &request, 1, 100, 1000000);
  expect(false, false, ids + 1, 2);
  notify_store_destroy(store);
}

static void many_requests_are_answered_in_turn(void) {
  enum { COUNT = 300 };
  static notify_store_replay_request requests[COUNT];
  static char users[COUNT][16];
  size_t at = 0;
  notify_store *store = server_store();
  server_clean(store);
  // Users 0, 3, 6 and so on have two rows each, in the order of descending users.
  server_run(store,
             "INSERT INTO public.notification (user_id, data) "
             "SELECT u, '{}' FROM generate_series(0, 299, 3) AS u, generate_series(1, 2) ORDER BY u DESC");
  server_run(store, "INSERT INTO public.notification (user_id, data) VALUES (NULL, '{}')");
  for (int i = 0; i < COUNT; i++) {
    (void)snprintf(users[i], sizeof users[i], "%d", i);
    requests[i] = (notify_store_replay_request){.user = users[i], .integer = i, .is_integer = true, .unsent = true};
  }
  replay(store, requests, COUNT, 1, 1000000);
  for (uint32_t i = 0; i < COUNT && at < got.count; i++) {
    CHECK_EQUAL(got.rows[at].kind, NOTIFY_STORE_ROW_REQUEST);
    CHECK_EQUAL(got.rows[at].request, i);
    CHECK_EQUAL(got.rows[at].more, i % 3 == 0);
    at++;
    if (i % 3 == 0) {
      CHECK_EQUAL(got.rows[at].kind, NOTIFY_STORE_ROW_NOTIFICATION);
      CHECK_EQUAL(got.rows[at].request, i);
      at++;
    }
  }
  CHECK_EQUAL(at, got.count);
  CHECK_EQUAL(at, COUNT + COUNT / 3);
  replay(store, NULL, 0, 1, 1);
  CHECK_EQUAL(got.count, 0);
  CHECK(got.snapshot[0] != '\0');
  server_clean(store);
  notify_store_destroy(store);
}

static void a_snapshot_that_is_none_is_an_error(void) {
  notify_store_row row;
  notify_store *store = server_store();
  const notify_store_replay_request request = {.user = "5", .integer = 5, .is_integer = true, .since = "5:1:,"};
  CHECK_EQUAL(notify_store_replay(store, &request, 1, 1, 1, TIMEOUT_MS), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_next(store, TIMEOUT_MS, &row), NOTIFY_STORE_SERVER_ERROR);
  CHECK_TEXT(notify_store_last_error(store)->sqlstate, "22P02");
  CHECK(!notify_store_last_error(store)->retriable);
  CHECK_EQUAL(server_number(store, "SELECT 42"), 42);
  notify_store_destroy(store);
}

const test server_replay_tests[] = {
    {"pages end by rows, and all are of the first page's snapshot", pages_end_by_rows},
    {"a request for nobody has no rows", nobody_has_no_rows},
    {"later pages have what was marked meanwhile", later_pages_have_what_was_marked_meanwhile},
    {"pages end by bytes, and have one row at least", pages_end_by_bytes},
    {"rows after a cursor come, also those of transactions older than it", since_gives_what_is_newer},
    {"only unsent rows come when too many were sent", too_many_sent_rows_are_truncated},
    {"a row sent once is not unsent again, nor one inserted as sent", is_sent_put_back_does_not_send_again},
    {"the lowest txid bounds the search", the_lowest_txid_bounds_the_search},
    {"many requests are answered in turn, with and without rows", many_requests_are_answered_in_turn},
    {"a text that is no snapshot is an error, and the connection stays usable", a_snapshot_that_is_none_is_an_error},
    {NULL, NULL},
};
