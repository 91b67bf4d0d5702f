// Ends a stream and a connection. Every other file may call these two; they call none of the module.

#include "internal.h"

void ns_stream_end(notify_store *store) {
  if (store->stream.kind != NS_STREAM_NONE) {
    store->pq->clear(store->stream.result);
    store->stream = (ns_stream){.kind = NS_STREAM_NONE};
  }
}

void notify_store_close(notify_store *store) {
  ns_stream_end(store);
  if (store->connection != NULL) {
    store->pq->finish(store->connection);
    store->connection = NULL;
  }
  store->in_flight = false;
  store->in_transaction = false;
  store->pooled = false;
  store->lock_wait_ms = 0;
  store->prepared = 0;
  store->farewell_sqlstate[0] = '\0';
  store->termination_message[0] = '\0';
}
