// Prints every new notification of a database and marks it sent: cc -ISources/CNotifyStore/include … -lpq
#include <notify_store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(notify_store *store, notify_store_status status) {
  if (status != NOTIFY_STORE_OK) {
    fprintf(stderr, "%s\n", notify_store_last_error(store)->message);
    exit(1);
  }
}

// Prints the rows that `snapshot` did not show, marks them, and moves `snapshot` on. Returns how many they were.
static size_t deliver(notify_store *store, char *snapshot, size_t size) {
  notify_store_mark marks[1000];
  uint64_t xip[1000], xmax = 0, xid = 0;
  size_t count = 0, xips = 0, marked = 0;
  bool left[1000];
  notify_store_row row;
  notify_store_status status;
  char *rest = snapshot + strcspn(snapshot, ":");  // xmin:xmax:xip,xip
  for (xmax = strtoull(rest + 1, &rest, 10); rest[0] != '\0' && rest[1] != '\0' && xips < 1000; xips++) {
    xip[xips] = strtoull(rest + 1, &rest, 10);
  }
  need(store, notify_store_delta(store, xmax, xip, xips, 5000));
  while ((status = notify_store_next(store, 5000, &row)) == NOTIFY_STORE_OK && count < 1000) {
    if (row.kind == NOTIFY_STORE_ROW_SNAPSHOT) {
      snprintf(snapshot, size, "%.*s", (int)row.data_length, row.data);
    } else if (row.kind == NOTIFY_STORE_ROW_NOTIFICATION) {
      printf("%lld user=%.*s data=%.*s\n", (long long)row.id, (int)row.user_length, row.user ? row.user : "",
             (int)row.data_length, row.data ? row.data : "");
      marks[count++] = (notify_store_mark){.id.number = row.id, .txid = row.txid};
    }
  }
  need(store, status == NOTIFY_STORE_END ? NOTIFY_STORE_OK : status);
  need(store, notify_store_mark_sent(store, 1, marks, count, 5000, &marked, left, &xid));
  fflush(stdout);
  return count;
}

// Arguments: a connection string, the channel of the doorbell, and after how many rows to end (0: never).
int main(int argc, char **argv) {
  static char snapshot[65536];
  notify_store *store = NULL;
  notify_store_result *now = NULL;
  unsigned events, doorbells;
  size_t total = 0, wanted = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
  if (argc < 3 || notify_store_create(NULL, &store) != NOTIFY_STORE_OK) {
    return 1;
  }
  need(store, notify_store_connect(store, argv[1], "example", 5000));
  need(store, notify_store_listen(store, argv[2], 5000));
  need(store, notify_store_query(store, "SELECT pg_current_snapshot()", 0, NULL, 5000, &now));
  snprintf(snapshot, sizeof snapshot, "%s", notify_store_result_value(now, 0, 0));
  notify_store_result_destroy(now);
  for (puts("ready"), fflush(stdout); wanted == 0 || total < wanted;) {
    need(store, notify_store_wait(store, 1000, &events, &doorbells));
    total += deliver(store, snapshot, sizeof snapshot);
  }
  notify_store_destroy(store);
}
