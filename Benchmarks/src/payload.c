#include "payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int payload_write(const payload *payload, char out[PAYLOAD_BYTES]) {
  return snprintf(out, PAYLOAD_BYTES, "{\"n\": %" PRIu64 ", \"t\": %" PRId64 ", \"u\": %" PRIu64 "}", payload->number,
                  payload->sent, payload->user);
}

static bool read_number(const char **at, const char *end, const char *before, uint64_t *out) {
  const size_t length = strlen(before);
  if ((size_t)(end - *at) < length || memcmp(*at, before, length) != 0) {
    return false;
  }
  const char *digit = *at + length;
  const char *first = digit;
  *out = 0;
  while (digit < end && *digit >= '0' && *digit <= '9') {
    *out = *out * 10 + (uint64_t)(*digit++ - '0');
  }
  *at = digit;
  return digit > first && digit - first < 20;
}

bool payload_read(const char *text, size_t length, payload *out) {
  const char *at = text;
  const char *end = text + length;
  uint64_t sent = 0;
  if (!read_number(&at, end, "{\"n\": ", &out->number) || !read_number(&at, end, ", \"t\": ", &sent) ||
      !read_number(&at, end, ", \"u\": ", &out->user) || at + 1 > end || *at != '}') {
    return false;
  }
  out->sent = (int64_t)sent;
  return true;
}
