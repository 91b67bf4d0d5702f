/// Every measured value, kept: percentiles are exact.
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct samples {
  int64_t *values;
  size_t count;
  size_t capacity;
} samples;

void samples_add(samples *samples, int64_t value);

/// Prints `,"NAME":{"count":…,"p50":…,"p90":…,"p99":…,"max":…}` in microseconds, of values in nanoseconds.
/// Sorts the values. Prints nothing where there are none.
void samples_print(samples *samples, const char *name, FILE *out);

void samples_free(samples *samples);

#endif
