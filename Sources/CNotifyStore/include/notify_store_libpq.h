/// The functions that a store calls outside itself: libpq, and the few of the C library whose failures matter.
///
/// Only for tests: they hand `notify_store_create` a table of their own, in which any function can fail.

#ifndef NOTIFY_STORE_LIBPQ_H
#define NOTIFY_STORE_LIBPQ_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h>
#endif

#include "notify_store.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Each member has the signature and the meaning of the function it is named after.
struct notify_store_libpq {
  // Connection strings.
  PQconninfoOption *(*conninfo_parse)(const char *conninfo, char **message);
  void (*conninfo_free)(PQconninfoOption *options);
  void (*freemem)(void *pointer);

  // Connections.
  PGconn *(*connect_start)(const char *const *keywords, const char *const *values, int expand_dbname);
  PostgresPollingStatusType (*connect_poll)(PGconn *connection);
  ConnStatusType (*status)(const PGconn *connection);
  int (*socket)(const PGconn *connection);
  void (*finish)(PGconn *connection);
  char *(*error_message)(const PGconn *connection);
  int (*needs_password)(const PGconn *connection);
  PGVerbosity (*set_verbosity)(PGconn *connection, PGVerbosity verbosity);
  PQnoticeReceiver (*set_notice_receiver)(PGconn *connection, PQnoticeReceiver receiver, void *argument);
  int (*set_nonblocking)(PGconn *connection, int on);
  int (*ssl_in_use)(PGconn *connection);
  int (*server_version)(const PGconn *connection);
  int (*backend_pid)(const PGconn *connection);

  // Statements.
  int (*send_query)(PGconn *connection, const char *sql);
  int (*send_query_params)(PGconn *connection, const char *sql, int count, const Oid *types, const char *const *values,
                           const int *lengths, const int *formats, int result_format);
  int (*send_prepare)(PGconn *connection, const char *name, const char *sql, int count, const Oid *types);
  int (*send_query_prepared)(PGconn *connection, const char *name, int count, const char *const *values,
                             const int *lengths, const int *formats, int result_format);
  int (*set_single_row_mode)(PGconn *connection);
  int (*flush)(PGconn *connection);
  int (*consume_input)(PGconn *connection);
  int (*is_busy)(PGconn *connection);
  PGresult *(*get_result)(PGconn *connection);
  PGnotify *(*notifies)(PGconn *connection);
  char *(*escape_identifier)(PGconn *connection, const char *text, size_t length);
  /// Unlike the others no function of libpq: requests the end of the statement under way and waits for the server to
  /// have taken the request, at most so long. PQcancel alone would wait as long as TCP does. 1 on success.
  int (*cancel)(PGconn *connection, int timeout_ms);

  // Results.
  ExecStatusType (*result_status)(const PGresult *result);
  char *(*result_error_field)(const PGresult *result, int field);
  char *(*result_error_message)(const PGresult *result);
  int (*rows)(const PGresult *result);
  int (*columns)(const PGresult *result);
  Oid (*column_type)(const PGresult *result, int column);
  int (*column_format)(const PGresult *result, int column);
  int (*is_null)(const PGresult *result, int row, int column);
  int (*length)(const PGresult *result, int row, int column);
  char *(*value)(const PGresult *result, int row, int column);
  void (*clear)(PGresult *result);

  // The C library.
  int (*event_open)(unsigned initial, int flags);
  int (*event_close)(int descriptor);
  ssize_t (*event_read)(int descriptor, void *buffer, size_t size);
  ssize_t (*event_write)(int descriptor, const void *buffer, size_t size);
  int (*wait_for)(struct pollfd *descriptors, nfds_t count, int timeout_ms);
  /// Milliseconds of a clock that never goes back.
  int64_t (*now_ms)(void);
  void *(*allocate)(size_t size);
  void (*deallocate)(void *pointer);
};

/// The table that is used where none is given: libpq and the C library.
const notify_store_libpq *notify_store_libpq_default(void);

#ifdef __cplusplus
}
#endif

#endif
