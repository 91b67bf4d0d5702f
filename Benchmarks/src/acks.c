#include "acks.h"

#include <string.h>

#include "fail.h"
#include "frame.h"

// The server takes so many ids in a message. An int64 has at most 20 characters, and a comma or bracket follows.
#define ROWS 1000
#define ID_BYTES 21

static const char begin[] = "{\"type\":\"ack\",\"ids\":[";

// The message; before it is room for the frame's header.
static char message[FRAME_HEADER_BYTES + sizeof begin + ROWS * ID_BYTES];
static size_t end;
static unsigned rows;

void acks_note(const char *text, size_t length) {
  const char *comma = memchr(text, ',', length);
  const size_t digits = comma != NULL ? (size_t)(comma - text) : 0;
  if (digits == 0 || digits >= ID_BYTES) {
    fail("a row's id is no integer: %.*s", (int)(length < 40 ? length : 40), text);
  }
  if (rows == 0) {
    end = FRAME_HEADER_BYTES + sizeof begin - 1;
    memcpy(message + FRAME_HEADER_BYTES, begin, sizeof begin - 1);
  }
  memcpy(message + end, text, digits + 1);
  end += digits + 1;
  rows++;
}

bool acks_are_full(void) {
  return rows == ROWS;
}

size_t acks_take(const char **frame) {
  if (rows == 0) {
    return 0;
  }
  rows = 0;
  message[end - 1] = ']';
  message[end++] = '}';
  char header[FRAME_HEADER_BYTES];
  const size_t length = end - FRAME_HEADER_BYTES;
  const size_t size = frame_write_text(length, header);
  *frame = message + FRAME_HEADER_BYTES - size;
  memcpy(message + FRAME_HEADER_BYTES - size, header, size);
  return size + length;
}
