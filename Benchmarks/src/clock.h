/// Time as all programs of one machine see it.
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <sys/resource.h>
#include <time.h>

#define NANOSECONDS 1000000000LL

/// CLOCK_MONOTONIC in nanoseconds: comparable between processes.
static inline int64_t clock_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * NANOSECONDS + now.tv_nsec;
}

/// Sleeps until an instant of `clock_now`.
static inline void clock_sleep_until(int64_t instant) {
  struct timespec until = {.tv_sec = instant / NANOSECONDS, .tv_nsec = instant % NANOSECONDS};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) {
  }
}

/// CPU seconds that this process has used, in user and kernel mode.
static inline double clock_cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

#endif
