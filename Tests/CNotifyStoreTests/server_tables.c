#include "server_tables.h"

#include <stdarg.h>
#include <stdlib.h>

const notify_store_source tables[TABLES] = {
    {.number = 1,
     .relation = "public.notification",
     .id = "id",
     .recipient = "user_id",
     .txid = "txid",
     .sent_at = "sent_at",
     .sent = "is_sent",
     .created = "created_at",
     .read = "is_read",
     .read_at = "read_at",
     .payload = "data",
     .payload_column = "data",
     .has_unique_id = true},
    {.number = 3,
     .relation = "app.event",
     .id = "code",
     .recipient = "person",
     .txid = "txid",
     .sent_at = "sent_at",
     .read = "seen",
     .payload = "jsonb_build_object('title', upper(title), 'details', details) -- what people see",
     .payload_column = "details",
     .id_kind = NOTIFY_STORE_KIND_TEXT,
     .recipient_kind = NOTIFY_STORE_KIND_TEXT,
     .has_unique_id = true},
    {.number = 7,
     .relation = "app.\"Alarm \"\"Log\"\"\"",
     .id = "Id",
     .recipient = "the \"User\"",
     .txid = "Txid",
     .sent_at = "Sent At",
     .sent = "isSent",
     .created = "Created",
     .read_at = "readAt",
     .payload = "body",
     .is_json = true,
     .payload_column = "body",
     .id_kind = NOTIFY_STORE_KIND_UUID,
     .recipient_kind = NOTIFY_STORE_KIND_UUID,
     .has_unique_id = true},
    {.number = 9,
     .relation = "app.meter",
     .id = "id",
     .recipient = "user_id",
     .txid = "txid",
     .sent_at = "sent_at",
     .sent = "is_sent",
     .created = "day",
     .read = "is_read",
     .payload = "data",
     .payload_column = "data"},
};

void tables_drop(notify_store *store) {
  server_run(store, "SET client_min_messages = error; DROP SCHEMA IF EXISTS app CASCADE");
  server_clean(store);
}

void tables_make(notify_store *store) {
  tables_drop(store);
  server_run(store,
             "CREATE SCHEMA app;"
             "CREATE TABLE app.event (code varchar(40) COLLATE \"und-x-icu\" PRIMARY KEY DEFAULT md5(random()::text), "
             "person text, "
             "title text NOT NULL DEFAULT 'x', details jsonb, seen boolean, sent_at timestamptz, "
             "txid xid8 DEFAULT pg_current_xact_id());"
             "CREATE INDEX ON app.event (txid); CREATE INDEX ON app.event (person, txid);"
             "CREATE TABLE app.\"Alarm \"\"Log\"\"\" (\"Id\" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "
             "\"the \"\"User\"\"\" uuid, body json, \"isSent\" boolean, \"Sent At\" timestamptz, "
             "\"Created\" timestamp DEFAULT now(), \"readAt\" timestamptz, \"Txid\" xid8 DEFAULT pg_current_xact_id());"
             "CREATE INDEX ON app.\"Alarm \"\"Log\"\"\" (\"Txid\");"
             "CREATE INDEX ON app.\"Alarm \"\"Log\"\"\" (\"the \"\"User\"\"\", \"Txid\")");
  server_run(store,
             "CREATE TABLE app.meter (id int, user_id smallint, region text NOT NULL DEFAULT 'north', data jsonb, "
             "is_sent boolean, sent_at timestamptz, day date DEFAULT '2024-02-29', is_read boolean, "
             "txid xid8 DEFAULT pg_current_xact_id(), PRIMARY KEY (id, region)) PARTITION BY LIST (region);"
             "CREATE TABLE app.north PARTITION OF app.meter FOR VALUES IN ('north');"
             "CREATE TABLE app.south PARTITION OF app.meter FOR VALUES IN ('south');"
             "CREATE INDEX ON app.meter (txid); CREATE INDEX ON app.meter (user_id, txid);"
             "ALTER TABLE app.meter ALTER id SET DEFAULT 77");
  CHECK_EQUAL(notify_store_serve(store, tables, TABLES), NOTIFY_STORE_OK);
}

static void add(table_items *items, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(table_items *items, const char *format, ...) {
  size_t length = strlen(items->text);
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(items->text + length, sizeof items->text - length, format, arguments);
  va_end(arguments);
}

static void add_row(table_items *items, const notify_store_row *row) {
  items->rows++;
  items->txid = row->txid;
  items->source = row->source;
  items->id = row->id;
  items->has_created_at = row->has_created_at;
  (void)snprintf(items->id_text, sizeof items->id_text, "%.*s", (int)row->id_length,
                 row->id_text == NULL ? "" : row->id_text);
  if (row->id_text == NULL) {
    add(items, "%d/%lld", (int)row->source, (long long)row->id);
  } else {
    add(items, "%d/%s", (int)row->source, items->id_text);
  }
  add(items, " %.*s %.*s\n", (int)row->user_length, row->user == NULL ? "" : row->user, (int)row->data_length,
      row->data == NULL ? "" : row->data);
}

void tables_read(notify_store *store, table_items *out) {
  notify_store_row row;
  notify_store_status status = NOTIFY_STORE_OK;
  *out = (table_items){.rows = 0};
  while ((status = notify_store_next(store, TIMEOUT_MS, &row)) == NOTIFY_STORE_OK) {
    switch (row.kind) {
      case NOTIFY_STORE_ROW_SNAPSHOT:
        (void)snprintf(out->snapshot, sizeof out->snapshot, "%.*s", (int)row.data_length, row.data);
        break;
      case NOTIFY_STORE_ROW_REQUEST:
        out->truncated = row.truncated;
        out->more = row.more;
        add(out, "request%s%s\n", row.truncated ? " truncated" : "", row.more ? " more" : "");
        break;
      case NOTIFY_STORE_ROW_REVOCATION:
        add(out, "revocation %.*s %.*s %.*s\n", (int)row.user_length, row.user, (int)row.id_length,
            row.id_text == NULL ? "" : row.id_text, (int)row.data_length, row.data);
        break;
      case NOTIFY_STORE_ROW_UNSENT:
        add(out, "unsent %d %.*s %lld\n", (int)row.source, (int)row.user_length, row.user, (long long)row.id);
        break;
      default:
        add_row(out, &row);
        break;
    }
  }
  CHECK_EQUAL(status, NOTIFY_STORE_END);
  if (status != NOTIFY_STORE_END) {
    fprintf(stderr, "    %s\n", notify_store_last_error(store)->message);
  }
}

void tables_delta(notify_store *store, char *snapshot, table_items *out) {
  uint64_t xip[64];
  size_t count = 0;
  uint64_t xmax = server_snapshot_parts(snapshot, xip, &count);
  CHECK_EQUAL(notify_store_delta(store, xmax, xip, count, TIMEOUT_MS), NOTIFY_STORE_OK);
  tables_read(store, out);
  (void)snprintf(snapshot, SNAPSHOT_SIZE, "%s", out->snapshot);
}

uint64_t tables_txid(notify_store *store, int table, const char *condition) {
  return (uint64_t)server_number(store, "SELECT \"%s\" FROM %s WHERE %s", tables[table].txid, tables[table].relation,
                                 condition);
}
