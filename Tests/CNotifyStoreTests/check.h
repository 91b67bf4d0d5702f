// Checks, and a list of tests: a test is a function and the sentence that it shows to be true.

#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct test {
  const char *sentence;
  void (*run)(void);
} test;

// How many checks of the current test failed.
extern int check_failures;

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      check_failures++;                                                             \
      fprintf(stderr, "    %s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
    }                                                                               \
  } while (0)

// As CHECK, and shows both numbers.
#define CHECK_EQUAL(got, wanted)                                                                                  \
  do {                                                                                                            \
    long long check_got = (long long)(got);                                                                       \
    long long check_wanted = (long long)(wanted);                                                                 \
    if (check_got != check_wanted) {                                                                              \
      check_failures++;                                                                                           \
      fprintf(stderr, "    %s:%d: %s is %lld and not %lld\n", __FILE__, __LINE__, #got, check_got, check_wanted); \
    }                                                                                                             \
  } while (0)

#define CHECK_TEXT(got, wanted)                                                         \
  do {                                                                                  \
    const char *check_got = (got);                                                      \
    const char *check_wanted = (wanted);                                                \
    if (check_got == NULL || strcmp(check_got, check_wanted) != 0) {                    \
      check_failures++;                                                                 \
      fprintf(stderr, "    %s:%d: %s is '%s' and not '%s'\n", __FILE__, __LINE__, #got, \
              check_got == NULL ? "(null)" : check_got, check_wanted);                  \
    }                                                                                   \
  } while (0)

// Runs the tests whose sentence holds `filter` (all where it is NULL), prints each, and the sum at the end.
// Returns the exit status of the program: 1 where one failed, or none ran.
int check_run(const test *const *lists, const char *filter);

#endif
