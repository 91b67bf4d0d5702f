#include "marks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "fail.h"

// Along the primary key, from the first row not known to be marked: over a whole run each row is passed about once.
static const char look_sql[] =
    "SELECT id FROM public.notification WHERE id >= $1::bigint AND sent_at IS NULL ORDER BY id LIMIT 1";

void marks_begin(marks *marks, const char *url, bool from_now) {
  marks->connection = database_connect(url, "benchmark watcher");
  PGresult *result = database_query(marks->connection, "SET enable_seqscan = off");
  PQclear(result);
  result = database_query(marks->connection,
                          from_now ? "SELECT coalesce(max(id), 0) + 1 FROM public.notification" : "SELECT 0");
  marks->lowest = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
  marks->progress_instant = clock_now();
  PQclear(result);
  result = PQprepare(marks->connection, "look", look_sql, 0, NULL);
  database_check(marks->connection, result, "preparing to look for unsent rows");
  PQclear(result);
}

bool marks_look(marks *marks) {
  char from[24];
  const char *const values[] = {from};
  (void)snprintf(from, sizeof from, "%" PRId64, marks->lowest);
  PGresult *result = PQexecPrepared(marks->connection, "look", 1, values, NULL, NULL, 0);
  database_check(marks->connection, result, "looking for unsent rows");
  const bool none = PQntuples(result) == 0;
  const int64_t found = none ? marks->lowest : strtoll(PQgetvalue(result, 0, 0), NULL, 10);
  PQclear(result);
  if (found > marks->lowest) {
    marks->lowest = found;
    marks->progress_instant = clock_now();
  }
  return none;
}

int64_t marks_wait(marks *marks) {
  marks->progress_instant = clock_now();
  while (!marks_look(marks)) {
    if (clock_now() - marks->progress_instant > 30 * NANOSECONDS) {
      fail("row %" PRId64 " was not marked within 30 s", marks->lowest);
    }
    clock_sleep_until(clock_now() + 2000000);
  }
  return clock_now();
}

void marks_end(marks *marks) {
  PQfinish(marks->connection);
}
