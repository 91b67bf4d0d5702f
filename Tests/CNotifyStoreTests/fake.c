#include "fake.h"

#include <errno.h>
#include <stdlib.h>

#define SOCKET 1000
#define WAKE 1001

fake_state fake;

static fake_result *kept[FAKE_RESULTS * 2];
static int kept_count;
static int wakes;

// A result that libpq handed out: a block of its own, so that the sanitizer sees what is not given back.
typedef struct handed_out {
  const fake_result *definition;
} handed_out;

// Whether this call of the function is the one to fail.
static bool fails(fake_function function) {
  fake.calls[function]++;
  return fake.failing_call > 0 && fake.failing == function && fake.calls[function] == fake.failing_call;
}

static const fake_result *definition(const PGresult *result) {
  return ((const handed_out *)(const void *)result)->definition;
}

static PQconninfoOption *conninfo_parse(const char *conninfo, char **message) {
  *message = NULL;
  if (fails(FAKE_CONNINFO_PARSE)) {
    return NULL;
  }
  PQconninfoOption *options = PQconninfoParse(conninfo, message);
  fake.options += options != NULL;
  fake.texts += *message != NULL;
  return options;
}

static void conninfo_free(PQconninfoOption *options) {
  fake.options -= options != NULL;
  PQconninfoFree(options);
}

