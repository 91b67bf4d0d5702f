#include <inttypes.h>
#include <stdio.h>
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

void ns_text_add(ns_text *text, const char *more) {
  size_t length = strlen(more);
  if (reserve(text, length)) {
    memcpy(text->bytes + text->length, more, length + 1);
    text->length += length;
  }
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

void ns_array_add_int64(ns_text *array, int64_t value) {
  char digits[24];
  (void)snprintf(digits, sizeof digits, "%" PRId64, value);
  ns_array_add(array, digits);
}

void ns_array_add_uint64(ns_text *array, uint64_t value) {
  char digits[24];
  (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
  ns_array_add(array, digits);
}

void ns_array_end(ns_text *array) {
  ns_text_add(array, "}");
}
