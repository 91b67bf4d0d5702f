/// The module that keeps Notification rows in PostgreSQL, usable from any C program.
///
/// One `notify_store` is one connection, spoken to by non-blocking libpq. Every call that waits takes a timeout in
/// milliseconds and gives control back when it has passed. A store belongs to one thread at a time; the only function
/// that may be called from another one is `notify_store_wake`.
///
/// Ownership: a pointer that a function returns through `_create` or an `out` parameter belongs to the caller, who
/// gives it to the destructor of its kind. Pointers inside a `notify_store_row` and strings returned as `const char *`
/// belong to the store or the result and live as long as their comment says.
///
/// Errors: every function that can fail returns a `notify_store_status`; `notify_store_last_error` has the
/// details.

#ifndef NOTIFY_STORE_H
#define NOTIFY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NOTIFY_STORE_CHECKED __attribute__((warn_unused_result))

/// How a call ended.
typedef enum notify_store_status {
  NOTIFY_STORE_OK = 0,
  /// A stream has no further row.
  NOTIFY_STORE_END = 1,
  /// Timed out. A statement that was under way is cancelled; where the server does not confirm that within two seconds,
  /// the connection is closed (`notify_store_is_connected`).
  NOTIFY_STORE_TIMEOUT = 2,
  /// The caller's argument is not valid (also: a conninfo string that can't be parsed).
  NOTIFY_STORE_BAD_ARGUMENT = 3,
  NOTIFY_STORE_NO_MEMORY = 4,
  /// The server could not be reached or refused the connection.
  NOTIFY_STORE_NOT_CONNECTED = 5,
  /// The connection broke while in use.
  NOTIFY_STORE_CONNECTION_LOST = 6,
  /// The server answered a statement with an error.
  NOTIFY_STORE_SERVER_ERROR = 7,
  /// The server's answer does not have the expected shape.
  NOTIFY_STORE_BAD_ANSWER = 8,
} notify_store_status;

/// The last failure of a store. Valid until the next call on that store.
typedef struct notify_store_error {
  notify_store_status status;
  /// SQLSTATE as five characters, or empty where there is none.
  char sqlstate[6];
  /// Whether the same call can succeed later without anybody changing anything.
  bool retriable;
  /// One line for a person, without a trailing newline. Never holds a password.
  const char *message;
  /// Whether the message may quote a row, or was written by a function of the database: then it is for no log.
  bool quotes;
  /// The server's HINT or DETAIL, or empty.
  const char *hint;
} notify_store_error;

typedef struct notify_store notify_store;
typedef struct notify_store_result notify_store_result;
typedef struct notify_store_libpq notify_store_libpq;

// ---------------------------------------------------------------------------------------------------------- lifetime

/// Creates a store that is not connected.
///
/// @param functions the table of libpq functions to use, kept by pointer; NULL for libpq itself. Tests inject failures
///   here (`notify_store_libpq.h`).
NOTIFY_STORE_CHECKED notify_store_status notify_store_create(const notify_store_libpq *functions, notify_store **out);

/// Closes the connection and frees the store. NULL is allowed.
void notify_store_destroy(notify_store *store);

/// The last failure of this store. Never NULL.
const notify_store_error *notify_store_last_error(const notify_store *store);

/// Whether a string is a conninfo or URI that libpq can parse, with no network access.
///
/// @param message receives, where it can't, the reason as one line (caller frees with `free`), else NULL.
NOTIFY_STORE_CHECKED notify_store_status notify_store_check_conninfo(const char *conninfo, char **message);

