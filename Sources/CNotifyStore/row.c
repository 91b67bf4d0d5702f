#include "internal.h"

// The columns of every stream; a replay has three more, rows by their keys have one: the key's place. The snapshot has
// only `data`, a row of a replay without an answer only `request`, `truncated` and `more`. As few as can be: libpq
// copies their descriptions for each row.
enum {
  COLUMN_KIND,
  COLUMN_SOURCE,
  COLUMN_ID,
  COLUMN_ID_TEXT,
  COLUMN_TXID,
  COLUMN_CREATED_AT,
  COLUMN_USER,
  COLUMN_DATA,
  COLUMN_COUNT,
  COLUMN_REQUEST = COLUMN_COUNT,
  COLUMN_COUNT_ROWS,
  COLUMN_TRUNCATED = COLUMN_COUNT_ROWS,
  COLUMN_MORE,
  COLUMN_COUNT_REPLAY,
};

// The values of COLUMN_KIND.
enum {
  KIND_SNAPSHOT = 0,
  KIND_ROW = 1,
  KIND_REVOCATION = 2,
  // The row is there, and can't be read: `data` is the SQLSTATE.
  KIND_UNREADABLE = 5,
  // No row has this key any more.
  KIND_GONE = 6,
};

static bool read_snapshot(ns_answer answer, ns_stream *stream, notify_store_row *out) {
  out->kind = NOTIFY_STORE_ROW_SNAPSHOT;
  if (stream->has_snapshot || !ns_string(answer, COLUMN_DATA, &out->data, &out->data_length) || out->data == NULL ||
      !ns_timestamp(answer, COLUMN_CREATED_AT, &out->has_created_at, &out->created_at_us)) {
    return false;
  }
  stream->has_snapshot = true;
  return true;
}

// Whether the row does not come before the last one. The statements order their rows; another order would make the
// caller lose rows, so it is checked (apart from ids that are texts, which would have to be copied). A partitioned
// table may hold an id twice.
static bool advance(ns_stream *stream, const notify_store_row *row) {
  bool after = !stream->has_place || row->txid > stream->place_txid;
  if (!after && row->txid == stream->place_txid) {
    after = row->source > stream->place_source ||
            (row->source == stream->place_source && (row->id_text != NULL || row->id >= stream->place_id));
  }
  stream->has_place = true;
  stream->place_txid = row->txid;
  stream->place_source = row->source;
  stream->place_id = row->id;
  return after;
}

// A text that is too long comes empty, which no JSON is: the statements measure it once.
static bool read_data(ns_answer answer, notify_store_row *out) {
  static const char too_long[] = "54000";
  if (!ns_string(answer, COLUMN_DATA, &out->data, &out->data_length)) {
    return false;
  }
  if (out->data != NULL && out->data_length == 0) {
    out->kind = NOTIFY_STORE_ROW_UNREADABLE;
    out->data = too_long;
    out->data_length = sizeof too_long - 1;
  }
  return true;
}

static bool read_id(ns_answer answer, notify_store_row *out) {
  return ns_int4(answer, COLUMN_SOURCE, &out->source) &&
         ns_string(answer, COLUMN_ID_TEXT, &out->id_text, &out->id_length) &&
         (out->id_text != NULL || ns_int8(answer, COLUMN_ID, &out->id));
}

static bool read_notification(ns_answer answer, ns_stream *stream, int32_t kind, notify_store_row *out) {
  out->kind = kind == KIND_UNREADABLE ? NOTIFY_STORE_ROW_UNREADABLE : NOTIFY_STORE_ROW_NOTIFICATION;
  return read_id(answer, out) && ns_xid8(answer, COLUMN_TXID, &out->txid) &&
         ns_timestamp(answer, COLUMN_CREATED_AT, &out->has_created_at, &out->created_at_us) &&
         ns_string(answer, COLUMN_USER, &out->user, &out->user_length) && read_data(answer, out) &&
         advance(stream, out);
}

static bool read_unsent(ns_answer answer, notify_store_row *out) {
  out->kind = NOTIFY_STORE_ROW_UNSENT;
  return ns_int4(answer, COLUMN_SOURCE, &out->source) && ns_int8(answer, COLUMN_ID, &out->id) &&
         ns_xid8(answer, COLUMN_TXID, &out->txid) && ns_string(answer, COLUMN_USER, &out->user, &out->user_length) &&
         out->user != NULL;
}

