// The row decoder of CNotifyStore: any answer of a server, column by column.

#include <stdlib.h>
#include <string.h>

#include "../../Sources/CNotifyStore/internal.h"
#include "check.h"

#define COLUMNS 12

// What stands for a PGresult: one row. Each value has exactly its bytes, so that reading beyond it is seen.
typedef struct answer {
  int columns;
  int rows;
  Oid types[COLUMNS];
  int formats[COLUMNS];
  bool nulls[COLUMNS];
  int lengths[COLUMNS];
  char *values[COLUMNS];
} answer;

static const answer *of(const PGresult *result) {
  return (const answer *)(const void *)result;
}

static int rows(const PGresult *result) {
  return of(result)->rows;
}

static int columns(const PGresult *result) {
  return of(result)->columns;
}

// libpq answers for a column or row that is not there; asking is a fault of the decoder.
static int within(const PGresult *result, int row, int column) {
  check(row == 0 && of(result)->rows > 0, "only the row that is there is read");
  check(column >= 0 && column < of(result)->columns, "only columns that are there are read");
  return column;
}

static Oid column_type(const PGresult *result, int column) {
  return of(result)->types[within(result, 0, column)];
}

static int column_format(const PGresult *result, int column) {
  return of(result)->formats[within(result, 0, column)];
}

static int is_null(const PGresult *result, int row, int column) {
  return of(result)->nulls[within(result, row, column)];
}

static int length(const PGresult *result, int row, int column) {
  return of(result)->lengths[within(result, row, column)];
}

static char *value(const PGresult *result, int row, int column) {
  return of(result)->values[within(result, row, column)];
}

// The type that a column should have, nearly always: libFuzzer need not find them all at once.
static Oid type_of(int column, uint8_t choice) {
  static const Oid expected[COLUMNS] = {23, 23, 20, 25, 5069, 1184, 25, 25, 23, 16, 16, 25};
  static const Oid types[] = {16, 20, 23, 25, 1184, 5069, 0};
  return choice < 240 ? expected[column] : types[choice % 7];
}

static int size_of(Oid type, uint8_t choice) {
  int usual = type == 16 ? 1 : type == 23 ? 4 : type == 25 ? choice % 32 : 8;
  return choice < 250 ? usual : choice - 250;
}

static void read_answer(input *in, int expected, answer *out) {
  uint8_t shape = take(in);
  out->columns = shape < 250 ? expected : shape % COLUMNS;
  out->rows = shape == 249 ? 0 : 1;
  for (int i = 0; i < out->columns; i++) {
    uint8_t choice = take(in);
    out->types[i] = type_of(i, choice);
    out->formats[i] = choice == 255 ? 0 : 1;
    out->nulls[i] = choice % 8 == 7;
    out->lengths[i] = out->nulls[i] ? 0 : size_of(out->types[i], take(in));
    out->values[i] = malloc((size_t)out->lengths[i]);
    for (int byte = 0; byte < out->lengths[i]; byte++) {
      // Numbers are mostly small: places that follow each other.
      uint8_t taken = out->types[i] == 25 || byte == out->lengths[i] - 1 || choice % 8 == 6 ? take(in) : 0;
      out->values[i][byte] = (char)taken;
    }
  }
}

static void free_answer(answer *it) {
  for (int i = 0; i < it->columns; i++) {
    free(it->values[i]);
  }
}

static void check_text(const char *text, size_t size) {
  check(text != NULL || size == 0, "a text that is missing has no length");
  // Reads each byte.
  check(size == 0 || memchr(text, '\0', size) != text + size, "a text is where its bytes are");
}

// The place of the row before.
typedef struct place {
  bool is_there;
  uint64_t txid;
  int32_t source;
  int64_t id;
  bool is_text;
} place;

static void check_order(place *last, const notify_store_row *row) {
  if (last->is_there) {
    check(row->txid >= last->txid, "rows come in the order of their transactions");
    if (row->txid == last->txid) {
      check(row->source >= last->source, "rows of a transaction come in the order of their tables");
      if (row->source == last->source && row->id_text == NULL && !last->is_text) {
        check(row->id >= last->id, "rows of a table come in the order of their ids");
      }
    }
  }
  *last = (place){true, row->txid, row->source, row->id, row->id_text != NULL};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static notify_store_libpq pq;
  pq = *notify_store_libpq_default();
  pq.rows = rows;
  pq.columns = columns;
  pq.column_type = column_type;
  pq.column_format = column_format;
  pq.is_null = is_null;
  pq.length = length;
  pq.value = value;

  input in = {data, size};
  ns_stream stream = {.kind = (ns_stream_kind)(1 + take(&in) % 5), .request_count = take(&in) % 8};
  int expected = stream.kind == NS_STREAM_REPLAY ? 11 : stream.kind == NS_STREAM_ROWS ? 9 : 8;
  place last = {0};
  uint32_t requests = 0;
  bool good = true, has_snapshot = false;
  while (good && in.size > 0) {
    answer one = {0};
    read_answer(&in, expected, &one);
    stream.result = (PGresult *)(void *)&one;
    do {
      notify_store_row row;
      good = ns_row_read(&pq, &stream, &row);
      if (!good) {
        break;
      }
      check_text(row.id_text, row.id_length);
      check_text(row.user, row.user_length);
      check_text(row.data, row.data_length);
      check(has_snapshot != (row.kind == NOTIFY_STORE_ROW_SNAPSHOT), "the snapshot comes first, and once");
      has_snapshot = true;
      if (row.kind == NOTIFY_STORE_ROW_REQUEST) {
        check(row.request == requests && requests < stream.request_count, "each request is answered once, in order");
        requests++;
        last.is_there = false;
      } else if (stream.kind == NS_STREAM_REPLAY && row.kind != NOTIFY_STORE_ROW_SNAPSHOT) {
        check(requests > 0 && row.request == requests - 1, "a row of a replay follows its request");
      }
      bool is_row = row.kind == NOTIFY_STORE_ROW_NOTIFICATION || row.kind == NOTIFY_STORE_ROW_UNREADABLE;
      if (is_row && stream.kind != NS_STREAM_ROWS) {
        check_order(&last, &row);
      }
      check(row.kind != NOTIFY_STORE_ROW_REVOCATION || !last.is_there, "revocations come before rows");
    } while (stream.row_pending);
    free_answer(&one);
  }
  return 0;
}
