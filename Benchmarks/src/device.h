/// One connection of a user: its handshake and what it receives.
#ifndef DEVICE_H
#define DEVICE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "ledger.h"

typedef enum device_state {
  DEVICE_IDLE,
  DEVICE_CONNECTING,
  /// The request is sent, the answer has not come whole.
  DEVICE_UPGRADING,
  /// Upgraded, but connection_established has not come.
  DEVICE_JOINING,
  DEVICE_LIVE,
  DEVICE_CLOSED,
} device_state;

typedef struct device {
  int socket;
  device_state state;
  uint64_t user;
  unsigned place;
  /// Which of the user's connections it is.
  unsigned device;
  /// What of a message has come so far.
  char *partial;
  uint32_t partial_length;
} device;

/// What all devices have in common.
typedef struct device_context {
  struct sockaddr_in address;
  const char *path;
  const char *secret;
  ledger *ledger;
  /// Messages that are neither of the protocol nor the inserter's rows.
  uint64_t malformed;
  uint64_t closed;
} device_context;

/// Opens the socket and begins to connect, non-blocking.
void device_connect(device *device, const device_context *context);

/// The socket can be written: sends the request.
void device_writable(device *device, const device_context *context, const char *token);

/// The socket can be read: reads what is there and handles each message.
void device_readable(device *device, device_context *context);

#endif
