#include <pthread.h>

#include "lists.h"
#include "server.h"

// Inserts so many rows and names them.
static void insert_rows(notify_store *store, notify_store_mark *marks, size_t count) {
  for (size_t i = 0; i < count; i++) {
    marks[i].id = (notify_store_id){.number = server_insert(store, 5, "{}")};
    marks[i].txid = server_txid(store, marks[i].id.number);
  }
}

static long long count_sent(notify_store *store) {
  return server_number(store, "SELECT count(*) FROM public.notification WHERE is_sent AND sent_at IS NOT NULL");
}

static void marks_once(void) {
  notify_store_mark marks[3];
  uint64_t xid = 0;
  size_t marked = 0;
  bool left[3];
  notify_store *store = server_store();
  server_clean(store);
  insert_rows(store, marks, 3);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, TIMEOUT_MS, &marked, left, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 3);
  CHECK(!left[0] && !left[1] && !left[2]);
  CHECK_EQUAL(count_sent(store), 3);
  CHECK_EQUAL(xid & 0xffffffff, server_number(store, "SELECT xmin FROM public.notification WHERE id = %lld",
                                              (long long)marks[0].id.number));
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, TIMEOUT_MS, &marked, left, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 0);
  CHECK_EQUAL(xid, 0);
  CHECK(!left[0] && !left[1] && !left[2]);
  notify_store_destroy(store);
}

static void both_id_and_txid_must_match(void) {
  notify_store_mark marks[4];
  uint64_t xid = 0;
  size_t marked = 0;
  bool left[4];
  notify_store *store = server_store();
  server_clean(store);
  insert_rows(store, marks, 3);
  // The second pair twice, the third with another transaction.
  marks[3] = marks[1];
  marks[2].txid++;
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 4, TIMEOUT_MS, &marked, left, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 2);
  CHECK(!left[0] && !left[1] && !left[2] && !left[3]);
  CHECK_EQUAL(count_sent(store), 2);
  notify_store_destroy(store);
}

static void locked_rows_are_left_for_later(void) {
  notify_store_mark marks[3];
  uint64_t xid = 0;
  size_t marked = 0;
  bool left[3];
  notify_store *store = server_store();
  notify_store *second = server_store();
  notify_store *holder = server_store();
  server_clean(store);
  insert_rows(store, marks, 3);
  server_run(holder, "BEGIN");
  server_run(holder, "SELECT FROM public.notification WHERE id = %lld FOR UPDATE", (long long)marks[1].id.number);
  CHECK_EQUAL(notify_store_mark_sent(store, 1, marks, 3, TIMEOUT_MS, &marked, left, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 2);
  CHECK(!left[0] && left[1] && !left[2]);
  CHECK_EQUAL(notify_store_mark_sent(second, 1, marks, 3, TIMEOUT_MS, &marked, left, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 0);
  CHECK(!left[0] && left[1] && !left[2]);
  server_run(holder, "ROLLBACK");
  CHECK_EQUAL(notify_store_mark_sent(second, 1, marks, 3, TIMEOUT_MS, &marked, left, &xid), NOTIFY_STORE_OK);
  CHECK_EQUAL(marked, 1);
  CHECK(!left[1]);
  CHECK_EQUAL(count_sent(store), 3);
  notify_store_destroy(holder);
  notify_store_destroy(second);
  notify_store_destroy(store);
}

#define BATCH 500
#define ROUNDS 10

typedef struct marker {
  pthread_t thread;
  notify_store_mark marks[BATCH];
  size_t marked;
  int failures;
} marker;

static void *mark_until_none_is_left(void *argument) {
  static _Thread_local bool left[BATCH];
  marker *one = argument;
  notify_store *store = server_store();
  bool some_left = true;
  while (some_left && one->failures == 0) {
    size_t marked = 0;
    uint64_t xid = 0;
    one->failures +=
        notify_store_mark_sent(store, 1, one->marks, BATCH, TIMEOUT_MS, &marked, left, &xid) != NOTIFY_STORE_OK;
    one->marked += marked;
    some_left = memchr(left, true, sizeof left) != NULL;
  }
  notify_store_destroy(store);
  return NULL;
}

static void two_stores_mark_each_row_once(void) {
  static marker markers[2];
  notify_store *store = server_store();
  for (int round = 0; round < ROUNDS; round++) {
    memset(markers, 0, sizeof markers);
    server_clean(store);
    server_run(store, "INSERT INTO public.notification (user_id) SELECT 5 FROM generate_series(1, %d)", BATCH);
    int64_t first = server_number(store, "SELECT min(id) FROM public.notification");
    uint64_t txid = server_txid(store, first);
    for (int i = 0; i < BATCH; i++) {
      // One forwards, one backwards.
      markers[0].marks[i].id.number = first + i;
      markers[1].marks[i].id.number = first + BATCH - 1 - i;
      markers[0].marks[i].txid = markers[1].marks[i].txid = txid;
    }
    for (int i = 0; i < 2; i++) {
      CHECK_EQUAL(pthread_create(&markers[i].thread, NULL, mark_until_none_is_left, &markers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
      CHECK_EQUAL(pthread_join(markers[i].thread, NULL), 0);
      CHECK_EQUAL(markers[i].failures, 0);
    }
    CHECK_EQUAL(markers[0].marked + markers[1].marked, BATCH);
    CHECK_EQUAL(count_sent(store), BATCH);
  }
  server_clean(store);
  notify_store_destroy(store);
}

static void marks_read_what_belongs_to_the_user(void) {
  notify_store_mark rows[2];
  static const char *const users[3] = {"5", "6", "5"};
  size_t updated = 0;
  notify_store *store = server_store();
  server_clean(store);
  insert_rows(store, rows, 2);
  const notify_store_id ids[3] = {rows[0].id, rows[1].id, rows[0].id};
  CHECK_EQUAL(notify_store_mark_read(store, 1, ids, users, 3, TIMEOUT_MS, &updated), NOTIFY_STORE_OK);
  CHECK_EQUAL(updated, 1);
  CHECK_EQUAL(server_number(store, "SELECT id FROM public.notification WHERE is_read AND read_at IS NOT NULL"),
              ids[0].number);
  CHECK_EQUAL(server_number(store, "SELECT count(*) FROM public.notification WHERE is_read"), 1);
  CHECK_EQUAL(notify_store_mark_read(store, 1, ids, users, 3, TIMEOUT_MS, &updated), NOTIFY_STORE_OK);
  CHECK_EQUAL(updated, 0);
  server_clean(store);
  notify_store_destroy(store);
}

const test server_mark_tests[] = {
    {"a row is marked once, and the commit's id is returned", marks_once},
    {"both id and txid must match, and duplicates are no harm", both_id_and_txid_must_match},
    {"rows that another session holds are left, and marked later", locked_rows_are_left_for_later},
    {"two stores at once mark each row once", two_stores_mark_each_row_once},
    {"reading is marked only for the row's user", marks_read_what_belongs_to_the_user},
    {NULL, NULL},
};
