// Declarations shared by the files of this module. Names begin with `ns_`; none is visible outside the library.
//
// Calls go one way, from the top: wait, delta, replay, probe, mark, write, query, connect -> source, prepare, stream ->
// exchange -> template, row, conninfo, errors -> close, value, text, message, libpq.
//
// A statement goes through these steps, each with the same deadline:
//   ns_begin   forgets the last error, drops the rest of an unfinished stream
//   ns_send    hands the statement to libpq and flushes
//   ns_result  waits for the next result, counting the notifications that come along
// `ns_run` does the last two for a statement whose answer is kept whole.

#ifndef NOTIFY_STORE_INTERNAL_H
#define NOTIFY_STORE_INTERNAL_H

#include <stdarg.h>

#include "notify_store.h"
#include "notify_store_keys.h"
#include "notify_store_libpq.h"

#pragma GCC visibility push(hidden)

#define NS_MESSAGE_SIZE 1024
#define NS_HINT_SIZE 512
#define NS_SQLSTATE_SIZE 6

typedef enum ns_stream_kind {
  NS_STREAM_NONE,
  NS_STREAM_DELTA,
  NS_STREAM_REPLAY,
  NS_STREAM_UNSENT,
  // Keys of a delta, from its cursor.
  NS_STREAM_KEYS,
  // Rows by their keys.
  NS_STREAM_ROWS,
} ns_stream_kind;

// A stream that is being read. All zero when there is none.
typedef struct ns_stream {
  ns_stream_kind kind;
  // The result that the caller's last item points into, NULL when there is none.
  PGresult *result;
  // A REQUEST item was made of `result`; the row in it comes with the next call.
  bool row_pending;
  bool has_snapshot;
  // The server has announced that no further row comes.
  bool complete;
  // Rows by their keys: the statement was cancelled because of its deadline.
  bool is_cancelled;
  // Replay and rows by their keys: how many were asked for, and how many have been answered so far.
  uint32_t request_count;
  uint32_t requests_seen;
  // The last row's place, to see that the next one comes after it.
  bool has_place;
  uint64_t place_txid;
  int32_t place_source;
  int64_t place_id;
} ns_stream;

// A served table: what its markings need.
typedef struct ns_source {
  int32_t number;
  notify_store_kind id_kind;
  // Complete statements, given back by `ns_sources_free`. NULL: the table has no column for it.
  char *mark_sql;
  char *left_sql;
  char *read_sql;
  char *insert_sql;
} ns_source;

// The served tables and the statements that read them.
typedef struct ns_sources {
  ns_source *list;
  size_t count;
  char *delta_sql;
  char *unsent_sql;
  char *replay_sql;
  // For where a payload fails: keys without payloads, and rows by their keys.
  char *delta_keys_sql;
  char *replay_keys_sql;
  char *rows_sql;
} ns_sources;

struct notify_store {
  const notify_store_libpq *pq;
  // NULL when not connected.
  PGconn *connection;
  // Never changes during the store's life: `notify_store_wake` reads it from other threads.
  int wake_descriptor;
  // Notifications taken from libpq and not yet reported by `notify_store_wait`.
  unsigned doorbells;
  // A statement was sent, and its last result has not been read.
  bool in_flight;
  notify_store_pooler pooler;
  // Whether this connection is treated as a pooler's.
  bool pooled;
  // How long the connection's statements wait for a lock on a table; 0: for ever.
  int lock_wait_ms;
  // Pooled: a transaction of ours is open.
  bool in_transaction;
  // Which `ns_prepared` were prepared on this connection for these tables: a bit for each.
  unsigned prepared;
  // Who tells a silent link from a slow statement; NULL: nobody.
  bool (*is_silent)(void *context);
  void *silence_context;
  int silence_ms;
  // When that one is asked next, while a statement is under way.
  int64_t ask_at;
  ns_sources sources;
  // Bytes of a row's text; a longer one is not sent.
  uint32_t row_bytes;
  // The first keys of a delta's cursor come with its snapshot.
  bool keys_begin;
  ns_stream stream;
  notify_store_error error;
  char message[NS_MESSAGE_SIZE];
  char hint[NS_HINT_SIZE];
  // The notice with which a server ends the session before it closes the connection. Empty where none came.
  char farewell_sqlstate[NS_SQLSTATE_SIZE];
  char termination_message[NS_MESSAGE_SIZE];
};

struct notify_store_result {
  const notify_store_libpq *pq;
  PGresult *result;
};

// ----------------------------------------------------------------------------------------------------------- close.c