/// Connects, replacing an earlier connection, and prepares the session (UTF-8, READ COMMITTED, generic plans, no JIT,
/// no timeouts of the role, search_path pg_catalog, UTC). Markings fire triggers of the backend: a session that marks
/// may need `RESET search_path` first, and then must not read rows.
///
/// @param conninfo URI or conninfo: all that libpq takes; PGHOST and the like fill in what it leaves out.
/// @param application_name shown in pg_stat_activity unless the conninfo names one.
/// On a server's refusal `sqlstate` is set, for example to 28P01, 28000, 3D000 or 57P03. A URI whose
/// user name or password holds "@" or "/" in plain is a bad argument: libpq would take a part of it for the host or
/// database. The timeout is for all hosts together (`connect_timeout` is not used); only looking up a host's name can't
/// be cut short.
NOTIFY_STORE_CHECKED notify_store_status notify_store_connect(notify_store *store, const char *conninfo,
                                                              const char *application_name, int timeout_ms);

/// Closes the connection. The store can connect again.
void notify_store_close(notify_store *store);

bool notify_store_is_connected(const notify_store *store);

/// The server's version as libpq counts it (150004 is 15.4), 0 when not connected.
int notify_store_server_version(const notify_store *store);

/// The process id in the connection's key data; differs from `pg_backend_pid()` behind a pooler.
int notify_store_backend_pid(const notify_store *store);

/// Whether a pooler stands between this store and the server.
typedef enum notify_store_pooler {
  /// Detected at each connect: a pooler's key data names a process that is not the server's.
  NOTIFY_STORE_POOLER_DETECT = 0,
  NOTIFY_STORE_POOLER_ALWAYS = 1,
  NOTIFY_STORE_POOLER_NEVER = 2,
} notify_store_pooler;

/// Sets what later connects expect (at first: detect). Behind a pooler nothing is kept in the session: rows are read
/// and marked in transactions with their own settings, and nothing is prepared.
void notify_store_set_pooler(notify_store *store, notify_store_pooler pooler);

/// Sets whom to ask while a statement is under way and nothing has come for `after_ms`, and again after each such time:
/// whether the link is silent. Then the statement ends as one whose connection was lost. A link is silent where the
/// server has answered, or has never got the statement: a slow statement looks the same from here.
///
/// @param is_silent called on the thread of the statement; must not use this store. NULL: nobody.
void notify_store_on_silence(notify_store *store, int after_ms, bool (*is_silent)(void *context), void *context);

/// Whether the connection is treated as a pooler's.
bool notify_store_is_pooled(const notify_store *store);

/// Limits how long a statement waits for a lock, until the connection ends: then it fails (55P03). 0: for ever.
NOTIFY_STORE_CHECKED notify_store_status notify_store_limit_lock_waits(notify_store *store, int wait_ms,
                                                                       int timeout_ms);

// ------------------------------------------------------------------------------------------------------------- sources

/// The kind of a column that names a row or a user.
typedef enum notify_store_kind {
  /// smallint, integer or bigint.
  NOTIFY_STORE_KIND_INTEGER = 0,
  NOTIFY_STORE_KIND_UUID = 1,
  /// text or varchar.
  NOTIFY_STORE_KIND_TEXT = 2,
} notify_store_kind;

/// A served table. Columns are plain names (quoted by the store); NULL where the table has none.
typedef struct notify_store_source {
  /// Names the table in rows and markings; unique in a list.
  int32_t number;
  /// Schema and table as SQL spells them, quoted where needed.
  const char *relation;
  const char *id;
  const char *recipient;
  const char *txid;
  const char *sent_at;
  /// A boolean that is set together with `sent_at`, or NULL.
  const char *sent;
  /// When the row was made, or NULL.
  const char *created;
  /// The time zone of `created` where it is a timestamp without one; NULL: a timestamptz.
  const char *created_zone;
  /// A boolean and a timestamp, each NULL where there is none: set when the user has read the row.
  const char *read;
  const char *read_at;
  /// An SQL expression over the columns of the row `n`, of type jsonb, or of type json where `is_json`.
  const char *payload;
  bool is_json;
  /// The column to insert a payload into, or NULL.
  const char *payload_column;
  notify_store_kind id_kind;
  notify_store_kind recipient_kind;
  /// `id` alone names a row; else only together with `txid`.
  bool has_unique_id;
} notify_store_source;

