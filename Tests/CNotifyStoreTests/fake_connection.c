#include <stdlib.h>

#include "fake_table.h"

PQconninfoOption *pq_conninfo_parse(const char *conninfo, char **message) {
  *message = NULL;
  if (fake_fails(FAKE_CONNINFO_PARSE)) {
    return NULL;
  }
  PQconninfoOption *options = PQconninfoParse(conninfo, message);
  fake.options += options != NULL;
  fake.texts += *message != NULL;
  return options;
}

void pq_conninfo_free(PQconninfoOption *options) {
  fake.options -= options != NULL;
  PQconninfoFree(options);
}

PGconn *pq_connect_start(const char *const *keywords, const char *const *values, int expand_dbname) {
  (void)keywords;
  (void)values;
  (void)expand_dbname;
  if (fake_fails(FAKE_CONNECT_START)) {
    return NULL;
  }
  fake.connections++;
  fake.in_statement = false;
  fake.status = CONNECTION_OK;
  if (fake.start_error != NULL) {
    fake.error_message = fake.start_error;
    fake.status = CONNECTION_BAD;
  }
  return malloc(1);
}

PostgresPollingStatusType pq_connect_poll(PGconn *connection) {
  (void)connection;
  if (fake_fails(FAKE_CONNECT_POLL)) {
    fake.status = CONNECTION_BAD;
    return PGRES_POLLING_FAILED;
  }
  if (fake.polls == NULL || *fake.polls == PGRES_POLLING_OK) {
    return PGRES_POLLING_OK;
  }
  return *fake.polls++;
}

ConnStatusType pq_status(const PGconn *connection) {
  (void)connection;
  return fake.status;
}

int pq_socket_of(const PGconn *connection) {
  (void)connection;
  return fake_fails(FAKE_SOCKET) ? -1 : FAKE_SOCKET_DESCRIPTOR;
}

void pq_finish(PGconn *connection) {
  fake.connections--;
  fake.pending_notifications = 0;
  free(connection);
}

char *pq_error_message(const PGconn *connection) {
  (void)connection;
  static char text[4096];
  (void)snprintf(text, sizeof text, "%s", fake.error_message == NULL ? "" : fake.error_message);
  return text;
}

int pq_needs_password(const PGconn *connection) {
  (void)connection;
  return fake.needs_password;
}

PGVerbosity pq_set_verbosity(PGconn *connection, PGVerbosity verbosity) {
  (void)connection;
  PGVerbosity before = fake.verbosity;
  fake.verbosity = verbosity;
  return before;
}

PQnoticeReceiver pq_set_notice_receiver(PGconn *connection, PQnoticeReceiver receiver, void *argument) {
  (void)connection;
  fake.receiver = receiver;
  fake.receiver_argument = argument;
  return NULL;
}

int pq_set_nonblocking(PGconn *connection, int on) {
  (void)connection;
  fake.nonblocking = on;
  return fake_fails(FAKE_SET_NONBLOCKING) ? -1 : 0;
}

int pq_ssl_in_use(PGconn *connection) {
  (void)connection;
  return fake.tls;
}

int pq_server_version(const PGconn *connection) {
  (void)connection;
  return 150018;
}

int pq_backend_pid(const PGconn *connection) {
  (void)connection;
  return FAKE_PID;
}

// Whether a statement only prepares, begins or ends something, or asks who answers.
static bool is_plain(const char *sql) {
  static const char *const plain[] = {"BEGIN",   "COMMIT", "ROLLBACK", "DEALLOCATE",
                                      "PREPARE", "CLOSE",  "DECLARE",  "SELECT pg_backend_pid"};
  for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
    if (strncmp(sql, plain[i], strlen(plain[i])) == 0) {
      return true;
    }
  }
  return false;
}

static void begin_statement(const char *before, const char *sql) {
  CHECK(!fake.in_statement);
  (void)snprintf(fake.sql, sizeof fake.sql, "%s%s", before, sql);
  if (fake.statement_count < FAKE_STATEMENTS) {
    char *place = fake.statements[fake.statement_count++];
    (void)snprintf(place, sizeof fake.statements[0], "%.99s", fake.sql);
  }
  fake.is_plain = is_plain(fake.sql);
  fake.in_statement = true;
  fake.default_given = false;
  fake.single_row = false;
  fake.busy_left = fake.busy_times;
}

int pq_send_query(PGconn *connection, const char *sql) {
  (void)connection;
  if (fake_fails(FAKE_SEND_QUERY)) {
    return 0;
  }
  begin_statement("", sql);
  fake.parameter_count = 0;
  fake.result_format = 0;
  return 1;
}

static void keep_parameters(int count, const char *const *values) {
  CHECK(count <= FAKE_PARAMETERS);
  fake.parameter_count = count;
  for (int i = 0; i < count; i++) {
    (void)snprintf(fake.parameters[i], sizeof fake.parameters[i], "%s", values[i] == NULL ? "(null)" : values[i]);
  }
}

int pq_send_query_params(PGconn *connection, const char *sql, int count, const Oid *types, const char *const *values,
                         const int *lengths, const int *formats, int result_format) {
  (void)connection;
  CHECK(types == NULL && lengths == NULL && formats == NULL);
  if (fake_fails(FAKE_SEND_QUERY_PARAMS)) {
    return 0;
  }
  begin_statement("", sql);
  keep_parameters(count, values);
  fake.result_format = result_format;
  return 1;
}

