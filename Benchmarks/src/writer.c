#include "writer.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "database.h"
#include "fail.h"
#include "payload.h"

#define STATEMENT "insert_rows"

// xorshift64*: cheap, and every user is as likely.
static uint64_t next_random(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 0x2545F4914F6CDD1DULL;
}

// Parameters of one statement: user and data of each row, users in binary form.
typedef struct arguments {
  uint64_t *users;
  char *payloads;
  size_t stride;
  const char **values;
  int *lengths;
  int *formats;
} arguments;

static arguments arguments_make(unsigned rows, size_t padding) {
  const size_t stride = PAYLOAD_BYTES + padding;
  arguments made = {.users = allocate(rows, sizeof *made.users),
                    .payloads = allocate(rows, stride),
                    .stride = stride,
                    .values = allocate((size_t)rows * 2, sizeof *made.values),
                    .lengths = allocate((size_t)rows * 2, sizeof *made.lengths),
                    .formats = allocate((size_t)rows * 2, sizeof *made.formats)};
  for (unsigned i = 0; i < rows; i++) {
    made.values[2 * i] = (const char *)&made.users[i];
    made.lengths[2 * i] = sizeof(uint64_t);
    made.formats[2 * i] = 1;
    made.values[2 * i + 1] = made.payloads + i * stride;
  }
  return made;
}

static void arguments_free(arguments *arguments) {
  free(arguments->users);
  free(arguments->payloads);
  free(arguments->values);
  free(arguments->lengths);
  free(arguments->formats);
}

// INSERT … VALUES ($1,$2),($3,$4)…, as an ORM writes many objects at once.
static void prepare(PGconn *connection, unsigned batch) {
  const char head[] = "INSERT INTO public.notification (user_id, data) VALUES ";
  const size_t room = sizeof head + (size_t)batch * 40;
  char *sql = allocate(room, 1);
  size_t length = (size_t)snprintf(sql, room, "%s", head);
  for (unsigned i = 0; i < batch; i++) {
    length += (size_t)snprintf(sql + length, room - length, "%s($%u::bigint,$%u::jsonb)", i > 0 ? "," : "", 2 * i + 1,
                               2 * i + 2);
  }
  PGresult *result = PQprepare(connection, STATEMENT, sql, 0, NULL);
  database_check(connection, result, "preparing the INSERT");
  PQclear(result);
  free(sql);
}

// The next instant to send at: once in each interval, at a random place in it, so that nothing periodic on the other
// side is met always at the same phase.
static int64_t wait_for_turn(writer *writer, int64_t start, uint64_t turn, uint64_t *random) {
  const int64_t interval = NANOSECONDS / writer->plan->rate;
  const int64_t due = start + (int64_t)turn * interval + (int64_t)(next_random(random) % (uint64_t)interval);
  clock_sleep_until(due);
  return due + interval / 2;
}

static void write_statement(writer *writer, PGconn *connection, arguments *arguments, uint64_t first_row,
                            uint64_t *random) {
  const writer_plan *plan = writer->plan;
  for (unsigned i = 0; i < plan->batch; i++) {
    const uint64_t number = plan->first_row + (first_row + i) * plan->writers + writer->index;
    const uint64_t choice = plan->in_turn ? number : next_random(random) >> 11;
    const payload payload = {.number = number, .user = plan->first_user + choice % plan->users, .sent = clock_now()};
    arguments->users[i] = htobe64(payload.user);
    (void)payload_write(&payload, plan->padding, arguments->payloads + i * arguments->stride);
  }
  const int64_t sent = clock_now();
  PGresult *result = PQexecPrepared(connection, STATEMENT, (int)plan->batch * 2, arguments->values, arguments->lengths,
                                    arguments->formats, 0);
  const int64_t returned = clock_now();
  database_check(connection, result, "INSERT");
  PQclear(result);
  writer->first_sent = writer->first_sent == 0 ? sent : writer->first_sent;
  writer->last_returned = returned;
  samples_add(&writer->commit_times, returned - sent);
  for (unsigned i = 0; plan->commits != NULL && i < plan->batch; i++) {
    plan->commits[(first_row + i) * plan->writers + writer->index] = returned;
  }
}

void *writer_run(void *argument) {
  writer *self = argument;
  const writer_plan *plan = self->plan;
  PGconn *connection = database_connect(plan->url, "benchmark writer");
  arguments arguments = arguments_make(plan->batch, plan->padding);
  uint64_t random = 0x9E3779B97F4A7C15ULL * (self->index + 1);
  prepare(connection, plan->batch);
  (void)pthread_barrier_wait(self->start);
  const int64_t start = clock_now();
  const uint64_t statements = plan->rows / plan->writers / plan->batch;
  for (uint64_t i = 0; i < statements; i++) {
    const int64_t latest = plan->rate > 0 ? wait_for_turn(self, start, i, &random) : 0;
    if (plan->rate > 0 && clock_now() > latest) {
      self->late++;
    }
    write_statement(self, connection, &arguments, i * plan->batch, &random);
  }
  arguments_free(&arguments);
  PQfinish(connection);
  return NULL;
}
