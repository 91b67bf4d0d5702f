/// Ending a benchmark program that can't go on.
#ifndef FAIL_H
#define FAIL_H

#include <stdlib.h>

/// Prints one line on stderr and exits with status 1.
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

/// calloc that doesn't return NULL.
static inline void *allocate(size_t count, size_t size) {
  void *memory = calloc(count > 0 ? count : 1, size);
  if (memory == NULL) {
    fail("out of memory");
  }
  return memory;
}

#endif
