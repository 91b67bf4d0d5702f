#include "samples.h"

#include <stdlib.h>

#include "fail.h"

void samples_add(samples *samples, int64_t value) {
  if (samples->count == samples->capacity) {
    samples->capacity = samples->capacity > 0 ? samples->capacity * 2 : 4096;
    samples->values = realloc(samples->values, samples->capacity * sizeof *samples->values);
    if (samples->values == NULL) {
      fail("out of memory");
    }
  }
  samples->values[samples->count++] = value;
}

static int compare(const void *left, const void *right) {
  const int64_t a = *(const int64_t *)left;
  const int64_t b = *(const int64_t *)right;
  return (a > b) - (a < b);
}

// The nearest rank: the smallest value that at least this share of all values does not exceed.
static double microseconds_at(const samples *samples, double share) {
  size_t rank = (size_t)(share * (double)samples->count + 0.999999);
  rank = rank < 1 ? 1 : rank > samples->count ? samples->count : rank;
  return (double)samples->values[rank - 1] / 1e3;
}

void samples_print(samples *samples, const char *name, FILE *out) {
  if (samples->count == 0) {
    return;
  }
  qsort(samples->values, samples->count, sizeof *samples->values, compare);
  (void)fprintf(out, ",\"%s\":{\"count\":%zu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name,
                samples->count, microseconds_at(samples, 0.5), microseconds_at(samples, 0.9),
                microseconds_at(samples, 0.99), microseconds_at(samples, 1));
}

void samples_free(samples *samples) {
  free(samples->values);
  *samples = (struct samples){0};
}
