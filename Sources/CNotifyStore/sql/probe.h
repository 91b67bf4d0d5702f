// Trying a table without touching a row of it: each statement fails where a column is gone, a right is missing or an
// expression is wrong. Placeholders in braces: see template.c.

#ifndef NOTIFY_STORE_SQL_PROBE_H
#define NOTIFY_STORE_SQL_PROBE_H

// Names everything that a delta, a replay and a marking read. LIMIT 0 reads no row.
static const char probe_read_sql[] =
    "SELECT {row}, pg_catalog.pg_column_size({payload}) FROM {relation} n "
    "WHERE n.{txid} >= '3'::xid8 AND {deliverable} AND {unsent} LIMIT 0";

// Names everything that a marking writes. EXPLAIN checks rights and runs nothing, no trigger either.
static const char probe_mark_sql[] = "EXPLAIN UPDATE {relation} n SET {set_sent}{sent_at} = now() WHERE false";

#endif
