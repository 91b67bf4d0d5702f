// For clock_gettime and the clock of a condition.
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
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

// Threads that still wait for a server which nobody waits for any more; beyond, no request is made.
#define CANCELS_MAX 8

// A request to cancel, made on a thread of its own. Whichever of the two sides ends last frees it.
typedef struct cancellation {
  PGcancel *request;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int sides;
  bool is_done;
  bool is_taken;
} cancellation;

static atomic_int cancels;

static void leave(cancellation *request) {
  int sides = --request->sides;
  (void)pthread_mutex_unlock(&request->mutex);
  if (sides > 0) {
    return;
  }
  PQfreeCancel(request->request);
  (void)pthread_cond_destroy(&request->changed);
  (void)pthread_mutex_destroy(&request->mutex);
  free(request);
}

static void *request_cancel(void *argument) {
  cancellation *request = argument;
  char text[256];
  bool is_taken = PQcancel(request->request, text, sizeof text) == 1;
  (void)pthread_mutex_lock(&request->mutex);
  request->is_taken = is_taken;
  request->is_done = true;
  (void)pthread_cond_signal(&request->changed);
  leave(request);
  (void)atomic_fetch_sub(&cancels, 1);
  return NULL;
}

// Signals stay those of the program's own threads.
static bool start_thread(cancellation *request) {
  pthread_t thread;
  sigset_t all;
  sigset_t before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  bool is_started = pthread_create(&thread, NULL, request_cancel, request) == 0;
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (is_started) {
    (void)pthread_detach(thread);
  }
  return is_started;
}

static cancellation *make_cancellation(PGconn *connection) {
  pthread_condattr_t monotonic;
  cancellation *request = malloc(sizeof *request);
  if (request == NULL) {
    return NULL;
  }
  *request = (cancellation){.request = PQgetCancel(connection), .sides = 2};
  if (request->request == NULL) {
    free(request);
    return NULL;
  }
  // With these attributes they fail only for want of memory, which the C library does not allocate for them.
  (void)pthread_condattr_init(&monotonic);
  (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  (void)pthread_cond_init(&request->changed, &monotonic);
  (void)pthread_condattr_destroy(&monotonic);
  (void)pthread_mutex_init(&request->mutex, NULL);
  return request;
}

static int cancel(PGconn *connection, int timeout_ms) {
  int64_t deadline = now_ms() + timeout_ms;
  const struct timespec until = {.tv_sec = (time_t)(deadline / 1000), .tv_nsec = (long)(deadline % 1000) * 1000000};
  if (atomic_fetch_add(&cancels, 1) >= CANCELS_MAX) {
    (void)atomic_fetch_sub(&cancels, 1);
    return 0;
  }
  cancellation *request = make_cancellation(connection);
  if (request == NULL || !start_thread(request)) {
    (void)atomic_fetch_sub(&cancels, 1);
    if (request != NULL) {
      request->sides = 1;
      (void)pthread_mutex_lock(&request->mutex);
      leave(request);
    }
    return 0;
  }
  (void)pthread_mutex_lock(&request->mutex);
  int error = 0;
  while (!request->is_done && error == 0) {
    error = pthread_cond_timedwait(&request->changed, &request->mutex, &until);
  }
  bool is_taken = request->is_done && request->is_taken;
  leave(request);
  return is_taken;
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
    .cancel = cancel,

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
