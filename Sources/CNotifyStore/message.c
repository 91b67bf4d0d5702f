#include <string.h>

#include "internal.h"

// Of a line: control characters become blanks.
static bool is_blank(char byte) {
  return (unsigned char)byte <= 0x20 || byte == 0x7f;
}

void ns_copy_line(char *out, size_t size, const char *text, size_t length) {
  size_t used = 0;
  size_t at = 0;
  while (at < length && is_blank(text[at])) {
    at++;
  }
  for (; at < length && used + 1 < size; at++) {
    out[used++] = is_blank(text[at]) ? ' ' : text[at];
  }
  if (at < length) {
    // Cut: give up the bytes of a character that did not fit whole.
    while (used > 0 && ((unsigned char)text[at] & 0xc0) == 0x80) {
      used--;
      at--;
    }
  }
  while (used > 0 && out[used - 1] == ' ') {
    used--;
  }
  out[used] = '\0';
}

void ns_set_sqlstate(char out[NS_SQLSTATE_SIZE], const char *sqlstate) {
  // `out` may be what `sqlstate` points to.
  if (sqlstate == NULL || strlen(sqlstate) != NS_SQLSTATE_SIZE - 1) {
    memset(out, 0, NS_SQLSTATE_SIZE);
  } else {
    memmove(out, sqlstate, NS_SQLSTATE_SIZE);
  }
}

static bool is_sqlstate(const char *text) {
  for (int i = 0; i < NS_SQLSTATE_SIZE - 1; i++) {
    if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z'))) {
      return false;
    }
  }
  return true;
}

// Finds the SQLSTATE in a line of verbose libpq text: after a colon and two blanks, whatever the language of the
// severity before them, and followed by a colon and a blank. Returns its place, or NULL.
static const char *find_sqlstate(const char *line, size_t length) {
  const size_t tail = NS_SQLSTATE_SIZE - 1 + 2;
  for (size_t at = 0; at + 3 + tail <= length; at++) {
    const char *place = line + at + 3;
    if (memcmp(line + at, ":  ", 3) == 0 && is_sqlstate(place) && memcmp(place + NS_SQLSTATE_SIZE - 1, ": ", 2) == 0) {
      return place;
    }
  }
  return NULL;
}

// Copies a line without its SQLSTATE: "FATAL:  28P01: no" becomes "FATAL: no".
static void copy_without_sqlstate(char *out, size_t size, const char *line, size_t length, const char *place) {
  size_t head = (size_t)(place - line) - 2;
  const char *rest = place + NS_SQLSTATE_SIZE - 1 + 2;
  ns_copy_line(out, size, line, head);
  size_t used = strlen(out);
  if (used + 2 < size) {
    out[used++] = ' ';
    ns_copy_line(out + used, size - used, rest, length - (size_t)(rest - line));
    // With nothing behind it the blank would end the line.
    if (out[used] == '\0') {
      out[used - 1] = '\0';
    }
  }
}

void ns_digest(const char *text, char *message, size_t size, char sqlstate[NS_SQLSTATE_SIZE]) {
  ns_set_sqlstate(sqlstate, NULL);
  message[0] = '\0';
  // Where several hosts were tried, the last one that answered tells most: libpq goes on to the next host only after a
  // failure that says nothing about the caller's rights. Where none answered, the last one's failure stands for all.
  // After an answer, further lines are its LOCATION, DETAIL and the like.
  while (text != NULL && *text != '\0') {
    size_t length = strcspn(text, "\n");
    const char *place = find_sqlstate(text, length);
    if (place != NULL) {
      memcpy(sqlstate, place, NS_SQLSTATE_SIZE - 1);
      copy_without_sqlstate(message, size, text, length, place);
    } else if (sqlstate[0] == '\0' && length > 0 && text[0] != '\t') {
      // An indented line is advice that belongs to the one before.
      ns_copy_line(message, size, text, length);
    }
    text += length;
    text += *text == '\n' ? 1 : 0;
  }
}
