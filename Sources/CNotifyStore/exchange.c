#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

// TLS may hold bytes that poll() knows nothing of: OpenSSL reads whole records, libpq takes what its buffer has room
// for. Servers before 17 send records that always fit. For the others, look again after this time.
#define TLS_LOOK_AGAIN_MS 100

int64_t ns_deadline(const notify_store *store, int timeout_ms) {
  return store->pq->now_ms() + timeout_ms;
}

int ns_remaining(const notify_store *store, int64_t deadline) {
  int64_t left = deadline - store->pq->now_ms();
  if (left <= 0) {
    return 0;
  }
  return left > INT_MAX ? INT_MAX : (int)left;
}

static bool watches_silence(const notify_store *store) {
  return store->is_silent != NULL && store->in_flight;
}

static void heard(notify_store *store) {
  store->ask_at = store->is_silent != NULL ? ns_deadline(store, store->silence_ms) : 0;
}

// Nothing has come for a while. The answer may have come while the question was asked.
static notify_store_status ask_about_silence(notify_store *store, struct pollfd *descriptor) {
  bool silent = store->is_silent(store->silence_context);
  heard(store);
  if (!silent || store->pq->wait_for(descriptor, 1, 0) != 0) {
    return NOTIFY_STORE_OK;
  }
  notify_store_close(store);
  return ns_fail(store, NOTIFY_STORE_CONNECTION_LOST, NULL,
                 "the connection is silent: the server's answer does not come");
}

notify_store_status ns_poll(notify_store *store, short events, int64_t deadline, short *ready) {
  const notify_store_libpq *pq = store->pq;
  struct pollfd descriptor = {.fd = pq->socket(store->connection), .events = events};
  *ready = 0;
  if (descriptor.fd < 0) {
    return ns_fail_lost(store);
  }
  for (;;) {
    int64_t until = watches_silence(store) && store->ask_at < deadline ? store->ask_at : deadline;
    int remaining = ns_remaining(store, until);
    bool may_hide = pq->ssl_in_use(store->connection) != 0 && remaining > TLS_LOOK_AGAIN_MS;
    int count = pq->wait_for(&descriptor, 1, may_hide ? TLS_LOOK_AGAIN_MS : remaining);
    if (count > 0) {
      // The next read reports errors and hang-ups.
      *ready = (short)(descriptor.revents & POLLOUT) | (descriptor.revents & ~POLLOUT ? POLLIN : 0);
      if (*ready & POLLIN) {
        heard(store);
      }
      return NOTIFY_STORE_OK;
    }
    if (count == 0 && may_hide) {
      *ready = POLLIN;
      return NOTIFY_STORE_OK;
    }
    if (count == 0 && ns_remaining(store, deadline) == 0) {
      return NOTIFY_STORE_TIMEOUT;
    }
    if (count == 0 && until < deadline && ns_remaining(store, until) == 0) {
      notify_store_status status = ask_about_silence(store, &descriptor);
      if (status != NOTIFY_STORE_OK) {
        return status;
      }
    }
    if (count < 0 && errno != EINTR) {
      int code = errno;
      notify_store_close(store);
      return ns_fail(store, NOTIFY_STORE_CONNECTION_LOST, NULL, "waiting for the connection failed (error %d)", code);
    }
  }
}

void ns_collect(notify_store *store) {
  for (;;) {
    PGnotify *notification = store->pq->notifies(store->connection);
    if (notification == NULL) {
      return;
    }
    store->pq->freemem(notification);
    if (store->doorbells < UINT_MAX) {
      store->doorbells++;
    }
  }
}

static notify_store_status consume(notify_store *store) {
  // A second time, for what TLS held back at the first.
  if (store->pq->consume_input(store->connection) == 0 ||
      (store->pq->ssl_in_use(store->connection) != 0 && store->pq->consume_input(store->connection) == 0)) {
    return ns_fail_lost(store);
  }
  return NOTIFY_STORE_OK;
}

// NOTIFY_STORE_TIMEOUT notes nothing and leaves the statement under way.
static notify_store_status next_result(notify_store *store, int64_t deadline, PGresult **out) {
  *out = NULL;
  while (store->pq->is_busy(store->connection) != 0) {
    short ready = 0;
    notify_store_status status = ns_poll(store, POLLIN, deadline, &ready);
    if (status == NOTIFY_STORE_OK) {
      status = consume(store);
    }
    if (status != NOTIFY_STORE_OK) {
      return status;
    }
  }
  *out = store->pq->get_result(store->connection);
  ns_collect(store);
  if (*out == NULL) {
    store->in_flight = false;
  }
  return NOTIFY_STORE_OK;
}

