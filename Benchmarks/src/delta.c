#include "delta.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"

// As in Sources/CNotifyStore/delta.c, less the columns for replays.
static const char delta_sql[] =
    "SELECT 0::int8 AS id, NULL::xid8 AS row_txid, NULL::timestamptz, pg_current_snapshot()::text, NULL::text "
    "UNION ALL "
    "(SELECT s.id, s.txid, s.created_at, s.data::text, s.user_id::text FROM ("
    "SELECT n.id, n.txid, n.created_at, n.user_id, n.data FROM public.notification n "
    "WHERE (n.txid >= $1::xid8 OR n.txid = ANY ($2::xid8[])) AND NOT (n.is_sent AND n.sent_at IS NULL) "
    "ORDER BY n.txid, n.id) s)";

void delta_prepare(PGconn *connection) {
  PQclear(database_query(connection,
                         "SET plan_cache_mode = force_custom_plan; SET jit = off; "
                         "SET max_parallel_workers_per_gather = 0"));
  PGresult *result = PQprepare(connection, "delta", delta_sql, 0, NULL);
  database_check(connection, result, "preparing the delta");
  PQclear(result);
}

void delta_position_read(delta_position *position, const char *snapshot) {
  const char *first = strchr(snapshot, ':');
  const char *second = first != NULL ? strchr(first + 1, ':') : NULL;
  const size_t digits = second != NULL ? (size_t)(second - first - 1) : sizeof position->xmax;
  if (digits >= sizeof position->xmax || strlen(second + 1) + 3 > sizeof position->in_progress) {
    fail("can't read the snapshot %s", snapshot);
  }
  memcpy(position->xmax, first + 1, digits);
  position->xmax[digits] = '\0';
  (void)snprintf(position->in_progress, sizeof position->in_progress, "{%s}", second + 1);
}

PGresult *delta_fetch(PGconn *connection, delta_position *position) {
  const char *const values[] = {position->xmax, position->in_progress};
  PGresult *result = PQexecPrepared(connection, "delta", 2, values, NULL, NULL, 0);
  database_check(connection, result, "delta");
  if (PQntuples(result) == 0 || strcmp(PQgetvalue(result, 0, 0), "0") != 0) {
    fail("the delta's answer begins with no snapshot");
  }
  delta_position_read(position, PQgetvalue(result, 0, 3));
  return result;
}
