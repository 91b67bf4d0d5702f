#include <sys/eventfd.h>

#include "internal.h"

#define ROW_BYTES (64 << 20)

notify_store_status notify_store_create(const notify_store_libpq *functions, notify_store **out) {
  const notify_store_libpq *pq = functions == NULL ? notify_store_libpq_default() : functions;
  if (out == NULL) {
    return NOTIFY_STORE_BAD_ARGUMENT;
  }
  *out = NULL;
  notify_store *store = pq->allocate(sizeof *store);
  if (store == NULL) {
    return NOTIFY_STORE_NO_MEMORY;
  }
  *store = (notify_store){.pq = pq, .row_bytes = ROW_BYTES};
  ns_forget_error(store);
  store->wake_descriptor = pq->event_open(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (store->wake_descriptor < 0) {
    // Descriptors are short, or the kernel's memory is.
    pq->deallocate(store);
    return NOTIFY_STORE_NO_MEMORY;
  }
  *out = store;
  return NOTIFY_STORE_OK;
}

void notify_store_destroy(notify_store *store) {
  if (store == NULL) {
    return;
  }
  notify_store_close(store);
  ns_sources_free(store);
  // Nothing can be done about a failing close, and the descriptor is gone all the same.
  (void)store->pq->event_close(store->wake_descriptor);
  store->pq->deallocate(store);
}

const notify_store_error *notify_store_last_error(const notify_store *store) {
  return &store->error;
}

bool notify_store_is_connected(const notify_store *store) {
  return store->connection != NULL;
}

int notify_store_server_version(const notify_store *store) {
  return store->connection == NULL ? 0 : store->pq->server_version(store->connection);
}

int notify_store_backend_pid(const notify_store *store) {
  return store->connection == NULL ? 0 : store->pq->backend_pid(store->connection);
}

void notify_store_set_pooler(notify_store *store, notify_store_pooler pooler) {
  store->pooler = pooler;
}

void notify_store_set_row_bytes(notify_store *store, uint32_t bytes) {
  store->row_bytes = bytes > INT32_MAX ? INT32_MAX : bytes;
}

void notify_store_on_silence(notify_store *store, int after_ms, bool (*is_silent)(void *context), void *context) {
  store->is_silent = is_silent;
  store->silence_context = context;
  store->silence_ms = after_ms;
}

bool notify_store_is_pooled(const notify_store *store) {
  return store->pooled;
}

void notify_store_wake(notify_store *store) {
  const uint64_t one = 1;
  // Fails only where so many wakes are pending that one more makes no difference.
  (void)!store->pq->event_write(store->wake_descriptor, &one, sizeof one);
}