/// Sets the tables that are read and marked. Until the first call, that is `public.notification`. The list is copied.
/// Ends an unfinished stream. On failure the earlier tables stay.
///
/// @param sources NULL where the count is 0: then there are no rows.
NOTIFY_STORE_CHECKED notify_store_status notify_store_serve(notify_store *store, const notify_store_source *sources,
                                                            size_t count);

/// Reads no row of a source, or marks none, in all the ways in which rows are read or marked sent. A fault (a missing
/// column, a missing right, an expression that is not valid) is the server's error.
NOTIFY_STORE_CHECKED notify_store_status notify_store_probe(notify_store *store, const notify_store_source *source,
                                                            bool marking, int timeout_ms);

/// Sets how many bytes the text of a row's payload may have (at first 64 MiB). A longer one is not sent: the row comes
/// as NOTIFY_STORE_ROW_UNREADABLE.
void notify_store_set_row_bytes(notify_store *store, uint32_t bytes);

/// Names a row of a source: `number` where its id is an integer, else `text`.
typedef struct notify_store_id {
  int64_t number;
  const char *text;
} notify_store_id;

// ---------------------------------------------------------------------------------------------- doorbells and waiting

#define NOTIFY_STORE_EVENT_DOORBELL 1u
#define NOTIFY_STORE_EVENT_WAKE 2u

/// LISTENs on a channel (quoted here).
NOTIFY_STORE_CHECKED notify_store_status notify_store_listen(notify_store *store, const char *channel, int timeout_ms);

/// Waits for a doorbell, a wake or the timeout, whichever is first; returns at once if one came since the last wait.
///
/// @param timeout_ms 0 looks without waiting, negative is a bad argument.
/// @param events receives the set of NOTIFY_STORE_EVENT_ bits, 0 when the time passed (the status is OK then).
/// @param doorbells receives how many notifications were consumed.
/// A connection that broke is noticed here too; a wake that came at the same time is kept for the next wait.
/// Works without a connection too (only a wake can come then).
NOTIFY_STORE_CHECKED notify_store_status notify_store_wait(notify_store *store, int timeout_ms, unsigned *events,
                                                           unsigned *doorbells);

/// Makes the current or the next `notify_store_wait` return. May be called from any thread, at any time before
/// `notify_store_destroy`.
void notify_store_wake(notify_store *store);

// --------------------------------------------------------------------------------------------------- plain statements

/// Runs one statement (or, without parameters, several in one implicit transaction) and keeps its whole answer as text.
///
/// @param parameters `count` strings in text format; NULL elements are SQL NULL. NULL where count is 0.
/// @param out receives the answer, or NULL may be passed when only success matters.
NOTIFY_STORE_CHECKED notify_store_status notify_store_query(notify_store *store, const char *sql, int count,
                                                            const char *const *parameters, int timeout_ms,
                                                            notify_store_result **out);

int notify_store_result_rows(const notify_store_result *result);
int notify_store_result_columns(const notify_store_result *result);
/// A value as text, NULL for SQL NULL or outside the answer; lives as long as the result.
const char *notify_store_result_value(const notify_store_result *result, int row, int column);
void notify_store_result_destroy(notify_store_result *result);

// -------------------------------------------------------------------------------------------------------- reading rows

// A stream is started by a function that only sends the statement. Any other call that talks to the server ends it: a
// statement reads and drops what is left of it within its own timeout, `notify_store_wait` drops what has come.

/// One item of a stream. Pointers live until the next call on the store.
typedef struct notify_store_row {
  /// The kind of item: a NOTIFY_STORE_ROW_ value.
  int kind;
  /// Replay: index of the request that this row answers. Else 0.
  uint32_t request;
  /// The table's number.
  int32_t source;
  /// The row's id where it is an integer, else 0 and the id is `id_text`.
  int64_t id;
  /// Not NUL-terminated; NULL where the id is an integer.
  const char *id_text;
  size_t id_length;
  uint64_t txid;
  /// Microseconds since 1970-01-01 UTC; INT64_MIN and INT64_MAX are -infinity and infinity. See `has_created_at`.
  int64_t created_at_us;
  bool has_created_at;
  /// REQUEST items: rows after `since` that were sent before are more than `sent_limit`, so none of them comes.
  bool truncated;
  /// REQUEST items: this page is not the last one.
  bool more;
  /// Recipient as text, not NUL-terminated; NULL for SQL NULL.
  const char *user;
  size_t user_length;
  /// `data::text`, UTF-8, not NUL-terminated; NULL for SQL NULL.
  const char *data;
  size_t data_length;
} notify_store_row;

