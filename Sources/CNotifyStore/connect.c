#include <string.h>

#include "internal.h"

// The session that the bridge's statements rely on, whatever ALTER ROLE or ALTER DATABASE has set. A delta is exact
// only where each statement has a snapshot of its own; a marking counts as durable when it is committed; source.c says
// why plans are generic and read no table from end to end. A payload's expression finds only what it names with its
// schema, so that no other role can put a function before one of PostgreSQL's; and its text is the same for every role.
// The bridge has timeouts of its own. The last statement's setting is unknown to servers before 17.
static const char session[] =
    "SET statement_timeout = 0;"
    "SET default_transaction_isolation = 'read committed';"
    "SET default_transaction_read_only = off;"
    "SET synchronous_commit = on;"
    "SET plan_cache_mode = force_generic_plan;"
    "SET enable_seqscan = off;"
    "SET max_parallel_workers_per_gather = 0;"
    "SET jit = off;"
    "SET client_min_messages = warning;"
    "SET row_security = on;"
    "SET lock_timeout = 0;"
    "SET idle_session_timeout = 0;"
    "SET idle_in_transaction_session_timeout = 0;"
    "SET search_path = pg_catalog, pg_temp;"
    "SET DateStyle = 'ISO';"
    "SET IntervalStyle = 'postgres';"
    "SET TimeZone = 'UTC';"
    "SET extra_float_digits = 1;"
    "SET bytea_output = 'hex';"
    "SET standard_conforming_strings = on;"
    "SET transform_null_equals = off;"
    "SET array_nulls = on;"
    // A statement ends with its client, also where that is killed. Not every system can watch a socket.
    "SELECT set_config('client_connection_check_interval', '1000', false) WHERE version() ~ 'linux';"
    "SELECT pg_catalog.set_config(s.name, '0', false) FROM pg_catalog.pg_settings AS s "
    "WHERE s.name OPERATOR(pg_catalog.=) 'transaction_timeout'";

// libpq prints notices to stderr by default. Only the notice of a session's end is of interest.
static void on_notice(void *argument, const PGresult *notice) {
  notify_store *store = argument;
  const notify_store_libpq *pq = store->pq;
  const char *severity = pq->result_error_field(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  const char *message = pq->result_error_field(notice, PG_DIAG_MESSAGE_PRIMARY);
  if (severity != NULL && message != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0)) {
    ns_set_sqlstate(store->farewell_sqlstate, pq->result_error_field(notice, PG_DIAG_SQLSTATE));
    ns_copy_line(store->termination_message, sizeof store->termination_message, message, strlen(message));
  }
}

// The fault of an option's value. libpq checks most of them when it starts to connect, and some numbers when it has a
// socket; none when it parses the string.
static const char *option_problem(const char *text, bool at_start) {
  static const char before[] = " failed: ";
  const char *place = strstr(text, " failed: invalid integer value");
  if (place != NULL) {
    return ns_conninfo_problem(place + strlen(before));
  }
  return at_start ? ns_conninfo_problem(text) : NULL;
}

static notify_store_status fail_connect(notify_store *store, bool at_start, const PQconninfoOption *options) {
  const notify_store_libpq *pq = store->pq;
  char text[NS_MESSAGE_SIZE];
  char sqlstate[NS_SQLSTATE_SIZE];
  const char *full = pq->error_message(store->connection);
  const char *problem = full == NULL ? NULL : option_problem(full, at_start);
  if (problem != NULL) {
    notify_store_close(store);
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "the connection string: %s", problem);
  }
  ns_digest(full, text, sizeof text, sqlstate);
  if (sqlstate[0] == '\0' && pq->needs_password(store->connection) != 0) {
    // libpq hangs up when the server requests a password and it has none.
    ns_set_sqlstate(sqlstate, "28P01");
  }
  ns_conninfo_redact(options, text);
  notify_store_close(store);
  return ns_fail(store, NOTIFY_STORE_NOT_CONNECTED, sqlstate, "%s", text[0] == '\0' ? "could not connect" : text);
}

