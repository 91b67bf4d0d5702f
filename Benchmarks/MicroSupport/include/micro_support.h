/// What the micro benchmarks need and Swift can't do: counting every allocation and every write of the process, and
/// clients that read without allocating.
///
/// Linking this module replaces malloc and its relatives, and write, writev and sendmsg, in the whole process, with
/// functions that count and pass on. Only where the C library is glibc: elsewhere nothing is counted, which
/// the self-test notices.
#ifndef MICRO_SUPPORT_H
#define MICRO_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What the process has done since it began.
typedef struct {
  /// Calls that returned memory: malloc, calloc, realloc and the aligned ones.
  uint64_t allocations;
  /// Bytes that they were asked for.
  uint64_t bytes;
  /// Bytes in use now, as the allocator has rounded them.
  int64_t held;
  /// Calls of write, writev and sendmsg.
  uint64_t writes;
} micro_counts;

/// Reads the counters. Does not allocate.
micro_counts micro_counts_now(void);

/// Allocates `size` bytes and frees them, in C.
void micro_allocate(size_t size);

/// Keeps the call stack of every allocation from now on, until `micro_stacks_print`; those that find no room are lost.
void micro_stacks_keep(void);
/// Stops keeping, and writes each call stack and how often it came to stdout, the most frequent first.
///
/// - Parameter rounds: by which the numbers are divided.
void micro_stacks_print(unsigned rounds);

/// Opens a WebSocket of user `user` at 127.0.0.1, and reads until its first message has come.
///
/// - Returns: the descriptor, or -1.
int micro_client_open(uint16_t port, int64_t user);

/// Begins to read from sockets, in a thread that doesn't allocate. They are closed at `micro_clients_close`.
///
/// One set at a time. Returns whether that was possible.
bool micro_clients_read(const int *sockets, size_t count);
/// Bytes that a socket of the set has received since `micro_clients_read`.
uint64_t micro_clients_bytes(size_t index);
/// Ends the thread and closes the sockets.
void micro_clients_close(void);

/// Counts rows that were confirmed. From any thread.
void micro_confirmed(uint64_t rows);
/// Waits until so many bytes were received and rows confirmed since `micro_clients_read`, in all. Does not allocate.
///
/// - Returns: false where that took longer than ten seconds.
bool micro_wait(uint64_t bytes, uint64_t rows);

#endif
