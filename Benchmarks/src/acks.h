/// The acknowledgement of the rows that came in one read of a device: one for all devices, which are read in turn.
#ifndef ACKS_H
#define ACKS_H

#include <stdbool.h>
#include <stddef.h>

/// Notes a row; `text` begins with its id, an integer.
void acks_note(const char *text, size_t length);

/// Whether a message can hold no more of them.
bool acks_are_full(void);

/// Makes the frame that acknowledges the noted rows, and forgets them. Returns its size, 0 where there are none;
/// `frame` is valid until the next row is noted.
size_t acks_take(const char **frame);

#endif
