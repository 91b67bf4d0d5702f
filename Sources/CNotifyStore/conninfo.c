#include <stdlib.h>
#include <string.h>

#include "internal.h"

// libpq quotes parts of a string that it can't parse, and one of them may be the password. So its text is never passed
// on: it is recognised by its beginning, and replaced.
const char *ns_conninfo_problem(const char *text) {
  static const char *const known[][2] = {
      {"missing \"=\"", "a part of it has no \"=\" (a value with blanks needs single quotes)"},
      {"unterminated quoted string", "a quoted value does not end"},
      {"invalid connection option", "it has an option that libpq does not know"},
      {"invalid URI query parameter", "it has an option that libpq does not know"},
      {"missing key/value separator", "a parameter after \"?\" has no \"=\""},
      {"extra key/value separator", "a parameter after \"?\" has a second \"=\""},
      {"invalid percent-encoded token", "a percent sign in a URI is written %25"},
      {"forbidden value", "%00 is not allowed"},
      {"end of string reached", "an IPv6 address has no closing bracket"},
      {"IPv6 host address", "an IPv6 address is empty"},
      {"unexpected character", "after an address in brackets only \":\" and \"/\" may follow"},
      {"definition of service", "the service that it names is not defined"},
      {"service file", "the service file that it names is missing"},
      {"invalid integer value", "an option that must be a number is none"},
      {"invalid port number", "a port is not a number from 1 to 65535"},
      {"could not match", "it has not as many ports, or addresses, as hosts"},
      {"invalid ", "an option has a value that libpq does not know"},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strncmp(text, known[i][0], strlen(known[i][0])) == 0) {
      return known[i][1];
    }
  }
  return NULL;
}

// Whether a URI holds an "@" that libpq takes for another thing than its writer: with "p@ss" or "p/ss" as the password,
// a part of it becomes the host or the database, which then stands in messages and in the server's log.
static bool is_ambiguous(const char *conninfo) {
  const char *start = strstr(conninfo, "://");
  if (strncmp(conninfo, "postgres://", 11) != 0 && strncmp(conninfo, "postgresql://", 13) != 0) {
    return false;
  }
  const char *delimiter = start + 3 + strcspn(start + 3, "@/");
  if (*delimiter == '\0') {
    return false;
  }
  const char *rest = delimiter + 1;
  return memchr(rest, '@', strcspn(rest, "?")) != NULL;
}

notify_store_status ns_conninfo_parse(const notify_store_libpq *pq, const char *conninfo, PQconninfoOption **options,
                                      const char **problem) {
  char *text = NULL;
  *problem = NULL;
  *options = NULL;
  if (is_ambiguous(conninfo)) {
    *problem = "\"@\" and \"/\" in a user name or password of a URI are written %40 and %2F";
    return NOTIFY_STORE_BAD_ARGUMENT;
  }
  *options = pq->conninfo_parse(conninfo, &text);
  if (*options != NULL) {
    return NOTIFY_STORE_OK;
  }
  if (text == NULL) {
    return NOTIFY_STORE_NO_MEMORY;
  }
  *problem = ns_conninfo_problem(text);
  if (*problem == NULL) {
    *problem = "libpq can't parse it";
  }
  pq->freemem(text);
  return NOTIFY_STORE_BAD_ARGUMENT;
}

notify_store_status notify_store_check_conninfo(const char *conninfo, char **message) {
  const notify_store_libpq *pq = notify_store_libpq_default();
  PQconninfoOption *options = NULL;
  const char *problem = NULL;
  if (conninfo == NULL || message == NULL) {
    return NOTIFY_STORE_BAD_ARGUMENT;
  }
  *message = NULL;
  notify_store_status status = ns_conninfo_parse(pq, conninfo, &options, &problem);
  if (status == NOTIFY_STORE_OK) {
    pq->conninfo_free(options);
    return NOTIFY_STORE_OK;
  }
  if (problem != NULL) {
    size_t size = strlen(problem) + 1;
    *message = malloc(size);
    if (*message == NULL) {
      return NOTIFY_STORE_NO_MEMORY;
    }
    memcpy(*message, problem, size);
  }
  return status;
}

static const char *option_value(const PQconninfoOption *options, const char *keyword) {
  for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
    if (strcmp(option->keyword, keyword) == 0) {
      return option->val;
    }
  }
  return NULL;
}

static void overwrite(char *line, const char *secret) {
  size_t length = strlen(secret);
  for (char *place = strstr(line, secret); place != NULL; place = strstr(place + length, secret)) {
    memset(place, '*', length);
  }
}

void ns_conninfo_redact(const PQconninfoOption *options, char *line) {
  static const char *const secrets[] = {"password", "sslpassword"};
  static const char *const shown[] = {"user", "dbname", "host", "hostaddr", "port"};
  for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
    const char *secret = option_value(options, secrets[i]);
    // Where it equals the user's name or the like, messages show that, and hiding it would tell that they are equal.
    for (size_t j = 0; secret != NULL && j < sizeof shown / sizeof shown[0]; j++) {
      const char *value = option_value(options, shown[j]);
      if (value != NULL && strcmp(value, secret) == 0) {
        secret = NULL;
      }
    }
    if (secret != NULL && secret[0] != '\0') {
      overwrite(line, secret);
    }
  }
}
