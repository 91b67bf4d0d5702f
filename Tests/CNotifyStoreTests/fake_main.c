// The tests that need no server. An argument: run only the tests whose sentence holds it.

#include "lists.h"

int main(int argc, char **argv) {
  const test *const lists[] = {connect_tests, wait_tests,   statement_tests, stream_tests, keys_tests, replay_tests,
                               mark_tests,    source_tests, pooler_tests,    sweep_tests,  NULL};
  return check_run(lists, argc > 1 ? argv[1] : NULL);
}
