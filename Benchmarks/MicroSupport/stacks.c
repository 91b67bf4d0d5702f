// Where allocations come from: their call stacks, kept in memory that was there before.
#define _GNU_SOURCE  // dladdr
#include <dlfcn.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "micro_support.h"

enum { STACKS = 65536, DEPTH = 40 };

typedef struct {
  void *frames[DEPTH];
  int depth;
} stack;

static stack stacks[STACKS];
static _Atomic unsigned used;
static _Atomic bool keeping;
static _Thread_local bool inside;

void micro_stacks_note(void) {
  if (!atomic_load_explicit(&keeping, memory_order_relaxed) || inside) {
    return;
  }
  unsigned index = atomic_fetch_add_explicit(&used, 1, memory_order_relaxed);
  if (index < STACKS) {
    inside = true;
    stacks[index].depth = backtrace(stacks[index].frames, DEPTH);
    inside = false;
  }
}

void micro_stacks_keep(void) {
  // The first call loads a library.
  void *frame[1];
  (void)backtrace(frame, 1);
  atomic_store(&used, 0);
  atomic_store(&keeping, true);
}

static int by_frames(const void *left, const void *right) {
  return memcmp(((const stack *)left)->frames, ((const stack *)right)->frames, sizeof stacks[0].frames);
}

// After grouping, `depth` of a group's first is its depth and `frames` stay; counts lie beside.
typedef struct {
  const stack *first;
  unsigned count;
} group;

static int by_count(const void *left, const void *right) {
  unsigned a = ((const group *)left)->count;
  unsigned b = ((const group *)right)->count;
  return a < b ? 1 : a > b ? -1 : 0;
}

static void print_frame(void *frame) {
  Dl_info info;
  // One before the return address: in the call itself.
  char *place = (char *)frame - 1;
  if (dladdr(place, &info) == 0) {
    printf("    %p\n", frame);
  } else if (info.dli_sname != NULL) {
    printf("    %s\n", info.dli_sname);
  } else {
    printf("    %s+0x%tx\n", info.dli_fname, place - (char *)info.dli_fbase);
  }
}

void micro_stacks_print(unsigned rounds) {
  static group groups[STACKS];
  atomic_store(&keeping, false);
  unsigned seen = atomic_load(&used);
  unsigned kept = seen < STACKS ? seen : STACKS;
  size_t count = 0;
  qsort(stacks, kept, sizeof stacks[0], by_frames);
  for (unsigned index = 0; index < kept; index++) {
    if (count == 0 || by_frames(groups[count - 1].first, &stacks[index]) != 0) {
      groups[count++] = (group){.first = &stacks[index], .count = 0};
    }
    groups[count - 1].count++;
  }
  qsort(groups, count, sizeof groups[0], by_count);
  printf("%u allocations, %u of them kept; each stack with its number in one of %u rounds\n", seen, kept, rounds);
  for (size_t index = 0; index < count; index++) {
    printf("  %.3f\n", (double)groups[index].count / rounds);
    for (int frame = 2; frame < groups[index].first->depth; frame++) {
      print_frame(groups[index].first->frames[frame]);
    }
  }
  memset(stacks, 0, sizeof stacks);
}
