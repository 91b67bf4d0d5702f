// The floor for latency: hears the same doorbell as the bridge and fetches the rows by the same statement, and that is
// all: it marks nothing and has no socket. See `usage`.

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "delta.h"
#include "fail.h"
#include "ledger.h"
#include "options.h"

static const char usage[] =
    "usage: bare_listener --url URL --rows N [--writers W] [--warm-up N] [--commits FILE] [--quiet-seconds S]\n"
    "Registers as a replica, arms the doorbell, prints `ready`, and reads rows until N have come or none came for\n"
    "S seconds. Prints one line of JSON; exits 1 when a row was lost, doubled or out of order.\n";

typedef struct job {
  const char *url;
  ledger_options ledger;
  unsigned quiet_seconds;
} job;

static job parse(int count, char **arguments) {
  static const struct option names[] = {
      {"url", 1, NULL, 'd'},     {"rows", 1, NULL, 'n'},          {"writers", 1, NULL, 'w'}, {"warm-up", 1, NULL, 's'},
      {"commits", 1, NULL, 'c'}, {"quiet-seconds", 1, NULL, 'q'}, {NULL, 0, NULL, 0}};
  job job = {.ledger = {.devices = 1, .writers = 1, .connections = 1, .latency = true}, .quiet_seconds = 10};
  for (int option = 0; (option = getopt_long(count, arguments, "", names, NULL)) != -1;) {
    switch (option) {
      case 'd':
        job.url = optarg;
        break;
      case 'n':
        job.ledger.rows = option_number("rows", optarg, 1, 100000000);
        break;
      case 'w':
        job.ledger.writers = (unsigned)option_number("writers", optarg, 1, 64);
        break;
      case 's':
        job.ledger.warm_up = option_number("warm-up", optarg, 0, 100000000);
        break;
      case 'c':
        job.ledger.commits = optarg;
        break;
      case 'q':
        job.quiet_seconds = (unsigned)option_number("quiet-seconds", optarg, 1, 600);
        break;
      default:
        fail("%s", usage);
    }
  }
  if (job.url == NULL || job.ledger.rows == 0 || optind != count) {
    fail("%s", usage);
  }
  return job;
}

// LISTEN first, then arm, then a snapshot in a later transaction: no row can fall between.
static PGconn *listen_armed(const char *url, delta_position *position, char replica[16]) {
  char sql[160];
  PGconn *connection = database_connect(url, "benchmark listener");
  PQclear(database_query(connection, "LISTEN notify_bridge"));
  (void)snprintf(sql, sizeof sql, "SELECT notify_bridge.register_replica('benchmark', 'localhost', %d, '0')",
                 (int)getpid());
  PGresult *registered = database_query(connection, sql);
  (void)snprintf(replica, 16, "%s", PQgetvalue(registered, 0, 0));
  PQclear(registered);
  (void)snprintf(sql, sizeof sql, "SELECT notify_bridge.arm(%s)", replica);
  PQclear(database_query(connection, sql));
  delta_prepare(connection);
  PGresult *snapshot = database_query(connection, "SELECT pg_current_snapshot()::text");
  delta_position_read(position, PQgetvalue(snapshot, 0, 0));
  PQclear(snapshot);
  return connection;
}

// Left armed, it would make every later writer ring for nobody.
static void leave(PGconn *connection, const char *replica) {
  char sql[80];
  (void)snprintf(sql, sizeof sql, "SELECT notify_bridge.unregister_replica(%s)", replica);
  PQclear(database_query(connection, sql));
  PQfinish(connection);
}

static bool has_notification(PGconn *connection) {
  bool any = false;
  if (PQconsumeInput(connection) == 0) {
    fail("listening: %s", PQerrorMessage(connection));
  }
  for (PGnotify *notification = NULL; (notification = PQnotifies(connection)) != NULL; any = true) {
    PQfreemem(notification);
  }
  return any;
}

static void fetch(PGconn *connection, delta_position *position, ledger *ledger) {
  PGresult *rows = delta_fetch(connection, position);
  const int64_t now = clock_now();
  for (int i = 1; i < PQntuples(rows); i++) {
    payload payload;
    if (delta_payload(rows, i, &payload)) {
      ledger_receive(ledger, 0, 0, 0, &payload, now);
    }
  }
  PQclear(rows);
}

int main(int count, char **arguments) {
  const job job = parse(count, arguments);
  ledger *ledger = ledger_create(&job.ledger);
  delta_position position;
  char replica[16];
  PGconn *connection = listen_armed(job.url, &position, replica);
  struct pollfd socket = {.fd = PQsocket(connection), .events = POLLIN};
  (void)printf("ready\n");
  (void)fflush(stdout);
  int ready = 1;
  while (!ledger_is_complete(ledger) && ready > 0) {
    // A notification may have come with the answer of the last fetch.
    ready = has_notification(connection) ? 2 : poll(&socket, 1, (int)job.quiet_seconds * 1000);
    if (ready == 2) {
      fetch(connection, &position, ledger);
    }
  }
  (void)printf("{\"cpu_seconds\":%.3f", clock_cpu_seconds());
  const bool good = ledger_print(ledger, stdout);
  (void)printf("}\n");
  ledger_destroy(ledger);
  leave(connection, replica);
  return good ? 0 : 1;
}
