#include <stdio.h>
#include <string.h>

#include "internal.h"

void ns_forget_error(notify_store *store) {
  store->message[0] = '\0';
  store->hint[0] = '\0';
  store->error = (notify_store_error){.status = NOTIFY_STORE_OK, .message = store->message, .hint = store->hint};
}

bool ns_is_retriable(notify_store_status status, const char *sqlstate) {
  // Connection exceptions; insufficient resources; cancelled, shut down, crashed, starting, idle too long;
  // serialization failure and deadlock; a lock not available; a standby that may be promoted.
  static const char *const passing[] = {"08",    "53",    "57014", "57P01", "57P02", "57P03",
                                        "57P05", "40001", "40P01", "55P03", "25006"};
  switch (status) {
    case NOTIFY_STORE_TIMEOUT:
    case NOTIFY_STORE_NO_MEMORY:
    case NOTIFY_STORE_CONNECTION_LOST:
      return true;
    case NOTIFY_STORE_NOT_CONNECTED:
      if (sqlstate[0] == '\0') {
        return true;
      }
      break;
    case NOTIFY_STORE_SERVER_ERROR:
      break;
    case NOTIFY_STORE_OK:
    case NOTIFY_STORE_END:
    case NOTIFY_STORE_BAD_ARGUMENT:
    case NOTIFY_STORE_BAD_ANSWER:
      return false;
  }
  for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
    if (strncmp(sqlstate, passing[i], strlen(passing[i])) == 0) {
      return true;
    }
  }
  return false;
}

notify_store_status ns_fail(notify_store *store, notify_store_status status, const char *sqlstate, const char *format,
                            ...) {
  // `format` may be built from the text that stands in the store already, hence the buffer.
  char text[NS_MESSAGE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (length < 0) {
    text[0] = '\0';
  }
  ns_copy_line(store->message, sizeof store->message, text, strlen(text));
  ns_set_sqlstate(store->error.sqlstate, sqlstate);
  store->error.status = status;
  store->error.retriable = ns_is_retriable(status, store->error.sqlstate);
  return status;
}

notify_store_status ns_fail_memory(notify_store *store) {
  return ns_fail(store, NOTIFY_STORE_NO_MEMORY, NULL, "out of memory");
}

notify_store_status ns_fail_lost(notify_store *store) {
  char text[NS_MESSAGE_SIZE];
  char sqlstate[NS_SQLSTATE_SIZE];
  if (store->farewell_sqlstate[0] != '\0') {
    ns_set_sqlstate(sqlstate, store->farewell_sqlstate);
    ns_copy_line(text, sizeof text, store->termination_message, strlen(store->termination_message));
  } else {
    ns_digest(store->pq->error_message(store->connection), text, sizeof text, sqlstate);
  }
  if (text[0] == '\0') {
    ns_copy_line(text, sizeof text, "the connection to the server is lost", 36);
  }
  notify_store_close(store);
  return ns_fail(store, NOTIFY_STORE_CONNECTION_LOST, sqlstate, "%s", text);
}

static bool ends_session(const char *severity) {
  return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

// Whether the functions of an error's context are all the bridge's.
static bool is_ours(const char *context) {
  static const char function[] = "function ";
  static const char schema[] = "notify_bridge.";
  const char *place = strstr(context, function);
  while (place != NULL && strncmp(place + sizeof function - 1, schema, sizeof schema - 1) == 0) {
    const char *next = strstr(place + 1, function);
    if (next == NULL) {
      return true;
    }
    place = next;
  }
  return false;
}

// Whether a message may quote a row, or be one that a function of the database wrote: those have a context. Without
// one, these classes are the server's own words about connections, names, rights, locks and resources.
static bool may_quote(const notify_store *store, const PGresult *result, const char *sqlstate) {
  static const char *const plain[] = {"08", "0A", "25", "28", "3D", "40", "42", "53", "55", "57", "58"};
  const char *context = store->pq->result_error_field(result, PG_DIAG_CONTEXT);
  if (context != NULL && !is_ours(context)) {
    return true;
  }
  for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
    if (strncmp(sqlstate, plain[i], 2) == 0) {
      return false;
    }
  }
  return sqlstate[0] != '\0';
}

// The HINT, else the DETAIL unless it may quote values: the classes 22 and 23 show rows and pieces of JSON.
static void copy_hint(notify_store *store, const PGresult *result, const char *sqlstate) {
  const char *hint = store->pq->result_error_field(result, PG_DIAG_MESSAGE_HINT);
  if (hint == NULL && strncmp(sqlstate, "22", 2) != 0 && strncmp(sqlstate, "23", 2) != 0) {
    hint = store->pq->result_error_field(result, PG_DIAG_MESSAGE_DETAIL);
  }
  if (hint != NULL) {
    ns_copy_line(store->hint, sizeof store->hint, hint, strlen(hint));
  }
}

notify_store_status ns_fail_result(notify_store *store, const PGresult *result) {
  const notify_store_libpq *pq = store->pq;
  char text[NS_MESSAGE_SIZE];
  char sqlstate[NS_SQLSTATE_SIZE];
  const char *primary = pq->result_error_field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (primary != NULL) {
    ns_set_sqlstate(sqlstate, pq->result_error_field(result, PG_DIAG_SQLSTATE));
    ns_copy_line(text, sizeof text, primary, strlen(primary));
  } else {
    // Not the server's words but libpq's.
    ns_digest(pq->result_error_message(result), text, sizeof text, sqlstate);
  }
  if (text[0] == '\0') {
    ns_copy_line(text, sizeof text, "the server answered in a way that libpq can't explain", 53);
  }
  copy_hint(store, result, sqlstate);
  store->error.quotes = may_quote(store, result, sqlstate);
  if (pq->status(store->connection) == CONNECTION_BAD ||
      ends_session(pq->result_error_field(result, PG_DIAG_SEVERITY_NONLOCALIZED))) {
    notify_store_close(store);
    return ns_fail(store, NOTIFY_STORE_CONNECTION_LOST, sqlstate, "%s", text);
  }
  return ns_fail(store, NOTIFY_STORE_SERVER_ERROR, sqlstate, "%s", text);
}
