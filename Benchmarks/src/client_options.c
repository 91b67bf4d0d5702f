#include "client_options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <string.h>

#include "fail.h"
#include "options.h"

static const char usage[] =
    "usage: load_client --port P --secret S --users N [--first-user F] [--devices D] [--rows R] [--writers W]\n"
    "                   [--window C] [--latency] [--warm-up N] [--commits FILE] [--gather-ms G] [--quiet-seconds Q]\n"
    "                   [--path PATH] [--tls] [--deflate] [--resume] [--receive-buffer BYTES] [--spaced]\n"
    "                   [--share-of U] [--ack]\n"
    "Opens D WebSocket connections for each of N users from F on (1 unless given) on 127.0.0.1, C at a time, each "
    "with\n"
    "a JWT signed by HS256, and prints a line of JSON about it. Then waits until each of R rows has come to each of "
    "its\n"
    "user's devices, or nothing for Q seconds, and prints a last line. Without --rows it keeps the connections, "
    "reading\n"
    "nothing, until its standard input ends.\n"
    "  --gather-ms       sleeps after each round of reading, which spares CPU where only counting matters\n"
    "  --tls             encrypts; any certificate will do\n"
    "  --deflate         offers permessage-deflate\n"
    "  --resume          waits until the server has ended every connection, prints a line about it, and once a line\n"
    "                    was written to its standard input connects all again, each with its newest cursor\n"
    "  --ack             acknowledges rows, those of a read in one message\n"
    "  --receive-buffer  asks the kernel for so small a buffer\n"
    "  --share-of        the R rows are for U users in turn, so this client's users get a part of them\n"
    "  --spaced          the server's JSON has blanks after colons and commas, as Python writes it\n"
    "Exits 1 when a row was lost, doubled, misrouted or out of order, or a connection ended.\n";

static const struct option names[] = {{"port", 1, NULL, 'p'},      {"secret", 1, NULL, 'k'},
                                      {"users", 1, NULL, 'u'},     {"first-user", 1, NULL, 'f'},
                                      {"devices", 1, NULL, 'd'},   {"rows", 1, NULL, 'n'},
                                      {"writers", 1, NULL, 'w'},   {"window", 1, NULL, 'o'},
                                      {"latency", 0, NULL, 'l'},   {"warm-up", 1, NULL, 's'},
                                      {"commits", 1, NULL, 'c'},   {"path", 1, NULL, 'a'},
                                      {"gather-ms", 1, NULL, 'g'}, {"quiet-seconds", 1, NULL, 'q'},
                                      {"tls", 0, NULL, 't'},       {"deflate", 0, NULL, 'z'},
                                      {"resume", 0, NULL, 'r'},    {"receive-buffer", 1, NULL, 'b'},
                                      {"share-of", 1, NULL, 'e'},  {"spaced", 0, NULL, 'x'},
                                      {"ack", 0, NULL, 'm'},       {NULL, 0, NULL, 0}};

// Options of the rows to come; true where it was one.
static bool parse_ledger(client_options *out, int option) {
  switch (option) {
    case 'n':
      out->ledger.rows = option_number("rows", optarg, 1, 100000000);
      return true;
    case 'w':
      out->ledger.writers = (unsigned)option_number("writers", optarg, 1, 64);
      return true;
    case 'l':
      out->ledger.latency = true;
      return true;
    case 's':
      out->ledger.warm_up = option_number("warm-up", optarg, 0, 100000000);
      return true;
    case 'c':
      out->ledger.commits = optarg;
      return true;
    default:
      return false;
  }
}

// Options of how each connection is made; true where it was one.
static bool parse_connection(client_options *out, int option) {
  switch (option) {
    case 'p':
      out->context.address.sin_port = htons((uint16_t)option_number("port", optarg, 1, 65535));
      return true;
    case 'k':
      out->context.secret = optarg;
      return true;
    case 'a':
      out->context.path = optarg;
      return true;
    case 't':
      out->tls = true;
      return true;
    case 'z':
      out->context.deflate = true;
      return true;
    case 'r':
      out->context.resume = true;
      out->ledger.repeats = true;
      return true;
    case 'b':
      out->context.receive_buffer = (int)option_number("receive-buffer", optarg, 1, 1 << 24);
      return true;
    case 'm':
      out->context.acknowledge = true;
      return true;
    case 'x':
      out->context.spaced = true;
      return true;
    default:
      return false;
  }
}

client_options client_options_parse(int count, char **arguments) {
  client_options made = {.first_user = 1, .devices = 1, .window = 128, .quiet_seconds = 15};
  made.context.path = "/ws/notifications/";
  made.context.address.sin_family = AF_INET;
  made.context.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  made.ledger.writers = 1;
  uint64_t all_users = 0;
  for (int option = 0; (option = getopt_long(count, arguments, "", names, NULL)) != -1;) {
    if (parse_ledger(&made, option) || parse_connection(&made, option)) {
      continue;
    }
    switch (option) {
      case 'u':
        made.users = option_number("users", optarg, 1, 100000);
        break;
      case 'f':
        made.first_user = option_number("first-user", optarg, 1, 1000000000);
        break;
      case 'd':
        made.devices = (unsigned)option_number("devices", optarg, 1, 20000);
        break;
      case 'e':
        all_users = option_number("share-of", optarg, 1, 1000000);
        break;
      case 'o':
        made.window = (unsigned)option_number("window", optarg, 1, 100000);
        break;
      case 'g':
        made.gather_ms = (unsigned)option_number("gather-ms", optarg, 0, 1000);
        break;
      case 'q':
        made.quiet_seconds = (unsigned)option_number("quiet-seconds", optarg, 1, 600);
        break;
      default:
        fail("%s", usage);
    }
  }
  if (made.context.address.sin_port == 0 || made.context.secret == NULL || made.users == 0 || optind != count ||
      (made.context.resume && made.ledger.rows == 0)) {
    fail("%s", usage);
  }
  made.ledger.share = all_users > 0 ? made.ledger.rows / all_users * made.users : 0;
  made.ledger.devices = made.devices;
  made.ledger.connections = (unsigned)made.users * made.devices;
  return made;
}