// Frees what the stream holds; `ns_begin` drops what the server still sends. The connection ends by
// `notify_store_close`.
void ns_stream_end(notify_store *store);

// ---------------------------------------------------------------------------------------------------------- errors.c

void ns_forget_error(notify_store *store);
// Notes a failure and returns its status. Whether it is retriable follows from the status and the SQLSTATE.
notify_store_status ns_fail(notify_store *store, notify_store_status status, const char *sqlstate, const char *format,
                            ...) __attribute__((format(printf, 4, 5)));
notify_store_status ns_fail_memory(notify_store *store);
// The connection broke: notes libpq's text or the server's termination message, and closes it.
notify_store_status ns_fail_lost(notify_store *store);
// The server answered with an error: SERVER_ERROR, or CONNECTION_LOST where that error ended the session.
notify_store_status ns_fail_result(notify_store *store, const PGresult *result);
// Whether a failure with this SQLSTATE (or none, when empty) can pass by itself.
bool ns_is_retriable(notify_store_status status, const char *sqlstate);

// --------------------------------------------------------------------------------------------------------- message.c

// Copies `text` as one line: control characters become blanks, and it is cut between characters.
void ns_copy_line(char *out, size_t size, const char *text, size_t length);
// Shortens libpq's text, which may have several lines, for several hosts, in verbose form, to one line and a SQLSTATE.
void ns_digest(const char *text, char *message, size_t size, char sqlstate[NS_SQLSTATE_SIZE]);
void ns_set_sqlstate(char out[NS_SQLSTATE_SIZE], const char *sqlstate);

// -------------------------------------------------------------------------------------------------------- conninfo.c

// Parses a connection string. Where it can't, `problem` receives a line with no part of the string in it.
// Else `options` receives what libpq parsed (free with `conninfo_free`).
notify_store_status ns_conninfo_parse(const notify_store_libpq *pq, const char *conninfo, PQconninfoOption **options,
                                      const char **problem);
// The fault of a connection string, by the text with which libpq refuses it; NULL where the text does not name it.
const char *ns_conninfo_problem(const char *text);
// Overwrites every appearance of a password in `line` by asterisks.
void ns_conninfo_redact(const PQconninfoOption *options, char *line);

// -------------------------------------------------------------------------------------------------------- exchange.c

int64_t ns_deadline(const notify_store *store, int timeout_ms);
int ns_remaining(const notify_store *store, int64_t deadline);
// Waits until the connection's socket is ready. NOTIFY_STORE_TIMEOUT leaves the connection as it is and notes nothing.
notify_store_status ns_poll(notify_store *store, short events, int64_t deadline, short *ready);
notify_store_status ns_begin(notify_store *store, int timeout_ms, int64_t *deadline);
// How long a server may take to confirm that it has cancelled a statement, and as long again to end its answer.
#define NS_CANCEL_MS 1000
// Cancels the statement under way and drops its answer. False where that was not confirmed in time.
bool ns_cancel(notify_store *store);

typedef struct ns_statement {
  const char *sql;
  // Settings to make first where the session has none: behind a pooler the statement runs in its own transaction. NULL
  // where it needs none.
  const char *settings;
  // Of a prepared statement; NULL for one that isn't. `prepare` prepares `sql` under that name, without it it is run.
  const char *name;
  bool prepare;
  int count;
  const char *const *parameters;
  // Without this the answer is text, and several statements without parameters are allowed.
  bool binary;
  bool stream;
} ns_statement;

notify_store_status ns_send(notify_store *store, const ns_statement *statement, int64_t deadline);
// NULL in `out` when the statement is over; else the caller clears the result.
notify_store_status ns_result(notify_store *store, int64_t deadline, PGresult **out);
// Ends the transaction that `ns_send` has begun, if any.
notify_store_status ns_commit(notify_store *store, int64_t deadline);
// The last result, whose status is success; the caller clears it.
notify_store_status ns_run(notify_store *store, const ns_statement *statement, int64_t deadline, PGresult **out);
// Counts the notifications that libpq holds.
void ns_collect(notify_store *store);
// Drops the results of an unfinished statement that libpq already holds, without waiting.
void ns_discard_buffered(notify_store *store);

// --------------------------------------------------------------------------------------------------------- prepare.c

// Statements that run often and alike: the server plans each once for a connection and a list of tables.
typedef enum ns_prepared { NS_PREPARED_DELTA, NS_PREPARED_REPLAY, NS_PREPARED_ROWS } ns_prepared;

// NULL behind a pooler, where nothing is prepared: the next transaction may be in another session.
const char *ns_prepared_name(const notify_store *store, ns_prepared statement);
// Prepares a statement where that has to be done and was not yet.
notify_store_status ns_prepare(notify_store *store, ns_prepared statement, const char *sql, int64_t deadline);

