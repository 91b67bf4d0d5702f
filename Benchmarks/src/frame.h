/// A server's WebSocket frames (RFC 6455), as far as a load client needs them.
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_TEXT 0x1
#define FRAME_CLOSE 0x8
#define FRAME_PING 0x9
#define FRAME_PONG 0xA

typedef struct frame {
  unsigned opcode;
  /// Its payload is deflated (RFC 7692).
  bool compressed;
  const char *payload;
  size_t length;
  /// Header and payload together.
  size_t size;
} frame;

typedef enum frame_status { FRAME_COMPLETE, FRAME_PARTIAL, FRAME_BAD } frame_status;

/// Reads the frame that `bytes` begin with. FRAME_BAD: fragmented, masked or with other reserved bits than that of
/// compression, which a server does not send here.
frame_status frame_read(const char *bytes, size_t count, frame *out);

/// The most that `frame_write_text` puts before a message.
#define FRAME_HEADER_BYTES 8

/// Writes the header of a text message of at most 65,535 bytes, and returns its size. The message follows as it is: the
/// mask is of zeros.
size_t frame_write_text(size_t length, char *out);

/// Writes a pong that answers a ping of at most 125 bytes, and returns its size (out has 6 bytes more).
size_t frame_write_pong(const frame *ping, char *out);

#endif
