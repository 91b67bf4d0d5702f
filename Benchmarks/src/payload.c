#include "payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char before_text[] = ", \"z\": \"";

int payload_write(const payload *payload, size_t padding, char *out) {
  int length = snprintf(out, PAYLOAD_BYTES, "{\"n\": %" PRIu64 ", \"t\": %" PRId64 ", \"u\": %" PRIu64, payload->number,
                        payload->sent, payload->user);
  if (padding > 0) {
    length += snprintf(out + length, sizeof before_text, "%s", before_text);
    // Letters that no compression makes vanish.
    uint64_t state = payload->number * 2 + 1;
    for (size_t i = 0; i < padding; i++) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      out[length++] = (char)('a' + (state >> 33) % 26);
    }
    out[length++] = '"';
  }
  out[length++] = '}';
  out[length] = '\0';
  return length;
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
      !read_number(&at, end, ", \"u\": ", &out->user) || at >= end ||
      (*at != '}' &&
       ((size_t)(end - at) < sizeof before_text || memcmp(at, before_text, sizeof before_text - 1) != 0))) {
    return false;
  }
  out->sent = (int64_t)sent;
  return true;
}
