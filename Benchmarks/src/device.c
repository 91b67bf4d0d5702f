#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "frame.h"
#include "token.h"

// One buffer for all: a device keeps only an unfinished message.
static char buffer[1 << 18];

void device_connect(device *device, const device_context *context) {
  device->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (device->socket < 0) {
    fail("socket: %s", strerror(errno));
  }
  device->state = DEVICE_CONNECTING;
  if (connect(device->socket, (const struct sockaddr *)&context->address, sizeof context->address) != 0 &&
      errno != EINPROGRESS) {
    fail("connect: %s", strerror(errno));
  }
}

void device_writable(device *device, const device_context *context, const char *token) {
  char request[1024];
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(device->socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    fail("connect: %s", strerror(error != 0 ? error : errno));
  }
  const int length = snprintf(request, sizeof request,
                              "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Authorization: Bearer %s\r\n\r\n",
                              context->path, ntohs(context->address.sin_port), token);
  if (write(device->socket, request, (size_t)length) != length) {
    fail("sending a request: %s", strerror(errno));
  }
  device->state = DEVICE_UPGRADING;
}

static bool contains(const char *text, size_t length, const char *wanted) {
  return memmem(text, length, wanted, strlen(wanted)) != NULL;
}

// Returns how many bytes the answer takes, 0 while it is not whole.
static size_t read_upgrade(device *device, const char *bytes, size_t count) {
  const char *end = memmem(bytes, count, "\r\n\r\n", 4);
  if (end == NULL) {
    return 0;
  }
  const size_t length = (size_t)(end - bytes) + 4;
  // The accept value that RFC 6455 gives for this key.
  if (strncmp(bytes, "HTTP/1.1 101 ", 13) != 0 || !contains(bytes, length, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) {
    fail("the upgrade was refused: %.*s", (int)(length < 400 ? length : 400), bytes);
  }
  device->state = DEVICE_JOINING;
  return length;
}

static void read_message(device *device, device_context *context, const frame *frame, int64_t now) {
  static const char notification[] = "{\"type\":\"notification\",\"id\":";
  static const char established[] = "{\"type\":\"connection_established\",";
  static const char heartbeat[] = "{\"type\":\"heartbeat\",";
  const char *text = frame->payload;
  payload payload;
  if (frame->length > sizeof notification && memcmp(text, notification, sizeof notification - 1) == 0) {
    const char *id = text + sizeof notification - 1;
    const char *data = memmem(text, frame->length, "\"data\":", 7);
    if (device->state == DEVICE_LIVE && *id >= '1' && *id <= '9' && data != NULL &&
        payload_read(data + 7, frame->length - (size_t)(data + 7 - text), &payload)) {
      ledger_receive(context->ledger, device->place, device->device, device->user, &payload, now);
      return;
    }
  } else if (frame->length > sizeof established && memcmp(text, established, sizeof established - 1) == 0) {
    if (device->state == DEVICE_JOINING) {
      device->state = DEVICE_LIVE;
      return;
    }
  } else if (frame->length > sizeof heartbeat && memcmp(text, heartbeat, sizeof heartbeat - 1) == 0) {
    return;
  }
  if (context->malformed++ == 0) {
    (void)fprintf(stderr, "unexpected message: %.*s\n", (int)(frame->length < 400 ? frame->length : 400), text);
  }
}

static void lose(device *device, device_context *context, const char *why) {
  if (context->closed++ == 0) {
    (void)fprintf(stderr, "a connection of user %llu ended: %s\n", (unsigned long long)device->user, why);
  }
  (void)close(device->socket);
  device->state = DEVICE_CLOSED;
}

static void read_control(device *device, device_context *context, const frame *frame) {
  char answer[160];
  if (frame->opcode == FRAME_PING && frame->length <= 125) {
    const size_t size = frame_write_pong(frame, answer);
    (void)!write(device->socket, answer, size);
  } else if (frame->opcode == FRAME_CLOSE) {
    const unsigned char *code = (const unsigned char *)frame->payload;
    (void)snprintf(answer, sizeof answer, "close %d %.*s", frame->length >= 2 ? code[0] << 8 | code[1] : 1005,
                   frame->length > 2 && frame->length <= 125 ? (int)frame->length - 2 : 0, frame->payload + 2);
    lose(device, context, answer);
  } else if (frame->opcode != FRAME_PONG) {
    lose(device, context, "a frame of a kind not agreed on");
  }
}

// Handles whole messages and returns how many bytes they took.
static size_t read_all(device *device, device_context *context, const char *bytes, size_t count) {
  const int64_t now = clock_now();
  size_t used = device->state == DEVICE_UPGRADING ? read_upgrade(device, bytes, count) : 0;
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
    if (frame.opcode == FRAME_TEXT) {
      read_message(device, context, &frame, now);
    } else {
      read_control(device, context, &frame);
    }
    used += frame.size;
  }
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

void device_readable(device *device, device_context *context) {
  size_t count = device->partial_length;
  if (count > 0) {
    memcpy(buffer, device->partial, count);
  }
  const ssize_t got = read(device->socket, buffer + count, sizeof buffer - count);
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