// ----------------------------------------------------------------------------------------------------------- value.c

// A value of the first row of a binary result. Each function is false where the type, the length or a NULL is not as
// expected.
typedef struct ns_answer {
  const notify_store_libpq *pq;
  const PGresult *result;
} ns_answer;

bool ns_int4(ns_answer answer, int column, int32_t *out);
bool ns_int8(ns_answer answer, int column, int64_t *out);
bool ns_int8_at(ns_answer answer, int row, int column, int64_t *out);
bool ns_xid8(ns_answer answer, int column, uint64_t *out);
bool ns_bool(ns_answer answer, int column, bool *out);
// Microseconds since 1970. SQL NULL gives `has` false.
bool ns_timestamp(ns_answer answer, int column, bool *has, int64_t *out);
// Not NUL-terminated. SQL NULL gives a NULL pointer.
bool ns_string(ns_answer answer, int column, const char **out, size_t *length);
bool ns_is_null(ns_answer answer, int column);

// ------------------------------------------------------------------------------------------------------------ text.c

// A text under construction. Once memory was short, `failed` is set and nothing more is added.
typedef struct ns_text {
  const notify_store_libpq *pq;
  // NUL-terminated unless `failed`; given back by `ns_text_free`.
  char *bytes;
  size_t length;
  size_t capacity;
  bool failed;
} ns_text;

void ns_text_begin(ns_text *text, const notify_store_libpq *pq);
void ns_text_add(ns_text *text, const char *more);
void ns_text_add_bytes(ns_text *text, const char *more, size_t length);
// An SQL identifier, quoted.
void ns_text_add_identifier(ns_text *text, const char *name);
// Of a session with standard_conforming_strings.
void ns_text_add_literal(ns_text *text, const char *value);
void ns_text_free(ns_text *text);

// Elements of an SQL array literal: `ns_array_begin` opens it, `ns_array_end` closes it.
void ns_array_begin(ns_text *array, const notify_store_libpq *pq);
// `element` must need no quotes, or have them already.
void ns_array_add(ns_text *array, const char *element);
void ns_array_add_int64(ns_text *array, int64_t value);
void ns_array_add_uint64(ns_text *array, uint64_t value);
// Quotes the element; NULL is SQL NULL.
void ns_array_add_text(ns_text *array, const char *element);
void ns_array_end(ns_text *array);

// -------------------------------------------------------------------------------------------------------- template.c

// Adds a template of sql/, its placeholders filled in for this table.
void ns_text_add_template(ns_text *text, const char *template, const notify_store_source *source);

#define NS_JOINED_PARTS 2

// A statement in which each table has one part or two. Where `sql` names a part in braces, the tables' parts stand,
// joined by UNION ALL, or `without_tables` where there is no table.
typedef struct ns_joined {
  const char *sql;
  struct {
    const char *name;
    const char *sql;
    const char *without_tables;
  } parts[NS_JOINED_PARTS];
} ns_joined;

void ns_text_add_joined(ns_text *text, const ns_joined *form, const notify_store_source *sources, size_t count);

// ----------------------------------------------------------------------------------------------------------- source.c

// The settings that `notify_store_connect` makes for the session, and behind a pooler each transaction for itself.
extern const char ns_read_settings[];
// The same for a marking, which a session has from its user: it waits for no lock and runs not for long. It fires
// triggers of the backend, which have the role's own search_path.
extern const char ns_mark_settings[];
// The same for a statement that reads whole tables.
extern const char ns_scan_settings[];

// A list of tables that lacks something is a bad argument.
notify_store_status ns_sources_check(notify_store *store, const notify_store_source *sources, size_t count);
// Makes sure that there are statements: those of `public.notification` where nothing else is served.
notify_store_status ns_sources_need(notify_store *store);
// NULL where no served table has this number.
const ns_source *ns_source_find(const notify_store *store, int32_t number);
void ns_sources_free(notify_store *store);

// ---------------------------------------------------------------------------------------------------------- stream.c

// Starts a stream of the columns that row.c reads.
notify_store_status ns_stream_start(notify_store *store, ns_stream_kind kind, const ns_statement *statement,
                                    int64_t deadline);
// ------------------------------------------------------------------------------------------------------------- row.c

// Reads the one row of `stream->result` into `out`. False where its shape or its order is wrong.
bool ns_row_read(const notify_store_libpq *pq, ns_stream *stream, notify_store_row *out);

#pragma GCC visibility pop

#endif
