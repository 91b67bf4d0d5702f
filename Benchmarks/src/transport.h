/// A device's bytes on its socket, plain or by TLS; nothing blocks.
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct transport {
  int socket;
  /// NULL without TLS.
  SSL *tls;
} transport;

/// Settings for all connections: no certificate is checked, buffers are given back while nothing comes.
SSL_CTX *transport_tls_settings(void);

/// Goes on with the TLS handshake. 0: done; otherwise the events of epoll to wait for before calling again.
/// Ends the program where it fails.
uint32_t transport_secure(transport *transport, SSL_CTX *settings);

/// As read(2): 0 at the end, -1 with errno EAGAIN where nothing is there.
ssize_t transport_read(transport *transport, char *bytes, size_t count);

/// Whether more can be read without waiting for the socket.
bool transport_has_more(const transport *transport);

/// True where all was written.
bool transport_write(transport *transport, const char *bytes, size_t count);

void transport_close(transport *transport);

#endif
