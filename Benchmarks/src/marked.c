// Waits until every row is marked sent: see `usage`.

#include <inttypes.h>
#include <stdio.h>

#include "fail.h"
#include "marks.h"

static const char usage[] =
    "usage: marked URL\n"
    "Prints `ready`, waits until no row of public.notification is unsent, and prints a line of JSON with the instant.\n"
    "Fails when nothing was marked for 30 s.\n";

int main(int count, char **arguments) {
  marks marks = {0};
  if (count != 2) {
    fail("%s", usage);
  }
  marks_begin(&marks, arguments[1], false);
  (void)printf("ready\n");
  (void)fflush(stdout);
  (void)printf("{\"marked_ns\":%" PRId64 "}\n", marks_wait(&marks));
  marks_end(&marks);
  return 0;
}
