/// What the load client is told on its command line.
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include "device.h"
#include "ledger.h"

typedef struct client_options {
  device_context context;
  uint64_t users;
  uint64_t first_user;
  unsigned devices;
  unsigned window;
  unsigned gather_ms;
  unsigned quiet_seconds;
  bool tls;
  ledger_options ledger;
} client_options;

/// Reads the command line, or prints the usage and ends the program.
client_options client_options_parse(int count, char **arguments);

#endif
