// Tables of other kinds than ours, as backends have them.

#ifndef SERVER_TABLES_H
#define SERVER_TABLES_H

#include "server.h"

// The places of the tables in `tables`.
enum {
  // public.notification.
  TABLE_OURS,
  // Ids and recipients are texts, ids in an order of people; no column says when a row was made or that it was sent.
  TABLE_EVENT,
  // Ids and recipients are uuids, payloads are json, names need quotes.
  TABLE_ALARM,
  // Partitioned; an id names no row by itself.
  TABLE_METER,
  TABLES,
};

extern const notify_store_source tables[TABLES];

// Makes the tables anew, empties ours, and serves all.
void tables_make(notify_store *store);
void tables_drop(notify_store *store);

#define TABLES_ROW "00000000-0000-0000-0000-00000000000"
#define TABLES_TEXT_SIZE 8192

// What a stream gave, each item in a line: "source/id user data" of a row, "request truncated more" and so on.
typedef struct table_items {
  char text[TABLES_TEXT_SIZE];
  char snapshot[SNAPSHOT_SIZE];
  // Of the last row.
  uint64_t txid;
  int32_t source;
  int64_t id;
  char id_text[100];
  size_t rows;
  bool more;
  bool truncated;
  bool has_created_at;
} table_items;

// Reads the stream that was started last to its end.
void tables_read(notify_store *store, table_items *out);
// Reads a delta since this snapshot, and puts the new one into its place.
void tables_delta(notify_store *store, char *snapshot, table_items *out);
// A row's transaction: of the one that this condition names.
uint64_t tables_txid(notify_store *store, int table, const char *condition);

#endif
