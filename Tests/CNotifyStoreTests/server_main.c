// The tests against a real server. NOTIFY_STORE_TEST_DATABASE names a database that they may change.
// An argument: run only the tests whose sentence holds it.

#include "lists.h"
#include "server.h"

int main(int argc, char **argv) {
  const test *const lists[] = {server_session_tests, server_delta_tests,      server_replay_tests, server_mark_tests,
                               server_table_tests,   server_table_mark_tests, server_plan_tests,   NULL};
  if (server_conninfo() == NULL) {
    fprintf(stderr, "NOTIFY_STORE_TEST_DATABASE is not set\n");
    return 1;
  }
  return check_run(lists, argc > 1 ? argv[1] : NULL);
}
