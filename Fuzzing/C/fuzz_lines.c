// The lines that CNotifyStore makes of a server's and libpq's texts, and of connection strings.

#include <string.h>

#include "../../Sources/CNotifyStore/internal.h"
#include "check.h"

#define LINE 64

static void check_line(const char *line, size_t size) {
  size_t length = strnlen(line, size);
  check(length < size, "a line ends within its room");
  for (size_t i = 0; i < length; i++) {
    check((unsigned char)line[i] >= 0x20 && line[i] != 0x7f, "a line has no control characters");
  }
  check(length == 0 || line[length - 1] != ' ', "a line does not end in blanks");
}

static void digest(const char *text) {
  char message[LINE], sqlstate[NS_SQLSTATE_SIZE];
  ns_digest(text, message, sizeof message, sqlstate);
  check_line(message, sizeof message);
  check(memchr(sqlstate, 0, sizeof sqlstate) != NULL, "a SQLSTATE ends within its room");
  check(sqlstate[0] == 0 || strlen(sqlstate) == NS_SQLSTATE_SIZE - 1, "a SQLSTATE has five characters or none");
}

static void copy(const char *text, size_t size) {
  char line[LINE];
  // Exactly its bytes, without the NUL behind them.
  char *exact = malloc(size);
  if (size > 0) {
    memcpy(exact, text, size);
  }
  ns_copy_line(line, sizeof line, exact, size);
  check_line(line, sizeof line);
  // A line is cut between characters: of its copy nothing more is cut.
  char again[LINE];
  ns_copy_line(again, sizeof again, line, strlen(line));
  check(strcmp(line, again) == 0, "a line that is copied again is the same");
  free(exact);
}

// Whether messages show it anyway, as the name of the user or the like.
static bool is_shown(const PQconninfoOption *options, const char *value) {
  for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
    if (strstr("user dbname host hostaddr port", option->keyword) != NULL && option->val != NULL &&
        strcmp(option->val, value) == 0) {
      return true;
    }
  }
  return false;
}

// A password is hidden in every line.
static void redact(const char *text) {
  PQconninfoOption *options = NULL;
  const char *problem = NULL;
  const notify_store_libpq *pq = notify_store_libpq_default();
  if (ns_conninfo_parse(pq, text, &options, &problem) != NOTIFY_STORE_OK) {
    check(problem != NULL, "a string that can't be parsed has a problem");
    return;
  }
  for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
    if (strcmp(option->keyword, "password") == 0 && option->val != NULL && option->val[0] != '\0') {
      size_t size = strlen(option->val) + 32;
      char *line = malloc(size);
      snprintf(line, size, "before %s after", option->val);
      size_t length = strlen(line);
      ns_conninfo_redact(options, line);
      check(strlen(line) == length, "a line keeps its length");
      // The stars in its place may be a part of it, beside what stands there.
      bool has_star = strchr(option->val, '*') != NULL;
      check(has_star || is_shown(options, option->val) || strstr(line, option->val) == NULL, "no password is shown");
      free(line);
    }
  }
  pq->conninfo_free(options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input in = {data, size};
  uint8_t kind = take(&in) % 3;
  char *text = malloc(in.size + 1);
  memcpy(text, in.data, in.size);
  text[in.size] = '\0';
  switch (kind) {
    case 0:
      digest(text);
      break;
    case 1:
      copy(text, in.size);
      break;
    default:
      redact(text);
      break;
  }
  free(text);
  return 0;
}
