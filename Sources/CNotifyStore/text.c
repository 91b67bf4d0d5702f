#include <string.h>

#include "internal.h"

#define FIRST_CAPACITY 256

void ns_text_begin(ns_text *text, const notify_store_libpq *pq) {
  *text = (ns_text){.pq = pq};
}

static bool reserve(ns_text *text, size_t more) {
  if (text->failed || more > SIZE_MAX / 4 || text->length > SIZE_MAX / 4) {
    text->failed = true;
    return false;
  }
  // One more for the NUL.
  size_t needed = text->length + more + 1;
  if (needed <= text->capacity) {
    return true;
  }
  size_t capacity = text->capacity == 0 ? FIRST_CAPACITY : text->capacity * 2;
  capacity = capacity < needed ? needed : capacity;
  char *bytes = text->pq->allocate(capacity);
  if (bytes == NULL) {
    text->failed = true;
    return false;
  }
  if (text->length > 0) {
    memcpy(bytes, text->bytes, text->length);
  }
  text->pq->deallocate(text->bytes);
  text->bytes = bytes;
  text->capacity = capacity;
  return true;
}

void ns_text_add_bytes(ns_text *text, const char *more, size_t length) {
  if (reserve(text, length)) {
    memcpy(text->bytes + text->length, more, length);
    text->length += length;
    text->bytes[text->length] = '\0';
  }
}

void ns_text_add(ns_text *text, const char *more) {
  ns_text_add_bytes(text, more, strlen(more));
}

static void add_byte(ns_text *text, char byte) {
  if (reserve(text, 1)) {
    text->bytes[text->length++] = byte;
    text->bytes[text->length] = '\0';
  }
}

void ns_text_add_identifier(ns_text *text, const char *name) {
  add_byte(text, '"');
  for (; *name != '\0'; name++) {
    if (*name == '"') {
      add_byte(text, '"');
    }
    add_byte(text, *name);
  }
  add_byte(text, '"');
}

void ns_text_add_literal(ns_text *text, const char *value) {
  add_byte(text, '\'');
  for (; *value != '\0'; value++) {
    if (*value == '\'') {
      add_byte(text, '\'');
    }
    add_byte(text, *value);
  }
  add_byte(text, '\'');
}

void ns_text_free(ns_text *text) {
  text->pq->deallocate(text->bytes);
  text->bytes = NULL;
}

void ns_array_begin(ns_text *array, const notify_store_libpq *pq) {
  ns_text_begin(array, pq);
  ns_text_add(array, "{");
}

void ns_array_add(ns_text *array, const char *element) {
  if (array->length > 1) {
    ns_text_add(array, ",");
  }
  ns_text_add(array, element);
}

// snprintf takes several times as long, and a marking has two numbers for each row.
static void add_number(ns_text *array, bool negative, uint64_t magnitude) {
  char digits[24];
  char *first = digits + sizeof digits - 1;
  *first = '\0';
  do {
    *--first = (char)('0' + magnitude % 10);
    magnitude /= 10;
  } while (magnitude > 0);
  if (negative) {
    *--first = '-';
  }
  ns_array_add(array, first);
}

void ns_array_add_int64(ns_text *array, int64_t value) {
  add_number(array, value < 0, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void ns_array_add_uint64(ns_text *array, uint64_t value) {
  add_number(array, false, value);
}

void ns_array_add_text(ns_text *array, const char *element) {
  if (element == NULL) {
    ns_array_add(array, "NULL");
    return;
  }
  ns_array_add(array, "\"");
  for (; *element != '\0'; element++) {
    if (*element == '"' || *element == '\\') {
      add_byte(array, '\\');
    }
    add_byte(array, *element);
  }
  add_byte(array, '"');
}

void ns_array_end(ns_text *array) {
  ns_text_add(array, "}");
}
