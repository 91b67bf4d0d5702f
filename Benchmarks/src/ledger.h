/// Accounts for every row of a run: which came, which came twice, to the wrong user or out of order; and when.
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "payload.h"

typedef struct ledger ledger;

typedef struct ledger_options {
  uint64_t rows;
  /// How many of them come to these connections; 0 is all.
  uint64_t share;
  /// How many connections each row must reach (devices of its user).
  unsigned devices;
  /// Of the inserter: within one writer's rows the order is checked.
  unsigned writers;
  /// Connections of all users, for the order.
  unsigned connections;
  /// Whether latencies are kept, and of how many rows at the start they are not.
  bool latency;
  uint64_t warm_up;
  /// Whether connections are made again: a row may then come once more on the next one, never twice on one.
  bool repeats;
  /// The inserter's file of instants at which commits returned, or NULL.
  const char *commits;
} ledger_options;

ledger *ledger_create(const ledger_options *options);

/// A row has come on a connection, which is the given device of the given user (0: any user's rows are wanted).
void ledger_receive(ledger *ledger, unsigned connection, unsigned device, uint64_t user, const payload *payload,
                    int64_t now);

/// The connection was made again: what comes on it has a new order.
void ledger_reconnect(ledger *ledger, unsigned connection);

/// How many deliveries came that were expected, each counted once.
uint64_t ledger_received(const ledger *ledger);

bool ledger_is_complete(const ledger *ledger);

/// Prints `,"received":…` and so on, latencies last. True where nothing was lost, doubled, misrouted or out of order.
bool ledger_print(ledger *ledger, FILE *out);

void ledger_destroy(ledger *ledger);

#endif
