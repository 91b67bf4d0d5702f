#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "acks.h"
#include "clock.h"
#include "fail.h"
#include "frame.h"
#include "token.h"

#define CURSOR_BYTES 129

// One buffer for all: a device keeps only an unfinished message.
static char buffer[1 << 18];

// How messages begin, and where a notification's data is.
typedef struct dialect {
  const char *notification;
  const char *established;
  const char *heartbeat;
  const char *data;
} dialect;

static const dialect compact = {"{\"type\":\"notification\",\"id\":", "{\"type\":\"connection_established\",",
                                "{\"type\":\"heartbeat\",", "\"data\":"};
static const dialect spaced = {"{\"type\": \"notification\", \"id\": ", "{\"type\": \"connection_established\",",
                               "{\"type\": \"heartbeat\",", "\"data\": "};

// Each 10,000 devices have an address of their own: of the 28,000 ports for connections to one place, the kernel finds
// the last ones slowly.
static void choose_address(const device *device, int made) {
  const int on = 1;
  const struct sockaddr_in from = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK + device->place / 10000)};
  if (setsockopt(made, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
      bind(made, (const struct sockaddr *)&from, sizeof from) != 0) {
    fail("bind: %s", strerror(errno));
  }
}

void device_connect(device *device, const device_context *context) {
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0) {
    fail("socket: %s", strerror(errno));
  }
  const int size = context->receive_buffer;
  if (size > 0 && setsockopt(made, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) != 0) {
    fail("SO_RCVBUF: %s", strerror(errno));
  }
  choose_address(device, made);
  device->transport.socket = made;
  device->state = DEVICE_CONNECTING;
  device->events = EPOLLOUT;
  if (context->resume && device->cursor == NULL) {
    device->cursor = allocate(CURSOR_BYTES, 1);
  }
  if (connect(made, (const struct sockaddr *)&context->address, sizeof context->address) != 0 && errno != EINPROGRESS) {
    fail("connect: %s", strerror(errno));
  }
}

static void check_connected(const device *device) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(device->transport.socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    fail("connect: %s", strerror(error != 0 ? error : errno));
  }
}

static void send_request(device *device, const device_context *context, const char *token) {
  char request[1024];
  char query[CURSOR_BYTES + 16];
  const bool since = device->cursor != NULL && device->cursor[0] != '\0';
  (void)snprintf(query, sizeof query, "%s%s%s%s", context->acknowledge || since ? "?" : "",
                 context->acknowledge ? "ack=1&" : "", since ? "since=" : "", since ? device->cursor : "");
  const int length = snprintf(request, sizeof request,
                              "GET %s%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%sAuthorization: Bearer %s\r\n\r\n",
                              context->path, query, ntohs(context->address.sin_port),
                              context->deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "", token);
  if (!transport_write(&device->transport, request, (size_t)length)) {
    fail("sending a request: %s", strerror(errno));
  }
  device->state = DEVICE_UPGRADING;
  device->events = EPOLLIN;
}

static const char *find(const char *text, size_t length, const char *wanted) {
  return memmem(text, length, wanted, strlen(wanted));
}

// Reads whether the answer accepts compression.
static void read_extensions(device *device, const device_context *context, const char *bytes, size_t length) {
  device->deflated = context->deflate && find(bytes, length, "permessage-deflate") != NULL;
  if (device->deflated && find(bytes, length, "server_no_context_takeover") == NULL) {
    device->inflater = inflater_create(true);
  }
}

