#include <string.h>

#include "internal.h"

// Object ids of the types that this module asks for; they never change.
#define TYPE_BOOL 16
#define TYPE_INT8 20
#define TYPE_INT4 23
#define TYPE_TEXT 25
#define TYPE_TIMESTAMPTZ 1184
#define TYPE_XID8 5069

#define FORMAT_BINARY 1
// From 1970-01-01 to 2000-01-01.
#define POSTGRES_EPOCH_US INT64_C(946684800000000)

bool ns_is_null(ns_answer answer, int column) {
  return answer.pq->is_null(answer.result, 0, column) != 0;
}

static bool is_of_type(ns_answer answer, int column, Oid type) {
  return column < answer.pq->columns(answer.result) && answer.pq->rows(answer.result) > 0 &&
         answer.pq->column_type(answer.result, column) == type &&
         answer.pq->column_format(answer.result, column) == FORMAT_BINARY;
}

// Reads a number of `size` bytes, most significant first.
static bool read_number_at(ns_answer answer, int row, int column, Oid type, int size, uint64_t *out) {
  if (!is_of_type(answer, column, type) || answer.pq->is_null(answer.result, row, column) != 0 ||
      answer.pq->length(answer.result, row, column) != size) {
    return false;
  }
  const char *bytes = answer.pq->value(answer.result, row, column);
  uint64_t number = 0;
  for (int i = 0; i < size; i++) {
    number = number << 8 | (unsigned char)bytes[i];
  }
  *out = number;
  return true;
}

static bool read_number(ns_answer answer, int column, Oid type, int size, uint64_t *out) {
  return read_number_at(answer, 0, column, type, size, out);
}

bool ns_int4(ns_answer answer, int column, int32_t *out) {
  uint64_t number = 0;
  if (!read_number(answer, column, TYPE_INT4, 4, &number)) {
    return false;
  }
  *out = (int32_t)(uint32_t)number;
  return true;
}

bool ns_int8(ns_answer answer, int column, int64_t *out) {
  return ns_int8_at(answer, 0, column, out);
}

bool ns_int8_at(ns_answer answer, int row, int column, int64_t *out) {
  uint64_t number = 0;
  if (!read_number_at(answer, row, column, TYPE_INT8, 8, &number)) {
    return false;
  }
  *out = (int64_t)number;
  return true;
}

bool ns_xid8(ns_answer answer, int column, uint64_t *out) {
  return read_number(answer, column, TYPE_XID8, 8, out);
}

bool ns_bool(ns_answer answer, int column, bool *out) {
  uint64_t number = 0;
  if (!read_number(answer, column, TYPE_BOOL, 1, &number)) {
    return false;
  }
  *out = number != 0;
  return true;
}

bool ns_timestamp(ns_answer answer, int column, bool *has, int64_t *out) {
  uint64_t number = 0;
  *has = false;
  *out = 0;
  if (!is_of_type(answer, column, TYPE_TIMESTAMPTZ)) {
    return false;
  }
  if (ns_is_null(answer, column)) {
    return true;
  }
  if (!read_number(answer, column, TYPE_TIMESTAMPTZ, 8, &number)) {
    return false;
  }
  *has = true;
  int64_t since_2000 = (int64_t)number;
  if (since_2000 == INT64_MIN || since_2000 == INT64_MAX) {
    *out = since_2000;
  } else if (__builtin_add_overflow(since_2000, POSTGRES_EPOCH_US, out)) {
    // The last 29 years before 294277 fit only into PostgreSQL's count. They are not infinity.
    *out = INT64_MAX - 1;
  }
  return true;
}

bool ns_string(ns_answer answer, int column, const char **out, size_t *length) {
  *out = NULL;
  *length = 0;
  if (!is_of_type(answer, column, TYPE_TEXT)) {
    return false;
  }
  if (ns_is_null(answer, column)) {
    return true;
  }
  int bytes = answer.pq->length(answer.result, 0, column);
  if (bytes < 0) {
    return false;
  }
  *out = answer.pq->value(answer.result, 0, column);
  *length = (size_t)bytes;
  return true;
}
