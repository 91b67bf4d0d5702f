#include "transport.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fail.h"

SSL_CTX *transport_tls_settings(void) {
  SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
  if (settings == NULL) {
    fail("OpenSSL has no TLS");
  }
  SSL_CTX_set_verify(settings, SSL_VERIFY_NONE, NULL);
  (void)SSL_CTX_set_mode(settings, SSL_MODE_RELEASE_BUFFERS);
  return settings;
}

static void fail_tls(const char *doing) {
  char reason[256];
  ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
  fail("TLS, %s: %s", doing, reason);
}

uint32_t transport_secure(transport *transport, SSL_CTX *settings) {
  if (transport->tls == NULL) {
    transport->tls = SSL_new(settings);
    if (transport->tls == NULL || SSL_set_fd(transport->tls, transport->socket) != 1) {
      fail_tls("beginning");
    }
    SSL_set_connect_state(transport->tls);
  }
  const int done = SSL_do_handshake(transport->tls);
  const int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(transport->tls, done);
  if (error == SSL_ERROR_NONE) {
    return 0;
  }
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
    fail_tls("shaking hands");
  }
  return error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT;
}

ssize_t transport_read(transport *transport, char *bytes, size_t count) {
  if (transport->tls == NULL) {
    return read(transport->socket, bytes, count);
  }
  ERR_clear_error();
  const int got = SSL_read(transport->tls, bytes, (int)count);
  if (got > 0) {
    return got;
  }
  switch (SSL_get_error(transport->tls, got)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      errno = ECONNRESET;
      return -1;
  }
}

bool transport_has_more(const transport *transport) {
  return transport->tls != NULL && SSL_pending(transport->tls) > 0;
}

bool transport_write(transport *transport, const char *bytes, size_t count) {
  return transport->tls == NULL ? write(transport->socket, bytes, count) == (ssize_t)count
                                : SSL_write(transport->tls, bytes, (int)count) == (int)count;
}

void transport_close(transport *transport) {
  SSL_free(transport->tls);
  transport->tls = NULL;
  (void)close(transport->socket);
}
