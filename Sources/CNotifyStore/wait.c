#include <errno.h>
#include <string.h>

#include "internal.h"

// Takes in what the connection has to say; notices that it is gone.
static notify_store_status listen_to(notify_store *store) {
  if (store->pq->consume_input(store->connection) == 0) {
    // The server's last words may stand in the buffer still.
    ns_collect(store);
    return ns_fail_lost(store);
  }
  ns_discard_buffered(store);
  ns_collect(store);
  if (store->pq->status(store->connection) == CONNECTION_BAD) {
    return ns_fail_lost(store);
  }
  return NOTIFY_STORE_OK;
}

static bool take_wake(notify_store *store) {
  uint64_t count = 0;
  return store->pq->event_read(store->wake_descriptor, &count, sizeof count) == (ssize_t)sizeof count;
}

// One look at both descriptors, for at most `timeout_ms`.
static notify_store_status look(notify_store *store, int timeout_ms, bool *woken) {
  const notify_store_libpq *pq = store->pq;
  struct pollfd descriptors[2] = {{.fd = store->wake_descriptor, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
  if (store->connection != NULL) {
    descriptors[1].fd = pq->socket(store->connection);
    if (descriptors[1].fd < 0) {
      return ns_fail_lost(store);
    }
  }
  int count = pq->wait_for(descriptors, 2, timeout_ms);
  if (count < 0) {
    if (errno == EINTR) {
      return NOTIFY_STORE_OK;
    }
    int code = errno;
    notify_store_close(store);
    return ns_fail(store, NOTIFY_STORE_CONNECTION_LOST, NULL, "waiting for the connection failed (error %d)", code);
  }
  if (count > 0 && descriptors[0].revents != 0) {
    *woken = take_wake(store);
  }
  if (count > 0 && descriptors[1].revents != 0) {
    return listen_to(store);
  }
  return NOTIFY_STORE_OK;
}

notify_store_status notify_store_wait(notify_store *store, int timeout_ms, unsigned *events, unsigned *doorbells) {
  bool woken = false;
  ns_forget_error(store);
  if (timeout_ms < 0 || events == NULL || doorbells == NULL) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "waiting needs a timeout and output parameters");
  }
  *events = 0;
  *doorbells = 0;
  int64_t deadline = ns_deadline(store, timeout_ms);
  ns_stream_end(store);
  if (store->connection != NULL) {
    // What came along with an earlier answer stands in libpq's buffer, where poll() does not see it.
    ns_discard_buffered(store);
    ns_collect(store);
  }
  for (;;) {
    int remaining = store->doorbells > 0 ? 0 : ns_remaining(store, deadline);
    notify_store_status status = look(store, remaining, &woken);
    if (status != NOTIFY_STORE_OK) {
      if (woken) {
        // The wake was taken, and this call can't report it: leave it to the next one.
        notify_store_wake(store);
      }
      return status;
    }
    if (woken || store->doorbells > 0 || remaining == 0) {
      break;
    }
  }
  *events = (woken ? NOTIFY_STORE_EVENT_WAKE : 0u) | (store->doorbells > 0 ? NOTIFY_STORE_EVENT_DOORBELL : 0u);
  *doorbells = store->doorbells;
  store->doorbells = 0;
  return NOTIFY_STORE_OK;
}

notify_store_status notify_store_listen(notify_store *store, const char *channel, int timeout_ms) {
  const notify_store_libpq *pq = store->pq;
  int64_t deadline = 0;
  PGresult *result = NULL;
  ns_text sql;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (channel == NULL || channel[0] == '\0') {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "a channel needs a name");
  }
  char *quoted = pq->escape_identifier(store->connection, channel, strlen(channel));
  if (quoted == NULL) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "a channel's name is not UTF-8, or memory is short");
  }
  ns_text_begin(&sql, pq);
  ns_text_add(&sql, "LISTEN ");
  ns_text_add(&sql, quoted);
  pq->freemem(quoted);
  if (sql.failed) {
    status = ns_fail_memory(store);
    goto cleanup;
  }
  const ns_statement statement = {.sql = sql.bytes};
  status = ns_run(store, &statement, deadline, &result);
cleanup:
  pq->clear(result);
  ns_text_free(&sql);
  return status;
}
