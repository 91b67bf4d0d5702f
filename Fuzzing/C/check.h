// What the C targets share.

#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct input {
  const uint8_t *data;
  size_t size;
} input;

// The next byte; 0 at the end.
static inline uint8_t take(input *in) {
  if (in->size == 0) {
    return 0;
  }
  in->size--;
  return *in->data++;
}

// An invariant: what fails it is a finding, like a crash.
static inline void check(bool holds, const char *invariant) {
  if (!holds) {
    fprintf(stderr, "FAILED: %s\n", invariant);
    abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