/// First item: `data` is the statement's snapshot as `pg_snapshot` text, of a replay `created_at_us` is when it began.
#define NOTIFY_STORE_ROW_SNAPSHOT 0
/// A Notification row.
#define NOTIFY_STORE_ROW_NOTIFICATION 1
/// Replay: comes once for each request, before its rows; `truncated` and `more` are set.
#define NOTIFY_STORE_ROW_REQUEST 2
/// Unsent scan: `user` has `id` unsent rows in a table, the oldest written by `txid`.
#define NOTIFY_STORE_ROW_UNSENT 3
/// Delta: access has ended, before its rows. `user` is whose (empty where not known), `id_text` the credential's hash
/// or NULL, `data` the kind and the reason, apart by a blank.
#define NOTIFY_STORE_ROW_REVOCATION 4
/// A row that can't be read: `data` is the SQLSTATE of the reason, such as 54000 for a text that is too long. A row
/// whose payload fails makes the statement fail instead; see notify_store_keys.h.
#define NOTIFY_STORE_ROW_UNREADABLE 5
/// Rows by their keys: no row has this key any more.
#define NOTIFY_STORE_ROW_GONE 6

/// Starts to read the rows that are visible now and were not in the previous snapshot: `txid >= xmax OR txid = ANY
/// (xip)`, ordered by (txid, source, id), and before them the revocations of `notify_bridge.revocation`. Rows inserted
/// as sent (is_sent and no sent_at) are not among them; rows without recipient are (user is NULL). Read them with
/// `notify_store_next`.
///
/// @param xmax, xip, xip_count the previous snapshot; xip may be NULL where the count is 0.
NOTIFY_STORE_CHECKED notify_store_status notify_store_delta(notify_store *store, uint64_t xmax, const uint64_t *xip,
                                                            size_t xip_count, int timeout_ms);

/// A request for the rows that one connection missed, in the order of (txid, source, id).
typedef struct notify_store_replay_request {
  /// The user as text; NULL has no rows. A source whose recipients are of a kind that can't hold it has none either.
  const char *user;
  /// The user as an integer, where `is_integer`; and whether its text is a uuid.
  int64_t integer;
  bool is_integer;
  bool is_uuid;
  /// Only rows with this txid or a higher one are looked at (xmin of `since`, oldest unsent; 0 for all).
  uint64_t lowest_txid;
  /// Rows still unsent are wanted.
  bool unsent;
  /// `since` is a client's cursor: of the unsent rows that it sees, those that can't be marked are not wanted.
  bool vouched;
  /// A `pg_snapshot` text: rows not visible in it are wanted, sent or not; NULL for none.
  const char *since;
  /// Where more than this many rows after `since` were sent before, none of those comes; 0 for no limit.
  uint32_t sent_limit;
  /// Later pages: the first page's snapshot as text (only rows visible in it come); NULL on the first page.
  const char *snapshot;
  /// Later pages: the last row's place; all 0 on the first page.
  uint64_t after_txid;
  int32_t after_source;
  notify_store_id after_id;
  /// Later pages: when the first one began, and rows marked since then are wanted, too; 0 where they are not.
  int64_t began_us;
} notify_store_replay_request;