bool ns_cancel(notify_store *store) {
  if (store->in_flight && store->pq->cancel(store->connection, NS_CANCEL_MS) == 0) {
    return false;
  }
  int64_t deadline = ns_deadline(store, NS_CANCEL_MS);
  while (store->in_flight) {
    PGresult *rest = NULL;
    // Its failures close the connection, except for a timeout.
    if (next_result(store, deadline, &rest) != NOTIFY_STORE_OK) {
      return false;
    }
    store->pq->clear(rest);
  }
  return store->pq->status(store->connection) != CONNECTION_BAD;
}

// A late answer could not be told from the answer to a later statement, and the statement is not to go on without
// anybody who waits for it: it is cancelled. Where the server does not confirm that, the connection ends.
static notify_store_status fail_timeout(notify_store *store) {
  ns_stream_end(store);
  if (ns_cancel(store)) {
    return ns_fail(store, NOTIFY_STORE_TIMEOUT, NULL, "no answer in the time given: the statement is cancelled");
  }
  notify_store_close(store);
  return ns_fail(store, NOTIFY_STORE_TIMEOUT, NULL, "no answer in the time given: the connection is closed");
}

static notify_store_status flush(notify_store *store, int64_t deadline) {
  for (;;) {
    short ready = 0;
    int rest = store->pq->flush(store->connection);
    if (rest == 0) {
      return NOTIFY_STORE_OK;
    }
    if (rest < 0) {
      return ns_fail_lost(store);
    }
    // A server that can't get rid of its own output reads nothing: take it in while sending.
    notify_store_status status = ns_poll(store, POLLIN | POLLOUT, deadline, &ready);
    if (status == NOTIFY_STORE_OK && (ready & POLLIN) != 0) {
      status = consume(store);
    }
    if (status != NOTIFY_STORE_OK) {
      return status == NOTIFY_STORE_TIMEOUT ? fail_timeout(store) : status;
    }
  }
}

notify_store_status ns_result(notify_store *store, int64_t deadline, PGresult **out) {
  notify_store_status status = next_result(store, deadline, out);
  if (status == NOTIFY_STORE_TIMEOUT && store->stream.kind == NS_STREAM_ROWS && !store->stream.is_cancelled) {
    // Rows that were made before the one that takes so long may be in the server's buffer: they come before the error.
    store->stream.is_cancelled = true;
    if (store->pq->cancel(store->connection, NS_CANCEL_MS) != 0) {
      status = next_result(store, ns_deadline(store, NS_CANCEL_MS), out);
    }
  }
  if (status != NOTIFY_STORE_OK) {
    return status == NOTIFY_STORE_TIMEOUT ? fail_timeout(store) : status;
  }
  if (*out == NULL) {
    if (store->pq->status(store->connection) == CONNECTION_BAD) {
      return ns_fail_lost(store);
    }
    return NOTIFY_STORE_OK;
  }
  switch (store->pq->result_status(*out)) {
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
      // libpq would wait for the caller's data for ever.
      store->pq->clear(*out);
      *out = NULL;
      notify_store_close(store);
      return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "COPY to or from the client is not supported");
    default:
      return NOTIFY_STORE_OK;
  }
}

void ns_discard_buffered(notify_store *store) {
  while (store->in_flight && store->pq->is_busy(store->connection) == 0) {
    PGresult *result = store->pq->get_result(store->connection);
    if (result == NULL) {
      store->in_flight = false;
    }
    store->pq->clear(result);
  }
}

static notify_store_status run_plain(notify_store *store, const char *sql, int64_t deadline);

notify_store_status ns_begin(notify_store *store, int timeout_ms, int64_t *deadline) {
  ns_forget_error(store);
  ns_stream_end(store);
  if (timeout_ms < 0) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "a timeout is negative");
  }
  if (store->connection == NULL) {
    return ns_fail(store, NOTIFY_STORE_NOT_CONNECTED, NULL, "not connected");
  }
  *deadline = ns_deadline(store, timeout_ms);
  while (store->in_flight) {
    PGresult *rest = NULL;
    notify_store_status status = ns_result(store, *deadline, &rest);
    store->pq->clear(rest);
    if (status != NOTIFY_STORE_OK) {
      return status;
    }
  }
  if (store->in_transaction) {
    // It belongs to a statement that failed, or was not read to its end.
    store->in_transaction = false;
    return run_plain(store, "ROLLBACK", *deadline);
  }
  return NOTIFY_STORE_OK;
}

