// A libpq without a server. A test says what each statement's answer is and what fails; the fake counts what the store
// still holds, so that a leak is seen without waiting for the sanitizer.

#ifndef FAKE_H
#define FAKE_H

#include "check.h"
#include "notify_store_libpq.h"

#define FAKE_BOOL 16
#define FAKE_INT8 20
#define FAKE_INT4 23
#define FAKE_TEXT 25
#define FAKE_TIMESTAMPTZ 1184
#define FAKE_XID8 5069

// The process id in the key data.
#define FAKE_PID 4711

#define FAKE_COLUMNS 14
#define FAKE_PARAMETERS 16
#define FAKE_STATEMENTS 64
#define FAKE_RESULTS 64
#define FAKE_SQL_SIZE 16384

typedef struct fake_value {
  Oid type;
  int length;
  bool is_null;
  char bytes[128];
} fake_value;

// One result that the fake hands out; `columns` values in one row, or none where `rows` is 0.
typedef struct fake_result {
  ExecStatusType status;
  int rows;
  int columns;
  int format;
  fake_value values[FAKE_COLUMNS];
  const char *severity;
  const char *sqlstate;
  const char *primary;
  const char *hint;
  const char *detail;
  const char *context;
  const char *message;
  // PQstatus says CONNECTION_BAD once this result was handed out.
  bool breaks;
} fake_result;

// The functions of which a single call can be made to fail.
typedef enum fake_function {
  FAKE_CONNECT_START,
  FAKE_CONNECT_POLL,
  FAKE_SOCKET,
  FAKE_SET_NONBLOCKING,
  FAKE_SEND_QUERY,
  FAKE_SEND_QUERY_PARAMS,
  FAKE_SEND_PREPARE,
  FAKE_SEND_QUERY_PREPARED,
  FAKE_SET_SINGLE_ROW_MODE,
  FAKE_FLUSH,
  FAKE_CONSUME_INPUT,
  FAKE_GET_RESULT,
  FAKE_ESCAPE_IDENTIFIER,
  FAKE_CONNINFO_PARSE,
  FAKE_EVENT_OPEN,
  FAKE_WAIT_FOR,
  FAKE_ALLOCATE,
  FAKE_FUNCTIONS,
} fake_function;

typedef struct fake_state {
  // What the store holds.
  int connections;
  int results;
  int notifications;
  int allocations;
  int descriptors;
  int options;
  int texts;

  // How often each function was called, and which call of which one fails (the first is 1; 0 for none).
  int calls[FAKE_FUNCTIONS];
  fake_function failing;
  int failing_call;

  // Connecting.
  const char *start_error;
  ConnStatusType status;
  const char *error_message;
  int needs_password;
  const PostgresPollingStatusType *polls;
  PGVerbosity verbosity;
  int nonblocking;
  PQnoticeReceiver receiver;
  void *receiver_argument;
  int tls;

  // The clock moves only where time passes in poll().
  int64_t now_ms;
  // poll() finds the connection ready for so many calls; then nothing comes, and the time passes. -1 for always ready.
  int ready_times;
  // errno of the failing call of poll().
  int wait_errno;
  // Revents of the connection's descriptor when it is ready.
  short revents;

  // PQisBusy says so before each result, so often.
  int busy_times;
  int busy_left;
  // A request to cancel is taken, and ends the statement.
  bool takes_cancel;
  int cancels;
  // PQflush has something left, so often.
  int unflushed;
  // Notifications that stand in libpq's buffer.
  int pending_notifications;
  // Each PQconsumeInput adds so many, and at the same time this notice where it is not NULL.
  int notifications_per_read;
  const fake_result *notice;

  // What statements answer: results in turn; a NULL ends a statement. After the script each statement is answered by
  // one COMMAND_OK, and so are always those that only prepare, begin or end something.
  const fake_result *script[FAKE_RESULTS];
  int script_length;
  int script_next;
  bool in_statement;
  bool default_given;
  // The present statement takes nothing of the script.
  bool is_plain;
  // What a plain statement that begins with this text answers instead.
  const char *refused;
  const fake_result *refusal;
  // What pg_backend_pid() says where it is not the connection's key data: then a pooler is in between.
  int server_pid;
  // The beginnings of all statements so far; "EXECUTE" and "PREPARE" stand before a name.
  char statements[FAKE_STATEMENTS][100];
  int statement_count;
  // The last statement and its parameters.
  char sql[FAKE_SQL_SIZE];
  // The text that was prepared last.
  char prepared[FAKE_SQL_SIZE];
  char parameters[FAKE_PARAMETERS][FAKE_SQL_SIZE];
  int parameter_count;
  int result_format;
  bool single_row;
} fake_state;

extern fake_state fake;

// Forgets everything, and connects nothing. The table is the same each time.
const notify_store_libpq *fake_reset(void);
// The table alone.
const notify_store_libpq *fake_table(void);
// A store that is connected to the fake; the script may be set after this.
notify_store *fake_store(void);
// The same, through a pooler.
notify_store *fake_pooled_store(void);
// Checks which statements were sent since the last check, by their beginnings; NULL ends them.
void fake_sent(const char *const *beginnings);
// Destroys the store and checks that nothing is held any more.
void fake_finish(notify_store *store);

// Adds a result to the script; NULL ends a statement.
void fake_answer(const fake_result *result);

// Results. They live until the next fake_reset.
fake_result *fake_row(void);
fake_result *fake_end_of_rows(void);
fake_result *fake_error(const char *severity, const char *sqlstate, const char *primary);
void fake_add_int4(fake_result *result, int32_t value);
void fake_add_int8(fake_result *result, int64_t value);
void fake_add_xid8(fake_result *result, uint64_t value);
void fake_add_bool(fake_result *result, bool value);
void fake_add_timestamp(fake_result *result, int64_t microseconds_since_2000);
void fake_add_text(fake_result *result, const char *text);
void fake_add_null(fake_result *result, Oid type);

// The items of streams: eight columns.
fake_result *fake_snapshot(const char *text);
// The same with the three columns that only a replay has.
fake_result *fake_replay_snapshot(const char *text);
// A row of the table with number 1.
fake_result *fake_delta_row(int64_t id, uint64_t txid, const char *user, const char *data);
// A row of any table; `id_text` NULL for one with integers.
fake_result *fake_source_row(int32_t source, int64_t id, const char *id_text, uint64_t txid);
fake_result *fake_revocation(uint64_t txid, const char *user, const char *credential, const char *text);
// `id` 0 makes the row of a request without rows.
fake_result *fake_replay_row(int32_t request, int64_t id, uint64_t txid, bool truncated, bool more);
fake_result *fake_unsent_row(const char *user, int64_t count, uint64_t oldest);
// The answer to a marking of so many rows.
void fake_answer_marking(int64_t rows, uint64_t xid);

#endif
