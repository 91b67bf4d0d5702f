#include "frame.h"

#include <string.h>

frame_status frame_read(const char *bytes, size_t count, frame *out) {
  const unsigned char *raw = (const unsigned char *)bytes;
  if (count < 2) {
    return FRAME_PARTIAL;
  }
  if ((raw[0] & 0xB0) != 0x80 || (raw[1] & 0x80) != 0) {
    return FRAME_BAD;
  }
  const size_t extra = raw[1] == 126 ? 2 : raw[1] == 127 ? 8 : 0;
  if (count < 2 + extra) {
    return FRAME_PARTIAL;
  }
  size_t length = extra == 0 ? raw[1] : 0;
  for (size_t i = 0; i < extra; i++) {
    length = length << 8 | raw[2 + i];
  }
  *out = (frame){.opcode = raw[0] & 0xFu,
                 .compressed = (raw[0] & 0x40) != 0,
                 .payload = bytes + 2 + extra,
                 .length = length,
                 .size = 2 + extra + length};
  return count - 2 - extra >= length ? FRAME_COMPLETE : FRAME_PARTIAL;
}

// The header of a client's last or only frame of at most 65,535 bytes. A mask of zeros leaves the payload as it is.
static size_t write_header(unsigned opcode, size_t length, char *out) {
  size_t size = 0;
  out[size++] = (char)(0x80 | opcode);
  if (length < 126) {
    out[size++] = (char)(0x80 | length);
  } else {
    out[size++] = (char)(0x80 | 126);
    out[size++] = (char)(length >> 8);
    out[size++] = (char)length;
  }
  memset(out + size, 0, 4);
  return size + 4;
}

size_t frame_write_text(size_t length, char *out) {
  return write_header(FRAME_TEXT, length, out);
}

size_t frame_write_pong(const frame *ping, char *out) {
  const size_t size = write_header(FRAME_PONG, ping->length, out);
  memcpy(out + size, ping->payload, ping->length);
  return size + ping->length;
}
