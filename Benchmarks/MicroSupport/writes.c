// Counts the system calls that send, by standing in front of glibc's functions.
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

static _Atomic uint64_t writes;

#ifdef __linux__

#include <sys/syscall.h>

static void count(void) {
  atomic_fetch_add_explicit(&writes, 1, memory_order_relaxed);
}

ssize_t write(int descriptor, const void *bytes, size_t size) {
  count();
  return syscall(SYS_write, descriptor, bytes, size);
}

ssize_t writev(int descriptor, const struct iovec *pieces, int pieces_count) {
  count();
  return syscall(SYS_writev, descriptor, pieces, pieces_count);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
  count();
  return syscall(SYS_sendmsg, descriptor, message, flags);
}

#endif

uint64_t micro_writes(void) {
  return atomic_load_explicit(&writes, memory_order_relaxed);
}
