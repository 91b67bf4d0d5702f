#include "database.h"

#include "fail.h"

PGconn *database_connect(const char *url, const char *application) {
  const char *const names[] = {"dbname", "application_name", NULL};
  const char *const values[] = {url, application, NULL};
  PGconn *connection = PQconnectdbParams(names, values, 1);
  if (connection == NULL || PQstatus(connection) != CONNECTION_OK) {
    fail("connecting: %s", connection != NULL ? PQerrorMessage(connection) : "out of memory");
  }
  return connection;
}

void database_check(PGconn *connection, const PGresult *result, const char *doing) {
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    fail("%s: %s", doing, PQerrorMessage(connection));
  }
}

PGresult *database_query(PGconn *connection, const char *sql) {
  PGresult *result = PQexec(connection, sql);
  database_check(connection, result, sql);
  return result;
}
