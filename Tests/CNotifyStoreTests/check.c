#include "check.h"

int check_failures = 0;

int check_run(const test *const *lists, const char *filter) {
  int passed = 0;
  int failed = 0;
  for (; *lists != NULL; lists++) {
    for (const test *one = *lists; one->run != NULL; one++) {
      if (filter != NULL && strstr(one->sentence, filter) == NULL) {
        continue;
      }
      check_failures = 0;
      one->run();
      printf("%s: %s\n", check_failures == 0 ? "ok" : "FAILED", one->sentence);
      fflush(stdout);
      *(check_failures == 0 ? &passed : &failed) += 1;
    }
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 || passed == 0;
}