static notify_store_status start(notify_store *store, const char *conninfo, const char *application_name) {
  // An entry wins over those before it, and the options that `dbname` is expanded to stand in its place. A dead peer is
  // noticed after about a minute, on an idle connection too.
  const char *const keywords[] = {"fallback_application_name",
                                  "keepalives_idle",
                                  "keepalives_interval",
                                  "keepalives_count",
                                  "dbname",
                                  "client_encoding",
                                  NULL};
  const char *const values[] = {application_name, "30", "10", "3", conninfo, "UTF8", NULL};
  store->connection = store->pq->connect_start(keywords, values, 1);
  if (store->connection == NULL) {
    return ns_fail_memory(store);
  }
  // An error's SQLSTATE is nowhere but in the verbose form of its text.
  (void)store->pq->set_verbosity(store->connection, PQERRORS_VERBOSE);
  (void)store->pq->set_notice_receiver(store->connection, on_notice, store);
  return NOTIFY_STORE_OK;
}

static notify_store_status establish(notify_store *store, int64_t deadline, const PQconninfoOption *options) {
  const notify_store_libpq *pq = store->pq;
  if (pq->status(store->connection) == CONNECTION_BAD) {
    return fail_connect(store, true, options);
  }
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    short ready = 0;
    if (next == PGRES_POLLING_FAILED || pq->socket(store->connection) < 0) {
      return fail_connect(store, false, options);
    }
    notify_store_status status = ns_poll(store, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline, &ready);
    if (status == NOTIFY_STORE_TIMEOUT) {
      notify_store_close(store);
      return ns_fail(store, NOTIFY_STORE_TIMEOUT, NULL, "no connection in the time given");
    }
    if (status != NOTIFY_STORE_OK) {
      return status;
    }
    next = pq->connect_poll(store->connection);
  }
  return NOTIFY_STORE_OK;
}

// A pooler can't give the key data of a server process that it has not chosen yet, so it makes up its own.
static notify_store_status detect_pooler(notify_store *store, int64_t deadline) {
  const ns_statement statement = {.sql = "SELECT pg_backend_pid()", .binary = true};
  PGresult *result = NULL;
  int32_t pid = 0;
  store->pooled = store->pooler == NOTIFY_STORE_POOLER_ALWAYS;
  if (store->pooler != NOTIFY_STORE_POOLER_DETECT) {
    return NOTIFY_STORE_OK;
  }
  notify_store_status status = ns_run(store, &statement, deadline, &result);
  if (status == NOTIFY_STORE_OK) {
    const ns_answer answer = {.pq = store->pq, .result = result};
    store->pooled = ns_int4(answer, 0, &pid) && pid != store->pq->backend_pid(store->connection);
  }
  store->pq->clear(result);
  return status;
}

static notify_store_status prepare(notify_store *store, int64_t deadline) {
  const notify_store_libpq *pq = store->pq;
  const ns_statement statement = {.sql = session};
  PGresult *result = NULL;
  (void)pq->set_verbosity(store->connection, PQERRORS_DEFAULT);
  if (pq->set_nonblocking(store->connection, 1) != 0) {
    return ns_fail_lost(store);
  }
  notify_store_status status = detect_pooler(store, deadline);
  if (status == NOTIFY_STORE_OK && !store->pooled) {
    status = ns_run(store, &statement, deadline, &result);
  }
  pq->clear(result);
  return status;
}

notify_store_status notify_store_connect(notify_store *store, const char *conninfo, const char *application_name,
                                         int timeout_ms) {
  PQconninfoOption *options = NULL;
  const char *problem = NULL;
  ns_forget_error(store);
  notify_store_close(store);
  if (conninfo == NULL || application_name == NULL || timeout_ms < 0) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL,
                   "connecting needs a connection string, a name and a timeout");
  }
  int64_t deadline = ns_deadline(store, timeout_ms);
  notify_store_status status = ns_conninfo_parse(store->pq, conninfo, &options, &problem);
  if (status == NOTIFY_STORE_NO_MEMORY) {
    return ns_fail_memory(store);
  }
  if (status != NOTIFY_STORE_OK) {
    return ns_fail(store, status, NULL, "the connection string: %s", problem);
  }
  status = start(store, conninfo, application_name);
  if (status == NOTIFY_STORE_OK) {
    status = establish(store, deadline, options);
  }
  if (status == NOTIFY_STORE_OK) {
    status = prepare(store, deadline);
  }
  store->pq->conninfo_free(options);
  if (status == NOTIFY_STORE_OK) {
    return NOTIFY_STORE_OK;
  }
  notify_store_close(store);
  if (status == NOTIFY_STORE_CONNECTION_LOST || status == NOTIFY_STORE_SERVER_ERROR ||
      status == NOTIFY_STORE_BAD_ANSWER) {
    // For the caller there never was a connection.
    return ns_fail(store, NOTIFY_STORE_NOT_CONNECTED, store->error.sqlstate, "%s", store->message);
  }
  return status;
}
