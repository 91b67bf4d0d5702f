// Inserting a row: $1 the recipient, $2 the payload. Answers the row's id.

#ifndef NOTIFY_STORE_SQL_INSERT_H
#define NOTIFY_STORE_SQL_INSERT_H

static const char insert_sql[] =
    "INSERT INTO {relation} ({recipient}, {payload_column}) VALUES ($1::{recipient_type}, $2::jsonb) "
    "RETURNING {id}::text";

#endif
