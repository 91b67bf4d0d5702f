// What the ledger must notice: a run with every row is good, and each kind of damage makes it bad.

#include <stdio.h>

#include "../src/fail.h"
#include "../src/ledger.h"

typedef struct delivery {
  unsigned connection;
  unsigned device;
  uint64_t user;
  payload payload;
} delivery;

#define ROW(n, on)                                                                             \
  {                                                                                            \
    .connection = on, .device = on, .user = 7, .payload = {.number = n, .sent = 1, .user = 7 } \
  }

typedef struct example {
  const char *name;
  bool good;
  unsigned count;
  delivery deliveries[6];
} example;

// Two rows of one writer, to both devices of user 7.
static const example examples[] = {
    {"every row on each device", true, 4, {ROW(0, 0), ROW(0, 1), ROW(1, 0), ROW(1, 1)}},
    {"a row lost on one device", false, 3, {ROW(0, 0), ROW(0, 1), ROW(1, 0)}},
    {"a row twice on one device", false, 5, {ROW(0, 0), ROW(0, 0), ROW(0, 1), ROW(1, 0), ROW(1, 1)}},
    {"a row twice in place of one that is lost", false, 4, {ROW(0, 0), ROW(0, 0), ROW(0, 1), ROW(1, 0)}},
    {"one writer's rows the wrong way round", false, 4, {ROW(1, 0), ROW(0, 0), ROW(0, 1), ROW(1, 1)}},
    {"a row that nobody wrote", false, 5, {ROW(0, 0), ROW(0, 1), ROW(1, 0), ROW(1, 1), ROW(2, 0)}},
    {"another user's row",
     false,
     5,
     {ROW(0, 0),
      ROW(0, 1),
      ROW(1, 0),
      ROW(1, 1),
      {.connection = 0, .device = 0, .user = 7, .payload = {.number = 1, .sent = 1, .user = 8}}}},
};

int main(void) {
  FILE *nowhere = fopen("/dev/null", "w");
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    const example *example = &examples[i];
    const ledger_options options = {.rows = 2, .devices = 2, .writers = 1, .connections = 2, .latency = true};
    ledger *ledger = ledger_create(&options);
    for (unsigned k = 0; k < example->count; k++) {
      const delivery *delivery = &example->deliveries[k];
      ledger_receive(ledger, delivery->connection, delivery->device, delivery->user, &delivery->payload, 2);
    }
    if (ledger_print(ledger, nowhere) != example->good) {
      fail("%s was taken for %s", example->name, example->good ? "bad" : "good");
    }
    ledger_destroy(ledger);
  }
  (void)fclose(nowhere);
  (void)printf("the ledger tells %zu examples apart\n", sizeof examples / sizeof *examples);
  return 0;
}
