/// What the inserter puts into a row's `data`: {"n": number of the row, "t": when its INSERT was sent, "u": its user},
/// and "z": some text where rows shall be longer.
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_BYTES 96

typedef struct payload {
  /// Rows of a run are numbered from 0; row n was written by writer n % writers.
  uint64_t number;
  int64_t sent;
  uint64_t user;
} payload;

/// Writes the JSON text with so many bytes of text in it and returns its length. `out` has room for PAYLOAD_BYTES more.
int payload_write(const payload *payload, size_t padding, char *out);

/// Reads the text that PostgreSQL makes of it. False where it is anything else.
bool payload_read(const char *text, size_t length, payload *out);

#endif
