/// JSON Web Tokens, HS256.
#ifndef TOKEN_H
#define TOKEN_H

#include <stdint.h>

#define TOKEN_BYTES 256

/// Makes a token {"user_id": user, "exp": in an hour}.
void token_make(char out[TOKEN_BYTES], const char *secret, uint64_t user);

#endif