// Runs statements whose answers say nothing but that they succeeded.
static notify_store_status run_plain(notify_store *store, const char *sql, int64_t deadline) {
  const ns_statement statement = {.sql = sql};
  PGresult *result = NULL;
  notify_store_status status = ns_run(store, &statement, deadline, &result);
  store->pq->clear(result);
  return status;
}

static notify_store_status begin_transaction(notify_store *store, const char *settings, int64_t deadline) {
  ns_text sql;
  ns_text_begin(&sql, store->pq);
  ns_text_add(&sql, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ");
  ns_text_add(&sql, settings);
  if (store->lock_wait_ms > 0) {
    char wait[48];
    (void)snprintf(wait, sizeof wait, "; SET LOCAL lock_timeout = %d", store->lock_wait_ms);
    ns_text_add(&sql, wait);
  }
  notify_store_status status = sql.failed ? ns_fail_memory(store) : NOTIFY_STORE_OK;
  if (status == NOTIFY_STORE_OK) {
    // Also where it fails: nobody knows how far it came.
    store->in_transaction = true;
    status = run_plain(store, sql.bytes, deadline);
  }
  ns_text_free(&sql);
  return status;
}

notify_store_status notify_store_limit_lock_waits(notify_store *store, int wait_ms, int timeout_ms) {
  int64_t deadline = 0;
  char sql[48];
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (wait_ms < 0) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "a wait for a lock is at least 0 ms");
  }
  if (!store->pooled) {
    (void)snprintf(sql, sizeof sql, "SET lock_timeout = %d", wait_ms);
    status = run_plain(store, sql, deadline);
  }
  if (status == NOTIFY_STORE_OK) {
    store->lock_wait_ms = wait_ms;
  }
  return status;
}

notify_store_status ns_commit(notify_store *store, int64_t deadline) {
  if (!store->in_transaction) {
    return NOTIFY_STORE_OK;
  }
  store->in_transaction = false;
  return run_plain(store, "COMMIT", deadline);
}

notify_store_status ns_send(notify_store *store, const ns_statement *statement, int64_t deadline) {
  const notify_store_libpq *pq = store->pq;
  int sent = 0;
  if (store->pooled && statement->settings != NULL) {
    notify_store_status status = begin_transaction(store, statement->settings, deadline);
    if (status != NOTIFY_STORE_OK) {
      return status;
    }
  }
  // Only the simple protocol takes several statements at once, and it has no parameters.
  if (statement->prepare) {
    sent = pq->send_prepare(store->connection, statement->name, statement->sql, 0, NULL);
  } else if (statement->name == NULL && statement->count == 0 && !statement->binary) {
    sent = pq->send_query(store->connection, statement->sql);
  } else if (statement->name != NULL) {
    sent = pq->send_query_prepared(store->connection, statement->name, statement->count, statement->parameters, NULL,
                                   NULL, statement->binary ? 1 : 0);
  } else {
    sent = pq->send_query_params(store->connection, statement->sql, statement->count, NULL, statement->parameters, NULL,
                                 NULL, statement->binary ? 1 : 0);
  }
  if (sent == 0) {
    // The contents of libpq's buffer are unknown now.
    return ns_fail_lost(store);
  }
  store->in_flight = true;
  heard(store);
  if (statement->stream && pq->set_single_row_mode(store->connection) == 0) {
    return ns_fail_lost(store);
  }
  return flush(store, deadline);
}

notify_store_status ns_run(notify_store *store, const ns_statement *statement, int64_t deadline, PGresult **out) {
  const notify_store_libpq *pq = store->pq;
  PGresult *last = NULL;
  *out = NULL;
  notify_store_status status = ns_send(store, statement, deadline);
  // A commit can still fail after the statement's own result: only the end of the answers means success.
  while (status == NOTIFY_STORE_OK) {
    PGresult *result = NULL;
    status = ns_result(store, deadline, &result);
    if (status != NOTIFY_STORE_OK || result == NULL) {
      break;
    }
    pq->clear(last);
    last = result;
    switch (pq->result_status(result)) {
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
      case PGRES_EMPTY_QUERY:
        break;
      default:
        // The next call drops the results after an error, as it does the rest of a stream.
        status = ns_fail_result(store, result);
        break;
    }
  }
  if (status == NOTIFY_STORE_OK && last == NULL) {
    status = ns_fail(store, NOTIFY_STORE_BAD_ANSWER, NULL, "the server gave no answer");
  }
  if (status == NOTIFY_STORE_OK && statement->settings != NULL) {
    status = ns_commit(store, deadline);
  }
  if (status != NOTIFY_STORE_OK) {
    pq->clear(last);
    return status;
  }
  *out = last;
  return NOTIFY_STORE_OK;
}