static PGconn *connect_start(const char *const *keywords, const char *const *values, int expand_dbname) {
  (void)keywords;
  (void)values;
  (void)expand_dbname;
  if (fails(FAKE_CONNECT_START)) {
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

static PostgresPollingStatusType connect_poll(PGconn *connection) {
  (void)connection;
  if (fails(FAKE_CONNECT_POLL)) {
    fake.status = CONNECTION_BAD;
    return PGRES_POLLING_FAILED;
  }
  if (fake.polls == NULL || *fake.polls == PGRES_POLLING_OK) {
    return PGRES_POLLING_OK;
  }
  return *fake.polls++;
}

static ConnStatusType status(const PGconn *connection) {
  (void)connection;
  return fake.status;
}

static int socket_of(const PGconn *connection) {
  (void)connection;
  return fails(FAKE_SOCKET) ? -1 : SOCKET;
}

static void finish(PGconn *connection) {
  fake.connections--;
  fake.pending_notifications = 0;
  free(connection);
}

static char *error_message(const PGconn *connection) {
  (void)connection;
  static char text[4096];
  (void)snprintf(text, sizeof text, "%s", fake.error_message == NULL ? "" : fake.error_message);
  return text;
}

static int needs_password(const PGconn *connection) {
  (void)connection;
  return fake.needs_password;
}

static PGVerbosity set_verbosity(PGconn *connection, PGVerbosity verbosity) {
  (void)connection;
  PGVerbosity before = fake.verbosity;
  fake.verbosity = verbosity;
  return before;
}

static PQnoticeReceiver set_notice_receiver(PGconn *connection, PQnoticeReceiver receiver, void *argument) {
  (void)connection;
  fake.receiver = receiver;
  fake.receiver_argument = argument;
  return NULL;
}

static int set_nonblocking(PGconn *connection, int on) {
  (void)connection;
  fake.nonblocking = on;
  return fails(FAKE_SET_NONBLOCKING) ? -1 : 0;
}

static int ssl_in_use(PGconn *connection) {
  (void)connection;
  return fake.tls;
}

static int server_version(const PGconn *connection) {
  (void)connection;
  return 150018;
}

static int backend_pid(const PGconn *connection) {
  (void)connection;
  return 4711;
}

static void begin_statement(const char *sql) {
  (void)snprintf(fake.sql, sizeof fake.sql, "%s", sql);
  fake.in_statement = true;
  fake.default_given = false;
  fake.single_row = false;
  fake.busy_left = fake.busy_times;
}

static int send_query(PGconn *connection, const char *sql) {
  (void)connection;
  if (fails(FAKE_SEND_QUERY)) {
    return 0;
  }
  begin_statement(sql);
  fake.parameter_count = 0;
  fake.result_format = 0;
  return 1;
}

static int send_query_params(PGconn *connection, const char *sql, int count, const Oid *types,
                             const char *const *values, const int *lengths, const int *formats, int result_format) {
  (void)connection;
  CHECK(types == NULL && lengths == NULL && formats == NULL && count <= 10);
  if (fails(FAKE_SEND_QUERY_PARAMS)) {
    return 0;
  }
  begin_statement(sql);
  fake.parameter_count = count;
  fake.result_format = result_format;
  for (int i = 0; i < count; i++) {
    (void)snprintf(fake.parameters[i], sizeof fake.parameters[i], "%s", values[i] == NULL ? "(null)" : values[i]);
  }
  return 1;
}

static int set_single_row_mode(PGconn *connection) {
  (void)connection;
  fake.single_row = true;
  return fails(FAKE_SET_SINGLE_ROW_MODE) ? 0 : 1;
}

static int flush(PGconn *connection) {
  (void)connection;
  if (fails(FAKE_FLUSH)) {
    return -1;
  }
  return fake.unflushed-- > 0 ? 1 : 0;
}

static int consume_input(PGconn *connection) {
  (void)connection;
  if (fails(FAKE_CONSUME_INPUT)) {
    fake.status = CONNECTION_BAD;
    return 0;
  }
  fake.pending_notifications += fake.notifications_per_read;
  return 1;
}

static int is_busy(PGconn *connection) {
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

static PGresult *get_result(PGconn *connection) {
  (void)connection;
  static const fake_result command_ok = {.status = PGRES_COMMAND_OK};
  static const fake_result lost = {.status = PGRES_FATAL_ERROR,
                                   .message = "server closed the connection unexpectedly\n\tIt was so.\n",
                                   .breaks = true};
  if (fails(FAKE_GET_RESULT)) {
    return hand_out(&lost);
  }
  fake.busy_left = fake.busy_times;
  if (!fake.in_statement) {
    return NULL;
  }
  if (fake.script_next < fake.script_length) {
    const fake_result *next = fake.script[fake.script_next++];
    if (next != NULL) {
      return hand_out(next);
    }
    fake.in_statement = false;
    return NULL;
  }
  if (!fake.default_given) {
    fake.default_given = true;
    return hand_out(&command_ok);
  }
  fake.in_statement = false;
  return NULL;
}

static PGnotify *notifies(PGconn *connection) {
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
static void freemem(void *pointer) {
  if (pointer != NULL) {
    fake.texts > 0 ? fake.texts-- : fake.notifications--;
  }
  free(pointer);
}

static char *escape_identifier(PGconn *connection, const char *text, size_t length) {
  (void)connection;
  if (fails(FAKE_ESCAPE_IDENTIFIER)) {
    return NULL;
  }
  char *quoted = malloc(length + 3);
  (void)snprintf(quoted, length + 3, "\"%s\"", text);
  fake.texts++;
  return quoted;
}

static ExecStatusType result_status(const PGresult *result) {
  return definition(result)->status;
}

static char *result_error_field(const PGresult *result, int field) {
  const fake_result *of = definition(result);
  switch (field) {
    case PG_DIAG_SEVERITY_NONLOCALIZED:
      return (char *)(uintptr_t)of->severity;
    case PG_DIAG_SQLSTATE:
      return (char *)(uintptr_t)of->sqlstate;
    case PG_DIAG_MESSAGE_PRIMARY:
      return (char *)(uintptr_t)of->primary;
    case PG_DIAG_MESSAGE_HINT:
      return (char *)(uintptr_t)of->hint;
    case PG_DIAG_MESSAGE_DETAIL:
      return (char *)(uintptr_t)of->detail;
    default:
      return NULL;
  }
}

static char *result_error_message(const PGresult *result) {
  const fake_result *of = definition(result);
  return (char *)(uintptr_t)(of->message == NULL ? "" : of->message);
}

static int rows(const PGresult *result) {
  return definition(result)->rows;
}

static int columns(const PGresult *result) {
  return definition(result)->columns;
}

static Oid column_type(const PGresult *result, int column) {
  return definition(result)->values[column].type;
}

static int column_format(const PGresult *result, int column) {
  (void)column;
  return definition(result)->format;
}

static int is_null(const PGresult *result, int row, int column) {
  (void)row;
  return definition(result)->values[column].is_null;
}

static int length(const PGresult *result, int row, int column) {
  (void)row;
  return definition(result)->values[column].length;
}

static char *value(const PGresult *result, int row, int column) {
  (void)row;
  return (char *)(uintptr_t)definition(result)->values[column].bytes;
}

static void clear(PGresult *result) {
  fake.results -= result != NULL;
  free(result);
}

static int event_open(unsigned initial, int flags) {
  (void)initial;
  (void)flags;
  if (fails(FAKE_EVENT_OPEN)) {
    return -1;
  }
  fake.descriptors++;
  return WAKE;
}

static int event_close(int descriptor) {
  CHECK_EQUAL(descriptor, WAKE);
  fake.descriptors--;
  return 0;
}

static ssize_t event_read(int descriptor, void *buffer, size_t size) {
  (void)descriptor;
  uint64_t count = (uint64_t)wakes;
  if (wakes == 0 || size != sizeof count) {
    errno = EAGAIN;
    return -1;
  }
  memcpy(buffer, &count, sizeof count);
  wakes = 0;
  return (ssize_t)size;
}

static ssize_t event_write(int descriptor, const void *buffer, size_t size) {
  (void)descriptor;
  (void)buffer;
  wakes++;
  return (ssize_t)size;
}

static int wait_for(struct pollfd *descriptors, nfds_t count, int timeout_ms) {
  CHECK(timeout_ms >= 0);
  if (fails(FAKE_WAIT_FOR)) {
    errno = fake.wait_errno;
    return -1;
  }
  int ready = 0;
  for (nfds_t i = 0; i < count; i++) {
    descriptors[i].revents = 0;
    if (descriptors[i].fd == WAKE && wakes > 0) {
      descriptors[i].revents = POLLIN;
      ready++;
    } else if (descriptors[i].fd == SOCKET && fake.ready_times != 0) {
      descriptors[i].revents = fake.revents != 0 ? fake.revents : descriptors[i].events;
      fake.ready_times -= fake.ready_times > 0;
      ready++;
    }
  }
  if (ready == 0) {
    fake.now_ms += timeout_ms;
  }
  return ready;
}

static int64_t now_ms(void) {
  return fake.now_ms;
}

static void *allocate(size_t size) {
  if (fails(FAKE_ALLOCATE)) {
    return NULL;
  }
  fake.allocations++;
  return malloc(size);
}

static void deallocate(void *pointer) {
  fake.allocations -= pointer != NULL;
  free(pointer);
}

static const notify_store_libpq table = {
    .conninfo_parse = conninfo_parse,
    .conninfo_free = conninfo_free,
    .freemem = freemem,
    .connect_start = connect_start,
    .connect_poll = connect_poll,
    .status = status,
    .socket = socket_of,
    .finish = finish,
    .error_message = error_message,
    .needs_password = needs_password,
    .set_verbosity = set_verbosity,
    .set_notice_receiver = set_notice_receiver,
    .set_nonblocking = set_nonblocking,
    .ssl_in_use = ssl_in_use,
    .server_version = server_version,
    .backend_pid = backend_pid,
    .send_query = send_query,
    .send_query_params = send_query_params,
    .set_single_row_mode = set_single_row_mode,
    .flush = flush,
    .consume_input = consume_input,
    .is_busy = is_busy,
    .get_result = get_result,
    .notifies = notifies,
    .escape_identifier = escape_identifier,
    .result_status = result_status,
    .result_error_field = result_error_field,
    .result_error_message = result_error_message,
    .rows = rows,
    .columns = columns,
    .column_type = column_type,
    .column_format = column_format,
    .is_null = is_null,
    .length = length,
    .value = value,
    .clear = clear,
    .event_open = event_open,
    .event_close = event_close,
    .event_read = event_read,
    .event_write = event_write,
    .wait_for = wait_for,
    .now_ms = now_ms,
    .allocate = allocate,
    .deallocate = deallocate,
};

const notify_store_libpq *fake_table(void) {
  return &table;
}

const notify_store_libpq *fake_reset(void) {
  for (int i = 0; i < kept_count; i++) {
    free(kept[i]);
  }
  kept_count = 0;
  wakes = 0;
  memset(&fake, 0, sizeof fake);
  fake.ready_times = -1;
  fake.now_ms = 1000;
  fake.wait_errno = EBADF;
  return &table;
}

notify_store *fake_store(void) {
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_connect(store, "host=db user=u password=hunter2 dbname=d", "test", 1000), NOTIFY_STORE_OK);
  memset(fake.calls, 0, sizeof fake.calls);
  return store;
}

void fake_finish(notify_store *store) {
  notify_store_destroy(store);
  CHECK_EQUAL(fake.connections, 0);
  CHECK_EQUAL(fake.results, 0);
  CHECK_EQUAL(fake.notifications, 0);
  CHECK_EQUAL(fake.allocations, 0);
  CHECK_EQUAL(fake.descriptors, 0);
  CHECK_EQUAL(fake.options, 0);
  CHECK_EQUAL(fake.texts, 0);
  (void)fake_reset();
}

void fake_answer(const fake_result *result) {
  CHECK(fake.script_length < FAKE_RESULTS);
  fake.script[fake.script_length++] = result;
}

static fake_result *keep(fake_result result) {
  fake_result *block = malloc(sizeof *block);
  *block = result;
  kept[kept_count++] = block;
  return block;
}

fake_result *fake_row(void) {
  return keep((fake_result){.status = PGRES_SINGLE_TUPLE, .rows = 1, .format = 1});
}

fake_result *fake_end_of_rows(void) {
  return keep((fake_result){.status = PGRES_TUPLES_OK, .format = 1});
}

fake_result *fake_error(const char *severity, const char *sqlstate, const char *primary) {
  return keep(
      (fake_result){.status = PGRES_FATAL_ERROR, .severity = severity, .sqlstate = sqlstate, .primary = primary});
}

static void add_number(fake_result *result, Oid type, int size, uint64_t number) {
  fake_value *place = &result->values[result->columns++];
  *place = (fake_value){.type = type, .length = size};
  for (int i = 0; i < size; i++) {
    place->bytes[i] = (char)(unsigned char)(number >> (8 * (size - 1 - i)));
  }
}

void fake_add_int4(fake_result *result, int32_t value) {
  add_number(result, FAKE_INT4, 4, (uint32_t)value);
}

void fake_add_int8(fake_result *result, int64_t value) {
  add_number(result, FAKE_INT8, 8, (uint64_t)value);
}

void fake_add_xid8(fake_result *result, uint64_t value) {
  add_number(result, FAKE_XID8, 8, value);
}

void fake_add_bool(fake_result *result, bool value) {
  add_number(result, FAKE_BOOL, 1, value);
}

void fake_add_timestamp(fake_result *result, int64_t microseconds_since_2000) {
  add_number(result, FAKE_TIMESTAMPTZ, 8, (uint64_t)microseconds_since_2000);
}

void fake_add_text(fake_result *result, const char *text) {
  if (text == NULL) {
    fake_add_null(result, FAKE_TEXT);
    return;
  }
  fake_value *place = &result->values[result->columns++];
  *place = (fake_value){.type = FAKE_TEXT, .length = (int)strlen(text)};
  (void)snprintf(place->bytes, sizeof place->bytes, "%s", text);
}

void fake_add_null(fake_result *result, Oid type) {
  result->values[result->columns++] = (fake_value){.type = type, .is_null = true};
}

fake_result *fake_snapshot(const char *text) {
  fake_result *row = fake_row();
  fake_add_int4(row, 0);
  fake_add_null(row, FAKE_INT4);
  fake_add_null(row, FAKE_INT8);
  fake_add_null(row, FAKE_XID8);
  fake_add_null(row, FAKE_TIMESTAMPTZ);
  fake_add_null(row, FAKE_BOOL);
  fake_add_null(row, FAKE_BOOL);
  fake_add_null(row, FAKE_BOOL);
  fake_add_null(row, FAKE_TEXT);
  fake_add_text(row, text);
  return row;
}

fake_result *fake_delta_row(int64_t id, uint64_t txid, const char *user, const char *data) {
  fake_result *row = fake_row();
  fake_add_int4(row, 1);
  fake_add_null(row, FAKE_INT4);
  fake_add_int8(row, id);
  fake_add_xid8(row, txid);
  fake_add_timestamp(row, 0);
  fake_add_bool(row, false);
  fake_add_null(row, FAKE_BOOL);
  fake_add_null(row, FAKE_BOOL);
  fake_add_text(row, user);
  fake_add_text(row, data);
  return row;
}

fake_result *fake_replay_row(int32_t request, int64_t id, uint64_t txid, bool truncated, bool more) {
  fake_result *row = fake_row();
  fake_add_int4(row, 1);
  fake_add_int4(row, request);
  if (id == 0) {
    fake_add_null(row, FAKE_INT8);
    fake_add_null(row, FAKE_XID8);
    fake_add_null(row, FAKE_TIMESTAMPTZ);
    fake_add_null(row, FAKE_BOOL);
  } else {
    fake_add_int8(row, id);
    fake_add_xid8(row, txid);
    fake_add_timestamp(row, 0);
    fake_add_bool(row, true);
  }
  fake_add_bool(row, truncated);
  fake_add_bool(row, more);
  fake_add_text(row, id == 0 ? NULL : "7");
  fake_add_text(row, id == 0 ? NULL : "{}");
  return row;
}

fake_result *fake_unsent_row(const char *user, int64_t count, uint64_t oldest) {
  fake_result *row = fake_delta_row(count, oldest, user, NULL);
  row->values[4] = (fake_value){.type = FAKE_TIMESTAMPTZ, .is_null = true};
  row->values[5] = (fake_value){.type = FAKE_BOOL, .is_null = true};
  return row;
}

void fake_answer_marking(int64_t rows, uint64_t xid) {
  fake_result *row = fake_row();
  row->status = PGRES_TUPLES_OK;
  fake_add_int8(row, rows);
  if (rows == 0) {
    fake_add_null(row, FAKE_XID8);
  } else {
    fake_add_xid8(row, xid);
  }
  fake_answer(row);
  fake_answer(NULL);
}
