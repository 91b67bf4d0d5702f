// The delta: rows that are visible now and were not in the previous snapshot, and revocations of access likewise.
//
// Parameters: $1 xmax and $2 xip of the previous snapshot; $3 bytes of a row's text. Placeholders in braces: see
// template.c.
//
// Exact. A transaction's rows are new where it started after the previous snapshot (txid >= xmax), or was in progress
// in it (txid = ANY xip) and is visible now. The first row is this statement's own snapshot, which becomes the next
// previous one: nothing is missing and nothing comes twice. A visible row with a txid that the snapshot has not reached
// is another cluster's, and would be new in every delta. (Documentation/database.md, "The snapshot delta")
//
// Names. The session's search path is pg_catalog (connect.c), in which no other role can make a function. A built-in
// function or operator that has not exactly the types at hand is qualified all the same.
//
// Plan. Each table is read in two ranges of its index on txid, which the shape of the conditions leaves as the only
// choice; connect.c turns sequential scans off. With `txid >= $1 OR txid = ANY (...)` in one condition the planner
// reads the whole table where one transaction has written most of its rows. The look-up per id of xip is written as a
// range and has OFFSET 0, so that it is not turned into a join. Ids still in progress are left out before the look-up:
// reading 100,000 uncommitted rows costs each delta 6 ms.
//
// Order. The snapshot comes first, then revocations, then rows by (txid, source, id). SQL does not promise that the
// branches of UNION ALL run in turn, but an Append without workers runs them so, and row.c refuses any other order. The
// inner SELECT sorts rows with their payloads as stored; only the outer ones make a payload a text, row by row as rows
// are sent. The outer columns have no name `txid`, because ORDER BY would sort by that one.
//
// Failures. A payload that fails makes the statement fail. Then the same rows are read by `delta_keys_sql`, which
// evaluates no payload, and rows.h. A text that is too long comes empty, which no JSON is. (Documentation/database.md,
// "Quarantine")

#ifndef NOTIFY_STORE_SQL_DELTA_H
#define NOTIFY_STORE_SQL_DELTA_H

#define DELTA_HEAD                                                                                 \
  "SELECT 0::int4 AS kind, NULL::int4 AS source, NULL::int8 AS id_number, NULL::text AS id_text, " \
  "  NULL::xid8 AS row_txid, NULL::timestamptz, NULL::text, pg_current_snapshot()::text "          \
  "UNION ALL "                                                                                     \
  "SELECT 2, NULL, NULL, revocation.credential, revocation.txid, NULL, revocation.user_id, "       \
  "  revocation.kind || ' ' || revocation.reason "                                                 \
  "FROM notify_bridge.revocation "                                                                 \
  "WHERE revocation.txid >= $1::xid8 "                                                             \
  "  AND revocation.txid < pg_snapshot_xmax(pg_current_snapshot()) "                               \
  "  OR revocation.txid = ANY ($2::xid8[]) "                                                       \
  "UNION ALL "

#define DELTA_TABLE(columns)                                                             \
  "SELECT " columns                                                                      \
  " FROM {relation} n "                                                                  \
  "  WHERE n.{txid} >= $1::xid8 AND n.{txid} < pg_snapshot_xmax(pg_current_snapshot()) " \
  "    AND {deliverable} "                                                               \
  "UNION ALL "                                                                           \
  "SELECT ended.* FROM pg_catalog.unnest($2::xid8[]) AS xip (id), "                      \
  "LATERAL (SELECT " columns                                                             \
  " FROM {relation} n "                                                                  \
  "  WHERE n.{txid} >= xip.id AND n.{txid} <= xip.id AND {deliverable} OFFSET 0) ended " \
  "WHERE pg_visible_in_snapshot(xip.id, pg_current_snapshot())"

static const char delta_sql[] = DELTA_HEAD
    "(SELECT 1, shown.source, shown.id_number, shown.id_text, shown.txid, shown.created_at, shown.recipient, "
    "  CASE WHEN octet_length(shown.data) > $3::int4 THEN '' ELSE shown.data END "
    "FROM (SELECT delta.source, delta.id_number, delta.id_text, delta.txid, delta.created_at, delta.recipient, "
    "    coalesce(delta.text_form, delta.document::text) AS data "
    "  FROM ({tables} ORDER BY txid, source, id_number, id_text) delta OFFSET 0) shown)";

static const char delta_table_sql[] = DELTA_TABLE("{row}");

// The same rows without payloads, in a cursor that outlives its transaction: the keys are kept in the server, on disk
// where they are many, and no snapshot is held while their rows are read.
static const char delta_keys_sql[] =
    "DECLARE notify_store_keys NO SCROLL CURSOR WITH HOLD FOR " DELTA_HEAD
    "(SELECT CASE WHEN delta.text_form IS NULL THEN 1 ELSE 5 END, delta.source, delta.id_number, delta.id_text, "
    "  delta.txid, delta.created_at, delta.recipient, delta.text_form "
    "FROM ({tables} ORDER BY txid, source, id_number, id_text) delta)";

static const char delta_table_keys_sql[] = DELTA_TABLE("{key}");

#endif
