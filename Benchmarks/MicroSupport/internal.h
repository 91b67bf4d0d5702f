/// What the files of this module share.
#ifndef MICRO_INTERNAL_H
#define MICRO_INTERNAL_H

#include <stdint.h>

/// Keeps the caller's stack, where stacks are kept.
void micro_stacks_note(void);

/// Calls of write, writev and sendmsg so far.
uint64_t micro_writes(void);

#endif
