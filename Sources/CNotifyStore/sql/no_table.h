// Stands in a statement's place for tables where no table is served: no row, with the columns of all statements.

#ifndef NOTIFY_STORE_SQL_NO_TABLE_H
#define NOTIFY_STORE_SQL_NO_TABLE_H

static const char no_table_sql[] =
    "SELECT 0 AS source, NULL::int8 AS id_number, NULL::text COLLATE \"C\" AS id_text, NULL::xid8 AS txid, "
    "NULL::timestamptz AS created_at, NULL::text AS recipient, NULL::jsonb AS document, "
    "NULL::text AS text_form, 0 AS size, 0::int8 AS total, 0::numeric AS oldest WHERE false";

#endif
