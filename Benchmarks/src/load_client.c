// Users with devices: connects them all, counts what they receive and how long it took. See client_options.c.

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client_options.h"
#include "clock.h"
#include "fail.h"
#include "token.h"

typedef struct job {
  client_options options;
  int epoll;
  device *all;
  unsigned count;
  char (*tokens)[TOKEN_BYTES];
} job;

static void allow_descriptors(unsigned count) {
  struct rlimit limit;
  (void)getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < count + 16) {
    fail("%u connections need a higher limit of descriptors", count);
  }
}

static void prepare(job *job) {
  const client_options *options = &job->options;
  job->count = options->ledger.connections;
  allow_descriptors(job->count);
  job->epoll = epoll_create1(EPOLL_CLOEXEC);
  job->all = allocate(job->count, sizeof *job->all);
  job->tokens = allocate(options->users, sizeof *job->tokens);
  for (uint64_t i = 0; i < options->users; i++) {
    token_make(job->tokens[i], options->context.secret, options->first_user + i);
  }
  for (unsigned i = 0; i < job->count; i++) {
    job->all[i] = (device){
        .user = options->first_user + i % options->users, .device = (unsigned)(i / options->users), .place = i};
  }
  job->options.context.ledger = ledger_create(&options->ledger);
  job->options.context.inflater = options->context.deflate ? inflater_create(false) : NULL;
  job->options.context.tls = options->tls ? transport_tls_settings() : NULL;
}

static void watch(const job *job, device *device, int operation) {
  struct epoll_event event = {.events = device->events, .data.ptr = device};
  if (epoll_ctl(job->epoll, operation, device->transport.socket, &event) != 0) {
    fail("epoll_ctl: %s", strerror(errno));
  }
}

// One round of events; returns how many there were.
static int turn(job *job, int timeout_ms) {
  static struct epoll_event events[1024];
  const int count = epoll_wait(job->epoll, events, 1024, timeout_ms);
  if (count < 0 && errno != EINTR) {
    fail("epoll_wait: %s", strerror(errno));
  }
  for (int i = 0; i < count; i++) {
    device *device = events[i].data.ptr;
    const uint32_t before = device->events;
    device_turn(device, &job->options.context, job->tokens[device->place % job->options.users]);
    if (device->state != DEVICE_CLOSED && device->events != before) {
      watch(job, device, EPOLL_CTL_MOD);
    }
  }
  return count;
}

static unsigned count_live(const job *job) {
  unsigned live = 0;
  for (unsigned i = 0; i < job->count; i++) {
    live += job->all[i].state == DEVICE_LIVE;
  }
  return live;
}

static unsigned count_deflated(const job *job) {
  unsigned deflated = 0;
  for (unsigned i = 0; i < job->count; i++) {
    deflated += job->all[i].deflated;
  }
  return deflated;
}

// Keeps `window` connects under way until all are live.
static void connect_all(job *job) {
  const double cpu = clock_cpu_seconds();
  const int64_t begin = clock_now();
  unsigned started = 0;
  unsigned oldest = 0;
  while (oldest < job->count) {
    while (started < job->count && started - oldest < job->options.window) {
      device_connect(&job->all[started], &job->options.context);
      watch(job, &job->all[started++], EPOLL_CTL_ADD);
    }
    if (turn(job, (int)job->options.quiet_seconds * 1000) == 0) {
      fail("only %u of %u connections were established", count_live(job), job->count);
    }
    while (oldest < started && job->all[oldest].state >= DEVICE_LIVE) {
      oldest++;
    }
  }
  const double seconds = (double)(clock_now() - begin) / 1e9;
  (void)printf("{\"connections\":%u,\"live\":%u,\"deflated\":%u,\"begin_ns\":%" PRId64
               ",\"seconds\":%.3f,\"cpu_seconds\":%.3f}\n",
               job->count, count_live(job), count_deflated(job), begin, seconds, clock_cpu_seconds() - cpu);
  (void)fflush(stdout);
}

// Reads until the server has ended every connection, then waits for the word to connect again.
static void wait_for_restart(job *job) {
  char line[64];
  const device_context *context = &job->options.context;
  int64_t first = 0;
  while (context->closed < job->count) {
    (void)turn(job, 1000);
    first = first == 0 && context->closed > 0 ? clock_now() : first;
  }
  (void)printf("{\"ended\":%" PRIu64 ",\"received\":%" PRIu64 ",\"first_end_ns\":%" PRId64 ",\"last_end_ns\":%" PRId64
               "}\n",
               context->closed, ledger_received(context->ledger), first, clock_now());
  (void)fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) {
    fail("nobody said when to connect again");
  }
  job->options.context.closed = 0;
  for (unsigned i = 0; i < job->count; i++) {
    ledger_reconnect(context->ledger, i);
  }
}

static void receive_all(job *job) {
  const client_options *options = &job->options;
  ledger *ledger = options->context.ledger;
  int64_t heard = clock_now();
  uint64_t before = 0;
  while (!ledger_is_complete(ledger) && clock_now() - heard < options->quiet_seconds * NANOSECONDS) {
    if (turn(job, 100) > 0 && options->gather_ms > 0) {
      clock_sleep_until(clock_now() + options->gather_ms * (NANOSECONDS / 1000));
    }
    const uint64_t received = ledger_received(ledger);
    heard = received > before ? clock_now() : heard;
    before = received;
  }
}

// Rows that come again come a little later.
static void linger(job *job) {
  const int64_t until = clock_now() + NANOSECONDS / 2;
  while (clock_now() < until) {
    (void)turn(job, 50);
  }
}

static bool report(job *job, double cpu) {
  const device_context *context = &job->options.context;
  (void)printf("{\"closed\":%" PRIu64 ",\"malformed\":%" PRIu64 ",\"cpu_seconds\":%.3f", context->closed,
               context->malformed, cpu);
  const bool good = ledger_print(context->ledger, stdout);
  (void)printf("}\n");
  return good && context->closed == 0 && context->malformed == 0;
}

int main(int count, char **arguments) {
  job job = {.options = client_options_parse(count, arguments)};
  prepare(&job);
  connect_all(&job);
  if (job.options.ledger.rows == 0) {
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return job.options.context.closed == 0 ? 0 : 1;
  }
  if (job.options.context.resume) {
    wait_for_restart(&job);
    connect_all(&job);
  }
  const double cpu = clock_cpu_seconds();
  receive_all(&job);
  const double used = clock_cpu_seconds() - cpu;
  linger(&job);
  return report(&job, used) ? 0 : 1;
}
