// Counts allocations by standing in front of glibc's allocator, which goes on under its internal names.
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "internal.h"
#include "micro_support.h"

#ifdef __GLIBC__

// glibc's own functions. They are no part of its documented interface, but exported for this.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static _Atomic uint64_t allocations;
static _Atomic uint64_t requested;
static _Atomic int64_t held;

static void *counted(void *memory, size_t size) {
  if (memory != NULL) {
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&requested, size, memory_order_relaxed);
    atomic_fetch_add_explicit(&held, (int64_t)malloc_usable_size(memory), memory_order_relaxed);
    micro_stacks_note();
  }
  return memory;
}

static void given_back(void *memory) {
  if (memory != NULL) {
    atomic_fetch_sub_explicit(&held, (int64_t)malloc_usable_size(memory), memory_order_relaxed);
  }
}

void *malloc(size_t size) {
  return counted(__libc_malloc(size), size);
}

void *calloc(size_t count, size_t size) {
  return counted(__libc_calloc(count, size), count * size);
}

void *realloc(void *memory, size_t size) {
  size_t before = memory == NULL ? 0 : malloc_usable_size(memory);
  void *moved = __libc_realloc(memory, size);
  if (moved != NULL || size == 0) {
    atomic_fetch_sub_explicit(&held, (int64_t)before, memory_order_relaxed);
  }
  return counted(moved, size);
}

void *memalign(size_t alignment, size_t size) {
  return counted(__libc_memalign(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) {
    return EINVAL;
  }
  void *memory = memalign(alignment, size);
  if (memory == NULL) {
    return ENOMEM;
  }
  *result = memory;
  return 0;
}

void free(void *memory) {
  given_back(memory);
  __libc_free(memory);
}

micro_counts micro_counts_now(void) {
  return (micro_counts){
      .allocations = atomic_load_explicit(&allocations, memory_order_relaxed),
      .bytes = atomic_load_explicit(&requested, memory_order_relaxed),
      .held = atomic_load_explicit(&held, memory_order_relaxed),
      .writes = micro_writes(),
  };
}

#else

micro_counts micro_counts_now(void) {
  return (micro_counts){0};
}

#endif

void micro_allocate(size_t size) {
  // Volatile, or the compiler would leave both out.
  void *volatile memory = malloc(size);
  free(memory);
}
