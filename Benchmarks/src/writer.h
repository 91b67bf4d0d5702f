/// One writer of rows: a thread with a connection of its own.
#ifndef WRITER_H
#define WRITER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "samples.h"

typedef struct writer_plan {
  const char *url;
  /// Rows of all writers together, a multiple of writers × batch.
  uint64_t rows;
  unsigned writers;
  /// Rows of one statement, which is one transaction.
  unsigned batch;
  /// Statements a second of each writer; 0 is as fast as they go.
  unsigned rate;
  /// Rows are for random users from first_user on, this many.
  uint64_t users;
  uint64_t first_user;
  /// Users one after the other instead.
  bool in_turn;
  /// The number of the run's first row, a multiple of writers.
  uint64_t first_row;
  /// Bytes of text in each row's data.
  unsigned padding;
  /// Where the instant at which row n's commit returned is stored, or NULL.
  int64_t *commits;
} writer_plan;

typedef struct writer {
  const writer_plan *plan;
  pthread_barrier_t *start;
  unsigned index;
  pthread_t thread;
  // Results, to be read after the thread was joined.
  int64_t first_sent;
  int64_t last_returned;
  /// Statements sent more than half an interval late (only with a rate).
  uint64_t late;
  /// How long each INSERT took until its commit returned.
  samples commit_times;
} writer;

/// The thread's function; `argument` is a writer. It connects, waits for the others, and writes its share.
void *writer_run(void *argument);

#endif
