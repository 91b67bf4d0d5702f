#include "token.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fail.h"

// Base64 with the URL's alphabet and no padding; returns the length.
static size_t encode(char *out, const unsigned char *bytes, size_t count) {
  size_t length = (size_t)EVP_EncodeBlock((unsigned char *)out, bytes, (int)count);
  while (length > 0 && out[length - 1] == '=') {
    length--;
  }
  for (size_t i = 0; i < length; i++) {
    out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
  }
  out[length] = '\0';
  return length;
}

void token_make(char out[TOKEN_BYTES], const char *secret, uint64_t user) {
  static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
  char claims[96];
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int digest_length = 0;
  size_t length = encode(out, (const unsigned char *)header, sizeof header - 1);
  out[length++] = '.';
  const int claims_length =
      snprintf(claims, sizeof claims, "{\"user_id\":%" PRIu64 ",\"exp\":%lld}", user, (long long)time(NULL) + 3600);
  length += encode(out + length, (const unsigned char *)claims, (size_t)claims_length);
  if (HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)out, length, digest, &digest_length) ==
      NULL) {
    fail("HMAC failed");
  }
  out[length++] = '.';
  (void)encode(out + length, digest, digest_length);
}
