// The scan for unsent rows: each user who has some, how many, and the oldest one's txid.
//
// Exact for the rows that its snapshot, the first row, shows; without those that are set aside because they can't be
// read. It reads whole tables: ns_scan_settings leave the planner
// free. No order. PostgreSQL has min(xid8) only since 16; numeric holds every xid8.

#ifndef NOTIFY_STORE_SQL_UNSENT_H
#define NOTIFY_STORE_SQL_UNSENT_H

static const char unsent_sql[] =
    "SELECT 0::int4 AS kind, NULL::int4 AS source, NULL::int8 AS id_number, NULL::text AS id_text, "
    "NULL::xid8 AS row_txid, NULL::timestamptz, NULL::text, pg_current_snapshot()::text "
    "UNION ALL "
    "(SELECT 1, unsent.source, unsent.total, NULL, unsent.oldest::text::xid8, NULL, unsent.recipient, NULL "
    "FROM ({tables}) unsent)";

static const char unsent_table_sql[] =
    "SELECT {number}::int4 AS source, {recipient_text} AS recipient, count(*) AS total, "
    "min(n.{txid}::text::numeric) AS oldest "
    "FROM {relation} n WHERE n.{txid} IS NOT NULL AND {unsent} AND n.{recipient} IS NOT NULL "
    "AND ((SELECT NOT EXISTS (SELECT FROM notify_bridge.quarantined WHERE quarantined.stage = 'read')) OR {readable}) "
    "GROUP BY n.{recipient}";

#endif