/// Starts to read one page for each request, all under one snapshot. Read them with `notify_store_next`: the snapshot,
/// then for each request, in ascending order of request index, a REQUEST item and its rows.
///
/// @param page_rows, page_bytes a request's page ends at this many rows, or with the row that reaches this many bytes
///   as stored (`pg_column_size`); a page has at least one row if there is any.
NOTIFY_STORE_CHECKED notify_store_status notify_store_replay(notify_store *store,
                                                             const notify_store_replay_request *requests, size_t count,
                                                             uint32_t page_rows, uint64_t page_bytes, int timeout_ms);

/// Starts to read, for each user with unsent rows, how many there are and the oldest txid (a scan of the table).
/// The first item is the snapshot.
NOTIFY_STORE_CHECKED notify_store_status notify_store_scan_unsent(notify_store *store, int timeout_ms);

/// The next item of the stream that was started last, for which it waits up to `timeout_ms`. The server sends no faster
/// than this is called: a stream is never held whole. Returns NOTIFY_STORE_END after the last one; after END or a
/// failure the stream is over.
NOTIFY_STORE_CHECKED notify_store_status notify_store_next(notify_store *store, int timeout_ms, notify_store_row *out);

/// Cancels the stream in the server and ends it, for where much is left. Without an answer of the server within two
/// seconds the connection is closed.
NOTIFY_STORE_CHECKED notify_store_status notify_store_cancel(notify_store *store);

/// Whether items of the stream wait in memory, so that `notify_store_next` would not wait for the network.
bool notify_store_has_buffered(notify_store *store);

// -------------------------------------------------------------------------------------------------------- writing rows

/// INSERTs a row and returns its id.
///
/// @param user recipient as text; @param data JSON text or NULL; @param id receives the id as text, freed by the caller
///   with `free`.
NOTIFY_STORE_CHECKED notify_store_status notify_store_insert(notify_store *store, int32_t source, const char *user,
                                                             const char *data, int timeout_ms, char **id);

/// Names a row to be marked: by its id, and by the transaction that wrote it, since ids may be used again after a
/// crash.
typedef struct notify_store_mark {
  notify_store_id id;
  uint64_t txid;
} notify_store_mark;

/// Marks rows of one table sent in one statement and one synchronous commit, in a fixed order, and leaves out rows that
/// another session holds locked. May be repeated at any time.
///
/// @param marks `count` rows; a row is marked only where id and txid both match, and only once.
/// @param marked receives how many rows this call marked.
/// @param left `count` flags: set to true for a row that matches, is still unsent and was left out (try again later).
/// @param xid receives the id of the committed transaction where anything was marked, else 0.
/// Which rows were left is looked up in a second statement; where only that fails, `marked` and `xid` are set all the
/// same. A number that names no served table is a bad argument.
NOTIFY_STORE_CHECKED notify_store_status notify_store_mark_sent(notify_store *store, int32_t source,
                                                                const notify_store_mark *marks, size_t count,
                                                                int timeout_ms, size_t *marked, bool *left,
                                                                uint64_t *xid);

/// Marks rows of one table read by these users. Pairs that match no row are ignored, and all are where the table has no
/// column for it. A row that another session holds locked is a server error (55P03), and none is marked.
///
/// @param users recipients as text, each of the kind that the table's recipients have.
/// @param updated receives how many rows changed.
NOTIFY_STORE_CHECKED notify_store_status notify_store_mark_read(notify_store *store, int32_t source,
                                                                const notify_store_id *ids, const char *const *users,
                                                                size_t count, int timeout_ms, size_t *updated);

/// Deletes sent rows of our own table whose created_at is older than `days` days (0: none), and of attached tables with
/// a retention what is past it, at most `batch` of them altogether (SECURITY DEFINER function `notify_bridge.purge`).
/// Unsent rows go where they are older than `unsent_days`, too (0: they stay).
/// @param dry_run counts (all of them) instead of deleting.
NOTIFY_STORE_CHECKED notify_store_status notify_store_purge(notify_store *store, int days, int unsent_days, int batch,
                                                            bool dry_run, int timeout_ms, int64_t *rows);

#ifdef __cplusplus
}
#endif

#endif
