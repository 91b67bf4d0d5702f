/// Watching from a session of its own until every row is marked sent.
#ifndef MARKS_H
#define MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "database.h"

typedef struct marks {
  PGconn *connection;
  /// The lowest id that was found unsent; all before it are marked. Each look goes on from there.
  int64_t lowest;
  int64_t progress_instant;
} marks;

/// Connects. With `from_now` rows that are there already don't count.
void marks_begin(marks *marks, const char *url, bool from_now);

/// Looks once. True where no visible row is unsent.
bool marks_look(marks *marks);

/// Looks every 2 ms until all are marked, and returns when that was seen. Ends the program when nothing was marked
/// for 30 s.
int64_t marks_wait(marks *marks);

void marks_end(marks *marks);

#endif
