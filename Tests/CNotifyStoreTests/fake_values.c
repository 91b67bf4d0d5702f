// What a result says of itself, and the few functions of the C library.

#include <errno.h>
#include <stdlib.h>

#include "fake_table.h"

static const fake_result *definition(const PGresult *result) {
  return ((const handed_out *)(const void *)result)->definition;
}

ExecStatusType pq_result_status(const PGresult *result) {
  return definition(result)->status;
}

char *pq_result_error_field(const PGresult *result, int field) {
  const fake_result *of = definition(result);
  switch (field) {
    case PG_DIAG_SEVERITY_NONLOCALIZED:
      return (char *)(uintptr_t)of->severity;
    case PG_DIAG_SQLSTATE:
      return (char *)(uintptr_t)of->sqlstate;
    case PG_DIAG_MESSAGE_PRIMARY:
      return (char *)(uintptr_t)of->primary;
    case PG_DIAG_MESSAGE_HINT:
      return (char *)(uintptr_t)of->hint;
    case PG_DIAG_CONTEXT:
      return (char *)(uintptr_t)of->context;
    case PG_DIAG_MESSAGE_DETAIL:
      return (char *)(uintptr_t)of->detail;
    default:
      return NULL;
  }
}

char *pq_result_error_message(const PGresult *result) {
  const fake_result *of = definition(result);
  return (char *)(uintptr_t)(of->message == NULL ? "" : of->message);
}

int pq_rows(const PGresult *result) {
  return definition(result)->rows;
}

int pq_columns(const PGresult *result) {
  return definition(result)->columns;
}

Oid pq_column_type(const PGresult *result, int column) {
  return definition(result)->values[column].type;
}

int pq_column_format(const PGresult *result, int column) {
  (void)column;
  return definition(result)->format;
}

int pq_is_null(const PGresult *result, int row, int column) {
  (void)row;
  return definition(result)->values[column].is_null;
}

int pq_length(const PGresult *result, int row, int column) {
  (void)row;
  return definition(result)->values[column].length;
}

char *pq_value(const PGresult *result, int row, int column) {
  (void)row;
  return (char *)(uintptr_t)definition(result)->values[column].bytes;
}

void pq_clear(PGresult *result) {
  fake.results -= result != NULL;
  free(result);
}

int pq_event_open(unsigned initial, int flags) {
  (void)initial;
  (void)flags;
  if (fake_fails(FAKE_EVENT_OPEN)) {
    return -1;
  }
  fake.descriptors++;
  return FAKE_WAKE_DESCRIPTOR;
}

int pq_event_close(int descriptor) {
  CHECK_EQUAL(descriptor, FAKE_WAKE_DESCRIPTOR);
  fake.descriptors--;
  return 0;
}

ssize_t pq_event_read(int descriptor, void *buffer, size_t size) {
  (void)descriptor;
  uint64_t count = (uint64_t)fake_wakes;
  if (fake_wakes == 0 || size != sizeof count) {
    errno = EAGAIN;
    return -1;
  }
  memcpy(buffer, &count, sizeof count);
  fake_wakes = 0;
  return (ssize_t)size;
}

ssize_t pq_event_write(int descriptor, const void *buffer, size_t size) {
  (void)descriptor;
  (void)buffer;
  fake_wakes++;
  return (ssize_t)size;
}

int pq_wait_for(struct pollfd *descriptors, nfds_t count, int timeout_ms) {
  CHECK(timeout_ms >= 0);
  if (fake_fails(FAKE_WAIT_FOR)) {
    errno = fake.wait_errno;
    return -1;
  }
  int ready = 0;
  for (nfds_t i = 0; i < count; i++) {
    descriptors[i].revents = 0;
    if (descriptors[i].fd == FAKE_WAKE_DESCRIPTOR && fake_wakes > 0) {
      descriptors[i].revents = POLLIN;
      ready++;
    } else if (descriptors[i].fd == FAKE_SOCKET_DESCRIPTOR && fake.ready_times != 0) {
      descriptors[i].revents = fake.revents != 0 ? fake.revents : descriptors[i].events;
      fake.ready_times -= fake.ready_times > 0;
      ready++;
    }
  }
  if (ready == 0) {
    fake.now_ms += timeout_ms;
  }
  return ready;
}

int64_t pq_now_ms(void) {
  return fake.now_ms;
}

void *pq_allocate(size_t size) {
  if (fake_fails(FAKE_ALLOCATE)) {
    return NULL;
  }
  fake.allocations++;
  return malloc(size);
}

void pq_deallocate(void *pointer) {
  fake.allocations -= pointer != NULL;
  free(pointer);
}
