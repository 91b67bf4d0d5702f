// For clock_gettime.
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

static int64_t now_ms(void) {
  struct timespec now;
  // Fails only for a clock that does not exist.
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const notify_store_libpq real = {
    .conninfo_parse = PQconninfoParse,
    .conninfo_free = PQconninfoFree,
    .freemem = PQfreemem,

    .connect_start = PQconnectStartParams,
    .connect_poll = PQconnectPoll,
    .status = PQstatus,
    .socket = PQsocket,
    .finish = PQfinish,
    .error_message = PQerrorMessage,
    .needs_password = PQconnectionNeedsPassword,
    .set_verbosity = PQsetErrorVerbosity,
    .set_notice_receiver = PQsetNoticeReceiver,
    .set_nonblocking = PQsetnonblocking,
    .ssl_in_use = PQsslInUse,
    .server_version = PQserverVersion,
    .backend_pid = PQbackendPID,

    .send_query = PQsendQuery,
    .send_query_params = PQsendQueryParams,
    .send_prepare = PQsendPrepare,
    .send_query_prepared = PQsendQueryPrepared,
    .set_single_row_mode = PQsetSingleRowMode,
    .flush = PQflush,
    .consume_input = PQconsumeInput,
    .is_busy = PQisBusy,
    .get_result = PQgetResult,
    .notifies = PQnotifies,
    .escape_identifier = PQescapeIdentifier,

    .result_status = PQresultStatus,
    .result_error_field = PQresultErrorField,
    .result_error_message = PQresultErrorMessage,
    .rows = PQntuples,
    .columns = PQnfields,
    .column_type = PQftype,
    .column_format = PQfformat,
    .is_null = PQgetisnull,
    .length = PQgetlength,
    .value = PQgetvalue,
    .clear = PQclear,

    .event_open = eventfd,
    .event_close = close,
    .event_read = read,
    .event_write = write,
    .wait_for = poll,
    .now_ms = now_ms,
    .allocate = malloc,
    .deallocate = free,
};

const notify_store_libpq *notify_store_libpq_default(void) {
  return &real;
}
