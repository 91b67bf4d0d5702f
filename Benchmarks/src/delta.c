#include "delta.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"

enum { COLUMN_KIND = 0, COLUMN_DATA = 11 };

// As the bridge's for public.notification (Sources/CNotifyStore/sql/delta.h), in the session that it has.
static const char session_sql[] =
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off; "
    "SET max_parallel_workers_per_gather = 0";

#define ROW_COLUMNS                                                                                        \
  "1::int4 AS source, n.id::int8 AS id_number, NULL::text COLLATE \"C\" AS id_text, n.txid AS txid, "      \
  "n.created_at::timestamptz AS created_at, n.sent_at IS NOT NULL AS sent, n.user_id::text AS recipient, " \
  "n.data AS document, NULL::text AS text_form FROM public.notification n "

static const char delta_sql[] =
    "SELECT 0::int4 AS kind, NULL::int4 AS request, NULL::int4 AS source, NULL::int8 AS id_number, "
    "NULL::text AS id_text, NULL::xid8 AS row_txid, NULL::timestamptz, NULL::bool, NULL::bool, NULL::bool, "
    "NULL::text, pg_current_snapshot()::text "
    "UNION ALL "
    "SELECT 2, NULL, NULL, NULL, v.credential, v.txid, NULL, NULL, NULL, NULL, v.user_id, v.kind || ' ' || v.reason "
    "FROM notify_bridge.revocation v WHERE v.txid >= $1::xid8 OR v.txid = ANY ($2::xid8[]) "
    "UNION ALL "
    "(SELECT 1, NULL, s.source, s.id_number, s.id_text, s.txid, s.created_at, s.sent, NULL, NULL, s.recipient, "
    "coalesce(s.text_form, s.document::text) FROM ("
    "SELECT " ROW_COLUMNS
    "WHERE n.txid >= $1::xid8 AND NOT (n.is_sent IS TRUE AND n.sent_at IS NULL) "
    "UNION ALL "
    "SELECT y.* FROM unnest($2::xid8[]) AS x (id), LATERAL (SELECT " ROW_COLUMNS
    "WHERE n.txid >= x.id AND n.txid <= x.id AND NOT (n.is_sent IS TRUE AND n.sent_at IS NULL) OFFSET 0) y "
    "WHERE pg_visible_in_snapshot(x.id, pg_current_snapshot()) "
    "ORDER BY txid, source, id_number, id_text) s)";

void delta_prepare(PGconn *connection) {
  PQclear(database_query(connection, session_sql));
  PGresult *result = PQprepare(connection, "delta", delta_sql, 0, NULL);
  database_check(connection, result, "preparing the delta");
  PQclear(result);
}

bool delta_payload(const PGresult *rows, int row, payload *out) {
  if (strcmp(PQgetvalue(rows, row, COLUMN_KIND), "1") != 0) {
    return false;
  }
  const char *data = PQgetvalue(rows, row, COLUMN_DATA);
  if (!payload_read(data, (size_t)PQgetlength(rows, row, COLUMN_DATA), out)) {
    fail("a row's data is not the inserter's: %s", data);
  }
  return true;
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
  if (PQntuples(result) == 0 || strcmp(PQgetvalue(result, 0, COLUMN_KIND), "0") != 0) {
    fail("the delta's answer begins with no snapshot");
  }
  delta_position_read(position, PQgetvalue(result, 0, COLUMN_DATA));
  return result;
}
