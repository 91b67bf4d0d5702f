// Users with devices: connects them all, counts what they receive and how long it took. See `usage`.

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "device.h"
#include "fail.h"
#include "options.h"
#include "token.h"

static const char usage[] =
    "usage: load_client --port P --secret S --users N [--devices D] [--rows R] [--writers W] [--window C]\n"
    "                   [--latency] [--warm-up N] [--commits FILE] [--gather-ms G] [--quiet-seconds Q] [--path PATH]\n"
    "Opens D WebSocket connections for each of the users 1 to N on 127.0.0.1, C at a time, each with a JWT signed by\n"
    "HS256, and prints a line of JSON about it. Then waits until each of R rows has come to each of its user's "
    "devices,\n"
    "or nothing for Q seconds, and prints a second line. Without --rows it keeps the connections until its standard\n"
    "input ends. --gather-ms sleeps after each round of reading, which spares CPU where only counting matters.\n"
    "Exits 1 when a row was lost, doubled, misrouted or out of order, or a connection ended.\n";

typedef struct job {
  device_context context;
  uint64_t users;
  unsigned devices;
  unsigned window;
  unsigned gather_ms;
  unsigned quiet_seconds;
  ledger_options ledger;
  int epoll;
  device *all;
  unsigned count;
  char (*tokens)[TOKEN_BYTES];
} job;

static void parse(job *job, int count, char **arguments) {
  static const struct option names[] = {
      {"port", 1, NULL, 'p'},          {"secret", 1, NULL, 'k'},  {"users", 1, NULL, 'u'},  {"devices", 1, NULL, 'd'},
      {"rows", 1, NULL, 'n'},          {"writers", 1, NULL, 'w'}, {"window", 1, NULL, 'o'}, {"latency", 0, NULL, 'l'},
      {"warm-up", 1, NULL, 's'},       {"commits", 1, NULL, 'c'}, {"path", 1, NULL, 'a'},   {"gather-ms", 1, NULL, 'g'},
      {"quiet-seconds", 1, NULL, 'q'}, {NULL, 0, NULL, 0}};
  unsigned port = 0;
  for (int option = 0; (option = getopt_long(count, arguments, "", names, NULL)) != -1;) {
    switch (option) {
      case 'p':
        port = (unsigned)option_number("port", optarg, 1, 65535);
        break;
      case 'k':
        job->context.secret = optarg;
        break;
      case 'a':
        job->context.path = optarg;
        break;
      case 'u':
        job->users = option_number("users", optarg, 1, 100000);
        break;
      case 'd':
        job->devices = (unsigned)option_number("devices", optarg, 1, 100);
        break;
      case 'n':
        job->ledger.rows = option_number("rows", optarg, 1, 100000000);
        break;
      case 'w':
        job->ledger.writers = (unsigned)option_number("writers", optarg, 1, 64);
        break;
      case 'o':
        job->window = (unsigned)option_number("window", optarg, 1, 100000);
        break;
      case 'l':
        job->ledger.latency = true;
        break;
      case 's':
        job->ledger.warm_up = option_number("warm-up", optarg, 0, 100000000);
        break;
      case 'c':
        job->ledger.commits = optarg;
        break;
      case 'g':
        job->gather_ms = (unsigned)option_number("gather-ms", optarg, 0, 1000);
        break;
      case 'q':
        job->quiet_seconds = (unsigned)option_number("quiet-seconds", optarg, 1, 600);
        break;
      default:
        fail("%s", usage);
    }
  }
  if (port == 0 || job->context.secret == NULL || job->users == 0 || optind != count) {
    fail("%s", usage);
  }
  job->count = (unsigned)job->users * job->devices;
  job->ledger.devices = job->devices;
  job->ledger.connections = job->count;
  job->context.address = (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void allow_descriptors(unsigned count) {
  struct rlimit limit;
  (void)getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < count + 16) {
    fail("%u connections need a higher limit of descriptors", count);
  }
}

static void prepare(job *job) {
  allow_descriptors(job->count);
  job->epoll = epoll_create1(EPOLL_CLOEXEC);
  job->all = allocate(job->count, sizeof *job->all);
  job->tokens = allocate(job->users, sizeof *job->tokens);
  for (uint64_t user = 1; user <= job->users; user++) {
    token_make(job->tokens[user - 1], job->context.secret, user);
  }
  for (unsigned i = 0; i < job->count; i++) {
    job->all[i] = (device){.user = i % job->users + 1, .device = (unsigned)(i / job->users), .place = i};
  }
  job->context.ledger = ledger_create(&job->ledger);
}

static void watch(const job *job, device *device, uint32_t events, int operation) {
  struct epoll_event event = {.events = events, .data.ptr = device};
  if (epoll_ctl(job->epoll, operation, device->socket, &event) != 0) {
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
    if (device->state == DEVICE_CONNECTING) {
      device_writable(device, &job->context, job->tokens[device->user - 1]);
      watch(job, device, EPOLLIN, EPOLL_CTL_MOD);
    } else {
      device_readable(device, &job->context);
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

// Keeps `window` connects under way until all are live.
static void connect_all(job *job) {
  const double cpu = clock_cpu_seconds();
  const int64_t begin = clock_now();
  unsigned started = 0;
  unsigned oldest = 0;
  while (oldest < job->count) {
    while (started < job->count && started - oldest < job->window) {
      device_connect(&job->all[started], &job->context);
      watch(job, &job->all[started++], EPOLLOUT, EPOLL_CTL_ADD);
    }
    if (turn(job, (int)job->quiet_seconds * 1000) == 0) {
      fail("only %u of %u connections were established", count_live(job), job->count);
    }
    while (oldest < started && job->all[oldest].state >= DEVICE_LIVE) {
      oldest++;
    }
  }
  const double seconds = (double)(clock_now() - begin) / 1e9;
  (void)printf("{\"connections\":%u,\"live\":%u,\"seconds\":%.3f,\"cpu_seconds\":%.3f}\n", job->count, count_live(job),
               seconds, clock_cpu_seconds() - cpu);
  (void)fflush(stdout);
}

static void receive_all(job *job) {
  int64_t heard = clock_now();
  uint64_t before = 0;
  while (!ledger_is_complete(job->context.ledger) && clock_now() - heard < job->quiet_seconds * NANOSECONDS) {
    if (turn(job, 100) > 0 && job->gather_ms > 0) {
      clock_sleep_until(clock_now() + job->gather_ms * (NANOSECONDS / 1000));
    }
    const uint64_t received = ledger_received(job->context.ledger);
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
  (void)printf("{\"closed\":%" PRIu64 ",\"malformed\":%" PRIu64 ",\"cpu_seconds\":%.3f", job->context.closed,
               job->context.malformed, cpu);
  const bool good = ledger_print(job->context.ledger, stdout);
  (void)printf("}\n");
  return good && job->context.closed == 0 && job->context.malformed == 0;
}

int main(int count, char **arguments) {
  job job = {.context = {.path = "/ws/notifications/"}, .devices = 1, .window = 128, .quiet_seconds = 15};
  job.ledger.writers = 1;
  parse(&job, count, arguments);
  prepare(&job);
  connect_all(&job);
  if (job.ledger.rows == 0) {
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return job.context.closed == 0 ? 0 : 1;
  }
  const double cpu = clock_cpu_seconds();
  receive_all(&job);
  const double used = clock_cpu_seconds() - cpu;
  linger(&job);
  return report(&job, used) ? 0 : 1;
}
