#include "fake.h"

#include <errno.h>

#include "fake_table.h"

fake_state fake;
int fake_wakes;

bool fake_fails(fake_function function) {
  fake.calls[function]++;
  return fake.failing_call > 0 && fake.failing == function && fake.calls[function] == fake.failing_call;
}

static const notify_store_libpq table = {
    .conninfo_parse = pq_conninfo_parse,
    .conninfo_free = pq_conninfo_free,
    .freemem = pq_freemem,
    .connect_start = pq_connect_start,
    .connect_poll = pq_connect_poll,
    .status = pq_status,
    .socket = pq_socket_of,
    .finish = pq_finish,
    .error_message = pq_error_message,
    .needs_password = pq_needs_password,
    .set_verbosity = pq_set_verbosity,
    .set_notice_receiver = pq_set_notice_receiver,
    .set_nonblocking = pq_set_nonblocking,
    .ssl_in_use = pq_ssl_in_use,
    .server_version = pq_server_version,
    .backend_pid = pq_backend_pid,
    .send_query = pq_send_query,
    .send_query_params = pq_send_query_params,
    .send_prepare = pq_send_prepare,
    .send_query_prepared = pq_send_query_prepared,
    .set_single_row_mode = pq_set_single_row_mode,
    .flush = pq_flush,
    .consume_input = pq_consume_input,
    .is_busy = pq_is_busy,
    .get_result = pq_get_result,
    .notifies = pq_notifies,
    .escape_identifier = pq_escape_identifier,
    .cancel = pq_cancel,
    .result_status = pq_result_status,
    .result_error_field = pq_result_error_field,
    .result_error_message = pq_result_error_message,
    .rows = pq_rows,
    .columns = pq_columns,
    .column_type = pq_column_type,
    .column_format = pq_column_format,
    .is_null = pq_is_null,
    .length = pq_length,
    .value = pq_value,
    .clear = pq_clear,
    .event_open = pq_event_open,
    .event_close = pq_event_close,
    .event_read = pq_event_read,
    .event_write = pq_event_write,
    .wait_for = pq_wait_for,
    .now_ms = pq_now_ms,
    .allocate = pq_allocate,
    .deallocate = pq_deallocate,
};

const notify_store_libpq *fake_table(void) {
  return &table;
}

const notify_store_libpq *fake_reset(void) {
  fake_forget_results();
  fake_wakes = 0;
  memset(&fake, 0, sizeof fake);
  fake.ready_times = -1;
  fake.now_ms = 1000;
  fake.server_pid = FAKE_PID;
  fake.wait_errno = EBADF;
  return &table;
}

static notify_store *connect_store(int server_pid) {
  notify_store *store = NULL;
  CHECK_EQUAL(notify_store_create(fake_reset(), &store), NOTIFY_STORE_OK);
  fake.server_pid = server_pid;
  CHECK_EQUAL(notify_store_connect(store, "host=db user=u password=hunter2 dbname=d", "test", 1000), NOTIFY_STORE_OK);
  CHECK_EQUAL(notify_store_is_pooled(store), server_pid != FAKE_PID);
  memset(fake.calls, 0, sizeof fake.calls);
  fake.statement_count = 0;
  return store;
}

notify_store *fake_store(void) {
  return connect_store(FAKE_PID);
}

notify_store *fake_pooled_store(void) {
  return connect_store(FAKE_PID + 1);
}

void fake_sent(const char *const *beginnings) {
  int count = 0;
  for (; beginnings[count] != NULL; count++) {
    const char *sent = count < fake.statement_count ? fake.statements[count] : "";
    if (strncmp(sent, beginnings[count], strlen(beginnings[count])) != 0) {
      CHECK_TEXT(sent, beginnings[count]);
    }
  }
  CHECK_EQUAL(fake.statement_count, count);
  fake.statement_count = 0;
}

void fake_finish(notify_store *store) {
  notify_store_destroy(store);
  CHECK_EQUAL(fake.connections, 0);
  CHECK_EQUAL(fake.results, 0);
  CHECK_EQUAL(fake.notifications, 0);
  CHECK_EQUAL(fake.allocations, 0);
  CHECK_EQUAL(fake.descriptors, 0);
  CHECK_EQUAL(fake.options, 0);
  CHECK_EQUAL(fake.texts, 0);
  (void)fake_reset();
}

void fake_answer(const fake_result *result) {
  CHECK(fake.script_length < FAKE_RESULTS);
  fake.script[fake.script_length++] = result;
}
