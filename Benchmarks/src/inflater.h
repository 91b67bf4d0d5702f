/// Messages compressed by permessage-deflate (RFC 7692).
#ifndef INFLATER_H
#define INFLATER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct inflater inflater;

/// With `keeps_context` a message may refer to those before it.
inflater *inflater_create(bool keeps_context);

/// Inflates one message. `out` is valid until the next call of any inflater. NULL where it can't be inflated.
const char *inflater_message(inflater *inflater, const char *bytes, size_t count, size_t *length);

void inflater_destroy(inflater *inflater);

#endif
