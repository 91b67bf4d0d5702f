/// libpq, where every failure ends the program.
#ifndef DATABASE_H
#define DATABASE_H

#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h>
#endif
#include <stdint.h>

PGconn *database_connect(const char *url, const char *application);

/// Runs a statement without parameters and returns its answer (caller clears).
PGresult *database_query(PGconn *connection, const char *sql);

/// Ends the program unless the answer is one of success.
void database_check(PGconn *connection, const PGresult *result, const char *doing);

#endif
