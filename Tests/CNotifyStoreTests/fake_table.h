// The functions of the fake's table, and what its files share. Tests include fake.h.

#ifndef FAKE_TABLE_H
#define FAKE_TABLE_H

#include "fake.h"

// The descriptors that the fake hands out.
#define FAKE_SOCKET_DESCRIPTOR 1000
#define FAKE_WAKE_DESCRIPTOR 1001

// A result that libpq handed out: a block of its own, so that the sanitizer sees what is not given back.
typedef struct handed_out {
  const fake_result *definition;
} handed_out;

// Whether this call of the function is the one to fail.
bool fake_fails(fake_function function);
// Wakes that have not been read.
extern int fake_wakes;
// Frees the results that tests made.
void fake_forget_results(void);

PQconninfoOption *pq_conninfo_parse(const char *conninfo, char **message);
void pq_conninfo_free(PQconninfoOption *options);
PGconn *pq_connect_start(const char *const *keywords, const char *const *values, int expand_dbname);
PostgresPollingStatusType pq_connect_poll(PGconn *connection);
ConnStatusType pq_status(const PGconn *connection);
int pq_socket_of(const PGconn *connection);
void pq_finish(PGconn *connection);
char *pq_error_message(const PGconn *connection);
int pq_needs_password(const PGconn *connection);
PGVerbosity pq_set_verbosity(PGconn *connection, PGVerbosity verbosity);
PQnoticeReceiver pq_set_notice_receiver(PGconn *connection, PQnoticeReceiver receiver, void *argument);
int pq_set_nonblocking(PGconn *connection, int on);
int pq_ssl_in_use(PGconn *connection);
int pq_server_version(const PGconn *connection);
int pq_backend_pid(const PGconn *connection);
int pq_send_query(PGconn *connection, const char *sql);
int pq_send_query_params(PGconn *connection, const char *sql, int count, const Oid *types, const char *const *values,
                         const int *lengths, const int *formats, int result_format);
int pq_send_prepare(PGconn *connection, const char *name, const char *sql, int count, const Oid *types);
int pq_send_query_prepared(PGconn *connection, const char *name, int count, const char *const *values,
                           const int *lengths, const int *formats, int result_format);
int pq_set_single_row_mode(PGconn *connection);
int pq_flush(PGconn *connection);
int pq_consume_input(PGconn *connection);
int pq_is_busy(PGconn *connection);
PGresult *pq_get_result(PGconn *connection);
PGnotify *pq_notifies(PGconn *connection);
void pq_freemem(void *pointer);
int pq_cancel(PGconn *connection, int timeout_ms);
char *pq_escape_identifier(PGconn *connection, const char *text, size_t length);
ExecStatusType pq_result_status(const PGresult *result);
char *pq_result_error_field(const PGresult *result, int field);
char *pq_result_error_message(const PGresult *result);
int pq_rows(const PGresult *result);
int pq_columns(const PGresult *result);
Oid pq_column_type(const PGresult *result, int column);
int pq_column_format(const PGresult *result, int column);
int pq_is_null(const PGresult *result, int row, int column);
int pq_length(const PGresult *result, int row, int column);
char *pq_value(const PGresult *result, int row, int column);
void pq_clear(PGresult *result);
int pq_event_open(unsigned initial, int flags);
int pq_event_close(int descriptor);
ssize_t pq_event_read(int descriptor, void *buffer, size_t size);
ssize_t pq_event_write(int descriptor, const void *buffer, size_t size);
int pq_wait_for(struct pollfd *descriptors, nfds_t count, int timeout_ms);
int64_t pq_now_ms(void);
void *pq_allocate(size_t size);
void pq_deallocate(void *pointer);

#endif