int pq_send_prepare(PGconn *connection, const char *name, const char *sql, int count, const Oid *types) {
  (void)connection;
  CHECK(types == NULL && count == 0 && sql != NULL);
  if (fake_fails(FAKE_SEND_PREPARE)) {
    return 0;
  }
  begin_statement("PREPARE ", name);
  (void)snprintf(fake.prepared, sizeof fake.prepared, "%s", sql);
  fake.result_format = 0;
  return 1;
}

int pq_send_query_prepared(PGconn *connection, const char *name, int count, const char *const *values,
                           const int *lengths, const int *formats, int result_format) {
  (void)connection;
  CHECK(lengths == NULL && formats == NULL);
  if (fake_fails(FAKE_SEND_QUERY_PREPARED)) {
    return 0;
  }
  begin_statement("EXECUTE ", name);
  keep_parameters(count, values);
  fake.result_format = result_format;
  return 1;
}

int pq_set_single_row_mode(PGconn *connection) {
  (void)connection;
  fake.single_row = true;
  return fake_fails(FAKE_SET_SINGLE_ROW_MODE) ? 0 : 1;
}

int pq_flush(PGconn *connection) {
  (void)connection;
  if (fake_fails(FAKE_FLUSH)) {
    return -1;
  }
  return fake.unflushed-- > 0 ? 1 : 0;
}

int pq_consume_input(PGconn *connection) {
  (void)connection;
  if (fake_fails(FAKE_CONSUME_INPUT)) {
    fake.status = CONNECTION_BAD;
    return 0;
  }
  fake.pending_notifications += fake.notifications_per_read;
  return 1;
}

int pq_is_busy(PGconn *connection) {
  (void)connection;
  return fake.in_statement && fake.busy_left > 0 && fake.busy_left-- > 0;
}

static PGresult *hand_out(const fake_result *result) {
  handed_out *block = malloc(sizeof *block);
  *block = (handed_out){.definition = result};
  fake.results++;
  if (result->breaks) {
    fake.status = CONNECTION_BAD;
  }
  return (PGresult *)(void *)block;
}

// What answers a plain statement.
static const fake_result *plain_answer(void) {
  static const fake_result command_ok = {.status = PGRES_COMMAND_OK};
  static fake_result pid;
  if (fake.refused != NULL && strncmp(fake.sql, fake.refused, strlen(fake.refused)) == 0) {
    return fake.refusal;
  }
  if (fake.is_plain && strncmp(fake.sql, "SELECT", 6) == 0) {
    pid = (fake_result){.status = PGRES_TUPLES_OK, .rows = 1, .format = 1};
    fake_add_int4(&pid, fake.server_pid);
    return &pid;
  }
  return &command_ok;
}

PGresult *pq_get_result(PGconn *connection) {
  (void)connection;
  static const fake_result lost = {.status = PGRES_FATAL_ERROR,
                                   .message = "server closed the connection unexpectedly\n\tIt was so.\n",
                                   .breaks = true};
  if (fake_fails(FAKE_GET_RESULT)) {
    return hand_out(&lost);
  }
  fake.busy_left = fake.busy_times;
  if (!fake.in_statement) {
    return NULL;
  }
  if (!fake.is_plain && fake.script_next < fake.script_length) {
    const fake_result *next = fake.script[fake.script_next++];
    if (next != NULL) {
      return hand_out(next);
    }
    fake.in_statement = false;
    return NULL;
  }
  if (!fake.default_given) {
    fake.default_given = true;
    return hand_out(plain_answer());
  }
  fake.in_statement = false;
  return NULL;
}

PGnotify *pq_notifies(PGconn *connection) {
  (void)connection;
  if (fake.notice != NULL) {
    const handed_out notice = {.definition = fake.notice};
    fake.notice = NULL;
    fake.receiver(fake.receiver_argument, (const PGresult *)(const void *)&notice);
  }
  if (fake.pending_notifications == 0) {
    return NULL;
  }
  fake.pending_notifications--;
  fake.notifications++;
  return calloc(1, sizeof(PGnotify));
}

// Notifications and texts come back the same way; a text is told by the count of those handed out.
void pq_freemem(void *pointer) {
  if (pointer != NULL) {
    fake.texts > 0 ? fake.texts-- : fake.notifications--;
  }
  free(pointer);
}

int pq_cancel(PGconn *connection, int timeout_ms) {
  (void)connection;
  CHECK(timeout_ms > 0);
  fake.cancels++;
  if (fake.takes_cancel) {
    fake.busy_left = 0;
    fake.ready_times = -1;
  }
  return fake.takes_cancel;
}

char *pq_escape_identifier(PGconn *connection, const char *text, size_t length) {
  (void)connection;
  if (fake_fails(FAKE_ESCAPE_IDENTIFIER)) {
    return NULL;
  }
  char *quoted = malloc(length + 3);
  (void)snprintf(quoted, length + 3, "\"%s\"", text);
  fake.texts++;
  return quoted;
}
