/// Reading rows by their keys, where a payload of some row fails or is slow: each such row is found, the others are
/// read.
///
/// The streams that start here are read by `notify_store_next`.

#ifndef NOTIFY_STORE_KEYS_H
#define NOTIFY_STORE_KEYS_H

#include "notify_store.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Reads the keys of the rows that a delta would read, without their payloads, into a cursor of the session. It
/// replaces the cursor of an earlier delta. Fetch them with `notify_store_fetch_keys`.
NOTIFY_STORE_CHECKED notify_store_status notify_store_delta_keys(notify_store *store, uint64_t xmax,
                                                                 const uint64_t *xip, size_t xip_count, int timeout_ms);

/// Starts to read the next items of the delta whose keys were read last: its snapshot, revocations, then rows without
/// `data` and `created_at_us`. Read them with `notify_store_next`. Fewer than `count` are the last ones.
NOTIFY_STORE_CHECKED notify_store_status notify_store_fetch_keys(notify_store *store, uint32_t count, int timeout_ms);

/// The key of a row.
typedef struct notify_store_key {
  int32_t source;
  notify_store_id id;
  uint64_t txid;
} notify_store_key;

/// Starts to read rows by their keys, with a snapshot of its own. Read them with `notify_store_next`: one item for each
/// key, in the order of the keys, with the key's index in `request`, and without `source`, id and `txid`.
///
/// Rows are made one after the other. Where `notify_store_next` returns SERVER_ERROR, the first key without an item is
/// the one whose row can't be read; read the keys after it with another call. A row that does not come in time ends the
/// statement likewise, with 57014, after the rows that were made before it. The server sends small rows several at a
/// time, so the time of one row is known only where it is the first one.
NOTIFY_STORE_CHECKED notify_store_status notify_store_rows(notify_store *store, const notify_store_key *keys,
                                                           size_t count, int timeout_ms);

/// As `notify_store_replay`, with rows that have no `data` and no `created_at_us`. Their number alone ends a page.
NOTIFY_STORE_CHECKED notify_store_status notify_store_replay_keys(notify_store *store,
                                                                  const notify_store_replay_request *requests,
                                                                  size_t count, uint32_t page_rows, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
