// Rows by their keys, in the order in which the keys are given.
//
// Parameters: arrays with an element for each key: $1 sources, $2 ids that are integers, $3 ids that are texts, $4
// txids; $5 bytes of a row's text. Placeholders in braces: see template.c.
//
// Isolation. Every key has exactly one row in the answer, and payloads are evaluated one after the other, each just
// before it is sent. So where the statement fails, it is the first key without an answer that made it fail, whatever
// the error is: an expression that raises, a text that is too long for the server or that can't be converted, a
// timeout. (Documentation/database.md, "Quarantine")
//
// Plan. A nested loop over the keys, in each turn a look-up by a table's key. The LIMIT keeps the look-up from being
// turned into a join.

#ifndef NOTIFY_STORE_SQL_ROWS_H
#define NOTIFY_STORE_SQL_ROWS_H

static const char rows_sql[] =
    "SELECT CASE WHEN shown.source IS NULL THEN 6 ELSE 1 END AS kind, "
    "  NULL::int4 AS source, NULL::int8 AS id_number, NULL::text AS id_text, NULL::xid8 AS row_txid, "
    "  shown.created_at, shown.recipient, CASE WHEN octet_length(shown.data) > $5::int4 THEN '' ELSE shown.data END, "
    "  (shown.place - 1)::int4 "
    "FROM (SELECT key.place, found.source, found.created_at, found.recipient, "
    "    coalesce(found.text_form, found.document::text) AS data "
    "  FROM unnest($1::int4[], $2::int8[], $3::text[], $4::xid8[]) WITH ORDINALITY "
    "    AS key (source, id_number, id_text, txid, place) "
    "  LEFT JOIN LATERAL ({tables}) found ON true OFFSET 0) shown";

static const char rows_table_sql[] =
    "(SELECT {row} FROM {relation} n WHERE key.source OPERATOR(pg_catalog.=) {number} "
    "  AND n.{id} OPERATOR(pg_catalog.=) {key_id} AND n.{txid} = key.txid AND {deliverable} LIMIT 1)";

#endif
