// Stores connected to the server that NOTIFY_STORE_TEST_DATABASE names, whose schema is migrated.

#ifndef SERVER_H
#define SERVER_H

#include "check.h"
#include "notify_store.h"

#define TIMEOUT_MS 20000
#define ROWS_MAX 4096
#define SNAPSHOT_SIZE 4096

// What a stream gave. Texts are not kept, but for the snapshot.
typedef struct items {
  size_t count;
  notify_store_row rows[ROWS_MAX];
  char snapshot[SNAPSHOT_SIZE];
  // Of a replay: when its statement began.
  int64_t began_us;
  notify_store_status end;
} items;

// The connection string under test.
const char *server_conninfo(void);
notify_store *server_store(void);
// Runs statements and checks that they succeed.
void server_run(notify_store *store, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A statement's one value as a number, or -1.
long long server_number(notify_store *store, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A statement's one value as text.
void server_text(notify_store *store, char *out, size_t size, const char *sql);
// Empties the table, and keeps the ids going up.
void server_clean(notify_store *store);
// Inserts a row for a user and returns its id.
int64_t server_insert(notify_store *store, long long user, const char *data);
// The txid column of a row.
uint64_t server_txid(notify_store *store, int64_t id);

// Reads the stream that was started last to its end.
void server_read(notify_store *store, items *out);
// The snapshot of now, as text of SNAPSHOT_SIZE.
void server_snapshot(notify_store *store, char *out);
// The xmax of a snapshot; `xip` receives up to 64 ids.
uint64_t server_snapshot_parts(const char *snapshot, uint64_t xip[64], size_t *count);
// Reads a delta since this snapshot, and puts the new one into its place.
void server_delta(notify_store *store, char *snapshot, items *out);

#endif
