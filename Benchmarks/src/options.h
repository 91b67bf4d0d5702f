/// Numbers on the command line.
#ifndef OPTIONS_H
#define OPTIONS_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "fail.h"

/// Reads a whole number from `least` to `most`, or ends the program.
static inline uint64_t option_number(const char *name, const char *text, uint64_t least, uint64_t most) {
  char *end = NULL;
  errno = 0;
  const unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || *text == '-' || value < least || value > most) {
    fail("--%s takes a whole number from %llu to %llu, not %s", name, (unsigned long long)least,
         (unsigned long long)most, text);
  }
  return value;
}

#endif
