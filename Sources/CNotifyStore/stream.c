#include "internal.h"

notify_store_status ns_stream_start(notify_store *store, ns_stream_kind kind, const ns_statement *statement,
                                    int64_t deadline) {
  notify_store_status status = ns_send(store, statement, deadline);
  if (status == NOTIFY_STORE_OK) {
    store->stream = (ns_stream){.kind = kind};
  }
  return status;
}

static notify_store_status fail_answer(notify_store *store) {
  ns_stream_end(store);
  return ns_fail(store, NOTIFY_STORE_BAD_ANSWER, NULL,
                 "the server's answer has not the columns, values or order asked for");
}

static notify_store_status end(notify_store *store, int64_t deadline) {
  const ns_stream *stream = &store->stream;
  bool whole = stream->complete && stream->has_snapshot && stream->requests_seen == stream->request_count;
  if (!whole) {
    return fail_answer(store);
  }
  ns_stream_end(store);
  notify_store_status status = ns_commit(store, deadline);
  return status == NOTIFY_STORE_OK ? NOTIFY_STORE_END : status;
}

notify_store_status notify_store_next(notify_store *store, int timeout_ms, notify_store_row *out) {
  const notify_store_libpq *pq = store->pq;
  ns_stream *stream = &store->stream;
  ns_forget_error(store);
  if (timeout_ms < 0 || out == NULL || stream->kind == NS_STREAM_NONE) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "no stream is being read, or an argument is missing");
  }
  int64_t deadline = ns_deadline(store, timeout_ms);
  if (stream->row_pending) {
    return ns_row_read(pq, stream, out) ? NOTIFY_STORE_OK : fail_answer(store);
  }
  for (;;) {
    pq->clear(stream->result);
    stream->result = NULL;
    notify_store_status status = ns_result(store, deadline, &stream->result);
    if (status != NOTIFY_STORE_OK) {
      ns_stream_end(store);
      return status;
    }
    if (stream->result == NULL) {
      return end(store, deadline);
    }
    switch (pq->result_status(stream->result)) {
      case PGRES_SINGLE_TUPLE:
        return ns_row_read(pq, stream, out) ? NOTIFY_STORE_OK : fail_answer(store);
      case PGRES_TUPLES_OK:
        // It has no rows; the end of the answers follows.
        stream->complete = true;
        break;
      case PGRES_FATAL_ERROR: {
        // The result is needed after the stream is over.
        PGresult *failure = stream->result;
        stream->result = NULL;
        status = ns_fail_result(store, failure);
        pq->clear(failure);
        ns_stream_end(store);
        return status;
      }
      default:
        return fail_answer(store);
    }
  }
}

notify_store_status notify_store_cancel(notify_store *store) {
  ns_forget_error(store);
  ns_stream_end(store);
  if (store->connection == NULL) {
    return ns_fail(store, NOTIFY_STORE_NOT_CONNECTED, NULL, "not connected");
  }
  if (ns_cancel(store)) {
    return NOTIFY_STORE_OK;
  }
  notify_store_close(store);
  return ns_fail(store, NOTIFY_STORE_TIMEOUT, NULL,
                 "the server does not confirm a cancellation: the connection is closed");
}

bool notify_store_has_buffered(notify_store *store) {
  if (store->stream.kind == NS_STREAM_NONE) {
    return false;
  }
  return store->stream.row_pending || store->pq->is_busy(store->connection) == 0;
}
