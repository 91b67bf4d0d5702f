#include "ledger.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fail.h"
#include "samples.h"

typedef struct arrival {
  uint64_t number;
  int64_t instant;
} arrival;

struct ledger {
  ledger_options options;
  // One bit for each row and device.
  uint8_t *seen;
  // For each connection and writer: 1 + the number of the last row that came.
  uint64_t *last;
  uint64_t received;
  uint64_t doubled;
  uint64_t repeated;
  uint64_t misrouted;
  uint64_t disordered;
  int64_t first_instant;
  int64_t last_instant;
  samples since_sent;
  arrival *arrivals;
  size_t arrival_count;
};

ledger *ledger_create(const ledger_options *options) {
  ledger *made = allocate(1, sizeof *made);
  made->options = *options;
  made->seen = allocate(options->rows * options->devices / 8 + 1, 1);
  made->last = allocate((size_t)options->connections * options->writers, sizeof *made->last);
  if (options->commits != NULL) {
    made->arrivals = allocate(options->rows * options->devices, sizeof *made->arrivals);
  }
  return made;
}

static bool remember(ledger *ledger, unsigned device, uint64_t number) {
  const uint64_t place = number * ledger->options.devices + device;
  const uint8_t bit = (uint8_t)(1u << (place % 8));
  const bool known = (ledger->seen[place / 8] & bit) != 0;
  ledger->seen[place / 8] |= bit;
  return !known;
}

void ledger_receive(ledger *ledger, unsigned connection, unsigned device, uint64_t user, const payload *payload,
                    int64_t now) {
  const ledger_options *options = &ledger->options;
  if (payload->number >= options->rows || (user != 0 && payload->user != user)) {
    ledger->misrouted++;
    return;
  }
  uint64_t *last = &ledger->last[(size_t)connection * options->writers + payload->number % options->writers];
  const bool behind = payload->number < *last;
  if (!remember(ledger, device, payload->number)) {
    if (options->repeats && !behind) {
      ledger->repeated++;
      *last = payload->number + 1;
    } else {
      ledger->doubled++;
    }
    return;
  }
  if (behind) {
    ledger->disordered++;
  }
  *last = payload->number + 1;
  ledger->first_instant = ledger->received == 0 ? now : ledger->first_instant;
  ledger->last_instant = now;
  ledger->received++;
  if (!options->latency || payload->number < options->warm_up) {
    return;
  }
  samples_add(&ledger->since_sent, now - payload->sent);
  if (ledger->arrivals != NULL) {
    ledger->arrivals[ledger->arrival_count++] = (arrival){.number = payload->number, .instant = now};
  }
}

void ledger_reconnect(ledger *ledger, unsigned connection) {
  const unsigned writers = ledger->options.writers;
  memset(&ledger->last[(size_t)connection * writers], 0, writers * sizeof *ledger->last);
}

uint64_t ledger_received(const ledger *ledger) {
  return ledger->received;
}

static uint64_t expected(const ledger *ledger) {
  const ledger_options *options = &ledger->options;
  return (options->share > 0 ? options->share : options->rows) * options->devices;
}

bool ledger_is_complete(const ledger *ledger) {
  return ledger->received >= expected(ledger);
}

// Negative where a row was on the socket before its writer had heard that it was committed.
static void print_since_commit(ledger *ledger, FILE *out) {
  samples since_commit = {0};
  const size_t bytes = ledger->options.rows * sizeof(int64_t);
  const int file = open(ledger->options.commits, O_RDONLY | O_CLOEXEC);
  const int64_t *commits = file < 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
  if (commits == MAP_FAILED) {
    fail("can't read %s", ledger->options.commits);
  }
  for (size_t i = 0; i < ledger->arrival_count; i++) {
    const arrival *arrival = &ledger->arrivals[i];
    samples_add(&since_commit, arrival->instant - commits[arrival->number]);
  }
  samples_print(&since_commit, "since_commit_us", out);
  samples_free(&since_commit);
  (void)munmap((void *)commits, bytes);
  (void)close(file);
}

bool ledger_print(ledger *ledger, FILE *out) {
  const uint64_t wanted = expected(ledger);
  (void)fprintf(out,
                ",\"expected\":%" PRIu64 ",\"received\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"doubled\":%" PRIu64
                ",\"repeated\":%" PRIu64 ",\"misrouted\":%" PRIu64 ",\"disordered\":%" PRIu64 ",\"first_ns\":%" PRId64
                ",\"last_ns\":%" PRId64,
                wanted, ledger->received, wanted - ledger->received, ledger->doubled, ledger->repeated,
                ledger->misrouted, ledger->disordered, ledger->first_instant, ledger->last_instant);
  samples_print(&ledger->since_sent, "since_sent_us", out);
  if (ledger->arrivals != NULL) {
    print_since_commit(ledger, out);
  }
  return ledger_is_complete(ledger) && ledger->doubled == 0 && ledger->misrouted == 0 && ledger->disordered == 0;
}

void ledger_destroy(ledger *ledger) {
  samples_free(&ledger->since_sent);
  free(ledger->arrivals);
  free(ledger->last);
  free(ledger->seen);
  free(ledger);
}