// Returns how many bytes the answer takes, 0 while it is not whole.
static size_t read_upgrade(device *device, const device_context *context, const char *bytes, size_t count) {
  const char *end = memmem(bytes, count, "\r\n\r\n", 4);
  if (end == NULL) {
    return 0;
  }
  const size_t length = (size_t)(end - bytes) + 4;
  // The accept value that RFC 6455 gives for this key.
  if (strncmp(bytes, "HTTP/1.1 101 ", 13) != 0 || find(bytes, length, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == NULL) {
    fail("the upgrade was refused: %.*s", (int)(length < 400 ? length : 400), bytes);
  }
  read_extensions(device, context, bytes, length);
  device->state = DEVICE_JOINING;
  return length;
}

static bool begins_with(const char *text, size_t length, const char *prefix) {
  const size_t size = strlen(prefix);
  return length > size && memcmp(text, prefix, size) == 0;
}

// The cursor stands before the data.
static void read_cursor(device *device, const char *text, size_t length) {
  static const char key[] = "\"cursor\":\"";
  const char *found = device->cursor != NULL ? find(text, length, key) : NULL;
  const char *value = found != NULL ? found + sizeof key - 1 : NULL;
  const char *end = value != NULL ? memchr(value, '"', length - (size_t)(value - text)) : NULL;
  if (end != NULL && end - value < CURSOR_BYTES) {
    memcpy(device->cursor, value, (size_t)(end - value));
    device->cursor[end - value] = '\0';
  }
}

// Acknowledges what was read so far, unless the device is gone meanwhile.
static void send_acks(device *device) {
  const char *frame = NULL;
  const size_t size = acks_take(&frame);
  if (size > 0 && device->state != DEVICE_CLOSED && !transport_write(&device->transport, frame, size)) {
    fail("sending an acknowledgement: %s", strerror(errno));
  }
}

static void read_message(device *device, device_context *context, const char *text, size_t length, int64_t now) {
  const dialect *dialect = context->spaced ? &spaced : &compact;
  payload payload;
  if (begins_with(text, length, dialect->notification)) {
    const char *data = find(text, length, dialect->data);
    const char *value = data != NULL ? data + strlen(dialect->data) : NULL;
    if (device->state == DEVICE_LIVE && value != NULL &&
        payload_read(value, length - (size_t)(value - text), &payload)) {
      read_cursor(device, text, (size_t)(data - text));
      if (context->acknowledge) {
        acks_note(text + strlen(dialect->notification), length - strlen(dialect->notification));
      }
      ledger_receive(context->ledger, device->place, device->device, device->user, &payload, now);
      return;
    }
  } else if (begins_with(text, length, dialect->established)) {
    if (device->state == DEVICE_JOINING) {
      read_cursor(device, text, length);
      device->state = DEVICE_LIVE;
      return;
    }
  } else if (begins_with(text, length, dialect->heartbeat)) {
    read_cursor(device, text, length);
    return;
  }
  if (context->malformed++ == 0) {
    (void)fprintf(stderr, "unexpected message: %.*s\n", (int)(length < 400 ? length : 400), text);
  }
}

static void lose(device *device, device_context *context, const char *why) {
  if (context->closed++ == 0 && !context->resume) {
    (void)fprintf(stderr, "a connection of user %llu ended: %s\n", (unsigned long long)device->user, why);
  }
  transport_close(&device->transport);
  inflater_destroy(device->inflater);
  free(device->partial);
  device->inflater = NULL;
  device->partial = NULL;
  device->partial_length = 0;
  device->state = DEVICE_CLOSED;
}

static void read_control(device *device, device_context *context, const frame *frame) {
  char answer[160];
  if (frame->opcode == FRAME_PING && frame->length <= 125) {
    const size_t size = frame_write_pong(frame, answer);
    (void)transport_write(&device->transport, answer, size);
  } else if (frame->opcode == FRAME_CLOSE) {
    const unsigned char *code = (const unsigned char *)frame->payload;
    (void)snprintf(answer, sizeof answer, "close %d %.*s", frame->length >= 2 ? code[0] << 8 | code[1] : 1005,
                   frame->length > 2 && frame->length <= 125 ? (int)frame->length - 2 : 0, frame->payload + 2);
    lose(device, context, answer);
  } else if (frame->opcode != FRAME_PONG) {
    lose(device, context, "a frame of a kind not agreed on");
  }
}

static void read_text(device *device, device_context *context, const frame *frame, int64_t now) {
  const char *text = frame->payload;
  size_t length = frame->length;
  if (frame->compressed) {
    inflater *inflater = device->inflater != NULL ? device->inflater : context->inflater;
    text = device->deflated ? inflater_message(inflater, frame->payload, frame->length, &length) : NULL;
    if (text == NULL) {
      lose(device, context, "a message that can't be inflated");
      return;
    }
  }
  read_message(device, context, text, length, now);
}

// Handles whole messages and returns how many bytes they took.
static size_t read_all(device *device, device_context *context, const char *bytes, size_t count) {
  const int64_t now = clock_now();
  size_t used = device->state == DEVICE_UPGRADING ? read_upgrade(device, context, bytes, count) : 0;
  while (used < count && device->state >= DEVICE_JOINING && device->state != DEVICE_CLOSED) {
    frame frame;
    const frame_status status = frame_read(bytes + used, count - used, &frame);
    if (status == FRAME_PARTIAL) {
      break;
    }
    if (status == FRAME_BAD) {
      lose(device, context, "a frame that can't be read");
      break;
    }
    if (acks_are_full()) {
      send_acks(device);
    }
    if (frame.opcode == FRAME_TEXT) {
      read_text(device, context, &frame, now);
    } else {
      read_control(device, context, &frame);
    }
    used += frame.size;
  }
  send_acks(device);
  return used;
}

static void keep(device *device, const char *bytes, size_t count) {
  free(device->partial);
  device->partial = count > 0 ? allocate(count, 1) : NULL;
  device->partial_length = (uint32_t)count;
  if (count > 0) {
    memcpy(device->partial, bytes, count);
  }
}

static void read_once(device *device, device_context *context) {
  size_t count = device->partial_length;
  if (count > 0) {
    memcpy(buffer, device->partial, count);
  }
  const ssize_t got = transport_read(&device->transport, buffer + count, sizeof buffer - count);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (got <= 0) {
    lose(device, context, got == 0 ? "the server closed it" : strerror(errno));
    return;
  }
  count += (size_t)got;
  const size_t used = read_all(device, context, buffer, count);
  if (device->state != DEVICE_CLOSED && (used < count || device->partial != NULL)) {
    keep(device, buffer + used, count - used);
  }
}

void device_turn(device *device, device_context *context, const char *token) {
  if (device->state == DEVICE_CONNECTING) {
    check_connected(device);
    device->state = DEVICE_SECURING;
  }
  if (device->state == DEVICE_SECURING) {
    device->events = context->tls != NULL ? transport_secure(&device->transport, context->tls) : 0;
    if (device->events == 0) {
      send_request(device, context, token);
    }
    return;
  }
  do {
    read_once(device, context);
  } while (device->state != DEVICE_CLOSED && transport_has_more(&device->transport));
}
