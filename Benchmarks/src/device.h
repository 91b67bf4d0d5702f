/// One connection of a user: its handshake and what it receives.
#ifndef DEVICE_H
#define DEVICE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "inflater.h"
#include "ledger.h"
#include "transport.h"

typedef enum device_state {
  DEVICE_IDLE,
  DEVICE_CONNECTING,
  /// Connected; the TLS handshake goes on.
  DEVICE_SECURING,
  /// The request is sent, the answer has not come whole.
  DEVICE_UPGRADING,
  /// Upgraded, but connection_established has not come.
  DEVICE_JOINING,
  DEVICE_LIVE,
  DEVICE_CLOSED,
} device_state;

typedef struct device {
  transport transport;
  device_state state;
  /// The events of epoll that it waits for.
  uint32_t events;
  uint64_t user;
  unsigned place;
  /// Which of the user's connections it is.
  unsigned device;
  /// What of a message has come so far.
  char *partial;
  uint32_t partial_length;
  /// Whether permessage-deflate was agreed on, and its state where messages refer to earlier ones.
  bool deflated;
  inflater *inflater;
  /// The newest one, "" before the first; NULL where none is kept.
  char *cursor;
} device;

/// What all devices have in common.
typedef struct device_context {
  struct sockaddr_in address;
  const char *path;
  const char *secret;
  ledger *ledger;
  /// NULL without TLS.
  SSL_CTX *tls;
  /// For messages that stand alone.
  inflater *inflater;
  bool deflate;
  /// Cursors are kept, and the server may end connections.
  bool resume;
  /// Rows are acknowledged: those of a read in one message.
  bool acknowledge;
  /// The server's JSON has blanks.
  bool spaced;
  /// SO_RCVBUF, or 0 for the kernel's own choice.
  int receive_buffer;
  /// Messages that are neither of the protocol nor the inserter's rows.
  uint64_t malformed;
  uint64_t closed;
} device_context;

/// Opens the socket and begins to connect, non-blocking.
void device_connect(device *device, const device_context *context);

/// Something happened on the socket: goes on with the handshake, or reads what is there. Afterwards `events` says what
/// to wait for; a closed device's socket is gone.
void device_turn(device *device, device_context *context, const char *token);

#endif
