#include <stdlib.h>

#include "fake_table.h"

#define KEPT_MAX 128

static fake_result *kept[KEPT_MAX];
static int kept_count;

void fake_forget_results(void) {
  for (int i = 0; i < kept_count; i++) {
    free(kept[i]);
  }
  kept_count = 0;
}

static fake_result *keep(fake_result result) {
  CHECK(kept_count < KEPT_MAX);
  fake_result *block = malloc(sizeof *block);
  *block = result;
  kept[kept_count++] = block;
  return block;
}

fake_result *fake_row(void) {
  return keep((fake_result){.status = PGRES_SINGLE_TUPLE, .rows = 1, .format = 1});
}

fake_result *fake_end_of_rows(void) {
  return keep((fake_result){.status = PGRES_TUPLES_OK, .format = 1});
}

fake_result *fake_error(const char *severity, const char *sqlstate, const char *primary) {
  return keep(
      (fake_result){.status = PGRES_FATAL_ERROR, .severity = severity, .sqlstate = sqlstate, .primary = primary});
}

static void add_number(fake_result *result, Oid type, int size, uint64_t number) {
  fake_value *place = &result->values[result->columns++];
  *place = (fake_value){.type = type, .length = size};
  for (int i = 0; i < size; i++) {
    place->bytes[i] = (char)(unsigned char)(number >> (8 * (size - 1 - i)));
  }
}

void fake_add_int4(fake_result *result, int32_t value) {
  add_number(result, FAKE_INT4, 4, (uint32_t)value);
}

void fake_add_int8(fake_result *result, int64_t value) {
  add_number(result, FAKE_INT8, 8, (uint64_t)value);
}

void fake_add_xid8(fake_result *result, uint64_t value) {
  add_number(result, FAKE_XID8, 8, value);
}

void fake_add_bool(fake_result *result, bool value) {
  add_number(result, FAKE_BOOL, 1, value);
}

void fake_add_timestamp(fake_result *result, int64_t microseconds_since_2000) {
  add_number(result, FAKE_TIMESTAMPTZ, 8, (uint64_t)microseconds_since_2000);
}

void fake_add_text(fake_result *result, const char *text) {
  if (text == NULL) {
    fake_add_null(result, FAKE_TEXT);
    return;
  }
  fake_value *place = &result->values[result->columns++];
  *place = (fake_value){.type = FAKE_TEXT, .length = (int)strlen(text)};
  (void)snprintf(place->bytes, sizeof place->bytes, "%s", text);
}

void fake_add_null(fake_result *result, Oid type) {
  result->values[result->columns++] = (fake_value){.type = type, .is_null = true};
}

fake_result *fake_snapshot(const char *text) {
  fake_result *row = fake_row();
  fake_add_int4(row, 0);
  fake_add_null(row, FAKE_INT4);
  fake_add_null(row, FAKE_INT8);
  fake_add_null(row, FAKE_TEXT);
  fake_add_null(row, FAKE_XID8);
  fake_add_null(row, FAKE_TIMESTAMPTZ);
  fake_add_null(row, FAKE_TEXT);
  fake_add_text(row, text);
  return row;
}

fake_result *fake_replay_snapshot(const char *text) {
  fake_result *row = fake_snapshot(text);
  fake_add_null(row, FAKE_INT4);
  fake_add_null(row, FAKE_BOOL);
  fake_add_null(row, FAKE_BOOL);
  return row;
}

static void set_text(fake_result *row, int column, const char *text) {
  int columns = row->columns;
  row->columns = column;
  fake_add_text(row, text);
  row->columns = columns;
}

static void set_null(fake_result *row, int column) {
  row->values[column].is_null = true;
}

fake_result *fake_source_row(int32_t source, int64_t id, const char *id_text, uint64_t txid) {
  fake_result *row = fake_row();
  fake_add_int4(row, 1);
  fake_add_int4(row, source);
  fake_add_int8(row, id);
  fake_add_text(row, id_text);
  fake_add_xid8(row, txid);
  fake_add_timestamp(row, 0);
  fake_add_text(row, "7");
  fake_add_text(row, "{}");
  row->values[2].is_null = id_text != NULL;
  return row;
}

fake_result *fake_delta_row(int64_t id, uint64_t txid, const char *user, const char *data) {
  fake_result *row = fake_source_row(1, id, NULL, txid);
  set_text(row, 6, user);
  set_text(row, 7, data);
  return row;
}

fake_result *fake_revocation(uint64_t txid, const char *user, const char *credential, const char *text) {
  fake_result *row = fake_delta_row(0, txid, user, text);
  row->values[0].bytes[3] = 2;
  set_text(row, 3, credential);
  set_null(row, 1);
  set_null(row, 2);
  set_null(row, 5);
  return row;
}

fake_result *fake_replay_row(int32_t request, int64_t id, uint64_t txid, bool truncated, bool more) {
  fake_result *row = fake_row();
  fake_add_int4(row, 1);
  fake_add_int4(row, 1);
  fake_add_int8(row, id);
  fake_add_null(row, FAKE_TEXT);
  fake_add_xid8(row, txid);
  fake_add_timestamp(row, 0);
  fake_add_text(row, "7");
  fake_add_text(row, "{}");
  for (int column = 1; id == 0 && column < row->columns; column++) {
    set_null(row, column);
  }
  fake_add_int4(row, request);
  fake_add_bool(row, truncated);
  fake_add_bool(row, more);
  return row;
}

fake_result *fake_unsent_row(const char *user, int64_t count, uint64_t oldest) {
  fake_result *row = fake_delta_row(count, oldest, user, NULL);
  set_null(row, 5);
  return row;
}

void fake_answer_marking(int64_t rows, uint64_t xid) {
  fake_result *row = fake_row();
  row->status = PGRES_TUPLES_OK;
  fake_add_int8(row, rows);
  if (rows == 0) {
    fake_add_null(row, FAKE_XID8);
  } else {
    fake_add_xid8(row, xid);
  }
  fake_answer(row);
  fake_answer(NULL);
}
