#include "inflater.h"

#include <stdlib.h>
#include <zlib.h>

#include "fail.h"

struct inflater {
  z_stream stream;
  bool keeps_context;
};

// One for all: a message is handled before the next is inflated.
static char buffer[1 << 20];

inflater *inflater_create(bool keeps_context) {
  inflater *made = allocate(1, sizeof *made);
  made->keeps_context = keeps_context;
  // Negative: raw deflate, without zlib's header.
  if (inflateInit2(&made->stream, -MAX_WBITS) != Z_OK) {
    fail("zlib can't inflate");
  }
  return made;
}

const char *inflater_message(inflater *inflater, const char *bytes, size_t count, size_t *length) {
  // What the sender took away from the end.
  static const unsigned char tail[] = {0x00, 0x00, 0xFF, 0xFF};
  z_stream *stream = &inflater->stream;
  stream->next_out = (unsigned char *)buffer;
  stream->avail_out = sizeof buffer;
  const unsigned char *const parts[] = {(const unsigned char *)bytes, tail};
  const size_t sizes[] = {count, sizeof tail};
  for (int i = 0; i < 2; i++) {
    stream->next_in = (unsigned char *)parts[i];
    stream->avail_in = (unsigned)sizes[i];
    const int status = inflate(stream, Z_SYNC_FLUSH);
    if ((status != Z_OK && status != Z_BUF_ERROR && status != Z_STREAM_END) || stream->avail_in > 0) {
      return NULL;
    }
  }
  *length = sizeof buffer - stream->avail_out;
  if (!inflater->keeps_context) {
    (void)inflateReset(stream);
  }
  return buffer;
}

void inflater_destroy(inflater *inflater) {
  if (inflater != NULL) {
    (void)inflateEnd(&inflater->stream);
    free(inflater);
  }
}