static bool read_revocation(ns_answer answer, notify_store_row *out) {
  out->kind = NOTIFY_STORE_ROW_REVOCATION;
  return ns_xid8(answer, COLUMN_TXID, &out->txid) &&
         ns_string(answer, COLUMN_ID_TEXT, &out->id_text, &out->id_length) &&
         ns_string(answer, COLUMN_USER, &out->user, &out->user_length) && out->user != NULL &&
         ns_string(answer, COLUMN_DATA, &out->data, &out->data_length) && out->data != NULL;
}

// A row that was asked for by its key: it is known by the key's place.
static bool read_keyed(ns_answer answer, ns_stream *stream, int32_t kind, notify_store_row *out) {
  int32_t place = 0;
  if (!ns_int4(answer, COLUMN_REQUEST, &place) || place < 0 || (uint32_t)place != stream->requests_seen ||
      stream->requests_seen >= stream->request_count) {
    return false;
  }
  stream->requests_seen++;
  out->request = (uint32_t)place;
  out->kind = kind == KIND_GONE         ? NOTIFY_STORE_ROW_GONE
              : kind == KIND_UNREADABLE ? NOTIFY_STORE_ROW_UNREADABLE
                                        : NOTIFY_STORE_ROW_NOTIFICATION;
  return ns_timestamp(answer, COLUMN_CREATED_AT, &out->has_created_at, &out->created_at_us) &&
         ns_string(answer, COLUMN_USER, &out->user, &out->user_length) && read_data(answer, out);
}

static bool read_replay(ns_answer answer, ns_stream *stream, int32_t kind, notify_store_row *out) {
  int32_t request = 0;
  if (!ns_int4(answer, COLUMN_REQUEST, &request) || request < 0) {
    return false;
  }
  out->request = (uint32_t)request;
  if (stream->row_pending) {
    stream->row_pending = false;
    return read_notification(answer, stream, kind, out);
  }
  if (stream->requests_seen > 0 && out->request == stream->requests_seen - 1) {
    return stream->has_place && read_notification(answer, stream, kind, out);
  }
  // The next request, none left out.
  if (out->request != stream->requests_seen || out->request >= stream->request_count) {
    return false;
  }
  out->kind = NOTIFY_STORE_ROW_REQUEST;
  stream->requests_seen++;
  stream->has_place = false;
  stream->row_pending = !ns_is_null(answer, COLUMN_SOURCE);
  return ns_bool(answer, COLUMN_TRUNCATED, &out->truncated) && ns_bool(answer, COLUMN_MORE, &out->more);
}

bool ns_row_read(const notify_store_libpq *pq, ns_stream *stream, notify_store_row *out) {
  const ns_answer answer = {.pq = pq, .result = stream->result};
  int32_t kind = 0;
  *out = (notify_store_row){0};
  int columns = stream->kind == NS_STREAM_REPLAY ? COLUMN_COUNT_REPLAY
                : stream->kind == NS_STREAM_ROWS ? COLUMN_COUNT_ROWS
                                                 : COLUMN_COUNT;
  if (pq->columns(answer.result) != columns || pq->rows(answer.result) != 1 || !ns_int4(answer, COLUMN_KIND, &kind)) {
    return false;
  }
  if (kind == KIND_SNAPSHOT) {
    return read_snapshot(answer, stream, out);
  }
  bool is_delta = stream->kind == NS_STREAM_DELTA || stream->kind == NS_STREAM_KEYS;
  if (kind == KIND_REVOCATION && is_delta && stream->has_snapshot && !stream->has_place) {
    return read_revocation(answer, out);
  }
  bool may_be_gone = stream->kind == NS_STREAM_ROWS;
  if (!stream->has_snapshot || (kind != KIND_ROW && kind != KIND_UNREADABLE && !(kind == KIND_GONE && may_be_gone))) {
    return false;
  }
  switch (stream->kind) {
    case NS_STREAM_DELTA:
    case NS_STREAM_KEYS:
      return read_notification(answer, stream, kind, out);
    case NS_STREAM_ROWS:
      return read_keyed(answer, stream, kind, out);
    case NS_STREAM_UNSENT:
      return read_unsent(answer, out);
    case NS_STREAM_REPLAY:
      return read_replay(answer, stream, kind, out);
    case NS_STREAM_NONE:
      break;
  }
  return false;
}
