// Marking rows of one table sent or read. Placeholders in braces: see template.c.
//
// Exact. A row is marked only where its id and txid both match and it is still unsent, so a repeated marking changes
// nothing, and one meant for another history of the database marks no row. (Documentation/database.md, "Marking")
//
// Plan. Each pair is looked up by the table's key, whatever the statistics say: where nearly all rows were sent when
// the table was analyzed last, the planner takes `sent_at IS NULL` for one row and reads the whole table for each pair.
// A LATERAL with a lock or an OFFSET is not taken apart, so the key is the only way left; an array is looked up by it
// too.
//
// Order. `locked` takes the rows in the order of their ids, so that two bridges never wait for each other crosswise.

#ifndef NOTIFY_STORE_SQL_MARK_H
#define NOTIFY_STORE_SQL_MARK_H

// $1 ids, $2 txids. Answers how many rows were marked, and the id of the marking's own transaction. That id is looked
// up after all rows were written: before, there is none. Rows that another session holds are left out.
static const char mark_sql[] =
    "WITH locked AS ("
    "  SELECT target.id, target.txid "
    "  FROM (SELECT given.id, given.txid FROM unnest($1::{id_type}[], $2::xid8[]) AS given (id, txid) "
    "    ORDER BY given.id) AS pair, "
    "  LATERAL (SELECT n.{id} AS id, n.{txid} AS txid FROM {relation} n "
    "    WHERE n.{id} OPERATOR(pg_catalog.=) pair.id AND n.{txid} = pair.txid AND n.{sent_at} IS NULL "
    "    FOR NO KEY UPDATE OF n SKIP LOCKED) AS target"
    "), marked AS ("
    "  UPDATE {relation} n SET {set_sent}{sent_at} = now() "
    "  WHERE n.{id} OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT locked.id FROM locked)){and_locked_txid} RETURNING 1"
    ") SELECT count(*), CASE WHEN count(*) > 0 THEN pg_current_xact_id_if_assigned() END FROM marked";

// $1 ids, $2 txids. Answers the places, counted from 1, of those still unsent. It runs in a transaction after the
// marking: rows marked by the marking or by anybody else meanwhile do not match any more.
static const char left_sql[] =
    "SELECT pair.place FROM unnest($1::{id_type}[], $2::xid8[]) WITH ORDINALITY AS pair (id, txid, place), "
    "LATERAL (SELECT FROM {relation} n "
    "  WHERE n.{id} OPERATOR(pg_catalog.=) pair.id AND n.{txid} = pair.txid AND n.{sent_at} IS NULL OFFSET 0) unsent";

// $1 ids, $2 recipients. Answers how many rows were marked read. It fails at once where another session holds a row.
static const char read_sql[] =
    "WITH locked AS ("
    "  SELECT target.id, target.recipient "
    "  FROM (SELECT given.id, given.recipient "
    "    FROM unnest($1::{id_type}[], $2::{recipient_type}[]) AS given (id, recipient) "
    "    ORDER BY given.id, given.recipient) AS pair, "
    "  LATERAL (SELECT n.{id} AS id, n.{recipient} AS recipient FROM {relation} n "
    "    WHERE n.{id} OPERATOR(pg_catalog.=) pair.id AND n.{recipient} OPERATOR(pg_catalog.=) pair.recipient AND "
    "{unread} "
    "    FOR NO KEY UPDATE OF n NOWAIT) AS target"
    "), marked AS ("
    "  UPDATE {relation} n SET {set_read} "
    "  WHERE n.{id} OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT locked.id FROM locked)){and_locked_recipient} RETURNING 1"
    ") SELECT count(*) FROM marked";

#endif
