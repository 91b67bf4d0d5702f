/// The statement that finds what was committed since a snapshot, as the bridge asks it.
#ifndef DELTA_H
#define DELTA_H

#include <stdbool.h>

#include "database.h"
#include "payload.h"

/// A snapshot as the delta's two parameters, in text.
typedef struct delta_position {
  char xmax[24];
  /// An array literal; writers of a benchmark are few.
  char in_progress[4096];
} delta_position;

void delta_prepare(PGconn *connection);

/// Reads `pg_snapshot` text (xmin:xmax:xip,…), or ends the program.
void delta_position_read(delta_position *position, const char *snapshot);

/// Rows that the position's snapshot did not see, and moves the position on. The answer (caller clears) has the
/// snapshot as its first row; `delta_payload` reads the others.
PGresult *delta_fetch(PGconn *connection, delta_position *position);

/// Reads a row's data, or ends the program. False where the row is none of a notification.
bool delta_payload(const PGresult *rows, int row, payload *out);

#endif
