// Fills the statements of sql/ in: placeholders in braces stand for a table's names and expressions, or for the parts
// that tables have in a statement. In all of them the table's row is `n`, which a payload's expression may name too.

#include <stdio.h>
#include <string.h>

#include "internal.h"

static void add_column(ns_text *text, const char *before, const char *name) {
  ns_text_add(text, before);
  ns_text_add_identifier(text, name);
}

static void add_relation(ns_text *text, const notify_store_source *source) {
  ns_text_add(text, source->relation);
}

static void add_number(ns_text *text, const notify_store_source *source) {
  char digits[16];
  (void)snprintf(digits, sizeof digits, "%ld", (long)source->number);
  ns_text_add(text, digits);
}

static void add_id(ns_text *text, const notify_store_source *source) {
  ns_text_add_identifier(text, source->id);
}

static void add_recipient(ns_text *text, const notify_store_source *source) {
  ns_text_add_identifier(text, source->recipient);
}

static void add_txid(ns_text *text, const notify_store_source *source) {
  ns_text_add_identifier(text, source->txid);
}

static void add_sent_at(ns_text *text, const notify_store_source *source) {
  ns_text_add_identifier(text, source->sent_at);
}

static void add_payload_column(ns_text *text, const notify_store_source *source) {
  ns_text_add_identifier(text, source->payload_column);
}

static const char *type_of(notify_store_kind kind) {
  return kind == NOTIFY_STORE_KIND_UUID ? "uuid" : kind == NOTIFY_STORE_KIND_TEXT ? "text" : "int8";
}

static void add_id_type(ns_text *text, const notify_store_source *source) {
  ns_text_add(text, type_of(source->id_kind));
}

static void add_recipient_type(ns_text *text, const notify_store_source *source) {
  ns_text_add(text, type_of(source->recipient_kind));
}

static void add_payload(ns_text *text, const notify_store_source *source) {
  // The line's end closes a comment.
  ns_text_add(text, "(");
  ns_text_add(text, source->payload);
  ns_text_add(text, "\n)");
}

static void add_created(ns_text *text, const notify_store_source *source) {
  if (source->created == NULL) {
    ns_text_add(text, "NULL");
  } else if (source->created_zone == NULL) {
    add_column(text, "n.", source->created);
  } else {
    ns_text_add(text, "pg_catalog.timezone(");
    ns_text_add_literal(text, source->created_zone);
    add_column(text, ", n.", source->created);
    ns_text_add(text, ")");
  }
}

// The columns of {row} and {key} before the payload. In a database whose encoding is not UTF-8 a text can hold bytes
// that no client can be sent: where `is_checked` such a text comes escaped.
static void add_text(ns_text *text, const char *column, bool is_checked) {
  if (is_checked) {
    add_column(text, "CASE WHEN pg_catalog.getdatabaseencoding() = 'UTF8' THEN n.", column);
    add_column(text, "::text ELSE notify_bridge.as_utf8(n.", column);
    ns_text_add(text, "::text) END");
  } else {
    add_column(text, "n.", column);
    ns_text_add(text, "::text");
  }
}

static void add_names(ns_text *text, const notify_store_source *source, bool is_key) {
  add_number(text, source);
  if (source->id_kind == NOTIFY_STORE_KIND_INTEGER) {
    add_column(text, "::int4 AS source, n.", source->id);
    ns_text_add(text, "::int8 AS id_number, NULL::text COLLATE \"C\" AS id_text, ");
  } else {
    ns_text_add(text, "::int4 AS source, NULL::int8 AS id_number, (");
    add_text(text, source->id, is_key && source->id_kind == NOTIFY_STORE_KIND_TEXT);
    ns_text_add(text, ") COLLATE \"C\" AS id_text, ");
  }
  add_column(text, "n.", source->txid);
  ns_text_add(text, " AS txid, ");
  if (is_key) {
    ns_text_add(text, "NULL");
  } else {
    add_created(text, source);
  }
  ns_text_add(text, "::timestamptz AS created_at, ");
  add_text(text, source->recipient, is_key && source->recipient_kind == NOTIFY_STORE_KIND_TEXT);
  ns_text_add(text, " AS recipient, ");
}

static void add_row(ns_text *text, const notify_store_source *source) {
  add_names(text, source, false);
  ns_text_add(text, source->is_json ? "NULL::jsonb AS document, " : "");
  add_payload(text, source);
  ns_text_add(text, source->is_json ? "::text AS text_form" : " AS document, NULL::text AS text_form");
}

static void add_is_escaped(ns_text *text, const char *column) {
  add_column(text, " OR notify_bridge.as_utf8(n.", column);
  add_column(text, "::text) OPERATOR(pg_catalog.<>) n.", column);
  ns_text_add(text, "::text");
}

static void add_key(ns_text *text, const notify_store_source *source) {
  add_names(text, source, true);
  ns_text_add(text, "NULL::jsonb AS document, CASE WHEN pg_catalog.getdatabaseencoding() <> 'UTF8' AND (false");
  if (source->id_kind == NOTIFY_STORE_KIND_TEXT) {
    add_is_escaped(text, source->id);
  }
  if (source->recipient_kind == NOTIFY_STORE_KIND_TEXT) {
    add_is_escaped(text, source->recipient);
  }
  ns_text_add(text, ") THEN '22021'::text END AS text_form");
}

static void add_recipient_text(ns_text *text, const notify_store_source *source) {
  add_text(text, source->recipient, source->recipient_kind == NOTIFY_STORE_KIND_TEXT);
}

// Looks a row up in the quarantine, as its index has it.
static void add_quarantined(ns_text *text, const notify_store_source *source, const char *stage) {
  ns_text_add(text, "EXISTS (SELECT FROM notify_bridge.quarantined q WHERE q.source = ");
  add_number(text, source);
  ns_text_add(text, " AND q.stage = '");
  ns_text_add(text, stage);
  add_column(text, "' AND q.txid = n.", source->txid);
  ns_text_add(text, " AND hashtextextended(coalesce(q.row_id, ''), 0) = hashtextextended((");
  add_text(text, source->id, source->id_kind == NOTIFY_STORE_KIND_TEXT);
  ns_text_add(text, "), 0) AND q.row_id = (");
  add_text(text, source->id, source->id_kind == NOTIFY_STORE_KIND_TEXT);
  ns_text_add(text, ")");
}

// A second row of an id and transaction (23505) has the key of one that can be read.
static void add_readable(ns_text *text, const notify_store_source *source) {
  ns_text_add(text, "NOT ");
  add_quarantined(text, source, "read");
  ns_text_add(text, " AND q.sqlstate <> '23505' OFFSET 0)");
}

// The row can't be marked, or no row of its table can.
static void add_unmarkable(ns_text *text, const notify_store_source *source) {
  ns_text_add(text, "(");
  add_quarantined(text, source, "mark");
  ns_text_add(text, " OFFSET 0) OR EXISTS (SELECT FROM notify_bridge.quarantined q WHERE q.source = ");
  add_number(text, source);
  ns_text_add(text, " AND q.stage = 'mark' AND q.txid = '0' AND q.row_id IS NULL OFFSET 0))");
}

static void add_key_id(ns_text *text, const notify_store_source *source) {
  ns_text_add(text, source->id_kind == NOTIFY_STORE_KIND_INTEGER ? "key.id_number"
                    : source->id_kind == NOTIFY_STORE_KIND_UUID  ? "key.id_text::uuid"
                                                                 : "key.id_text");
}

static void add_deliverable(ns_text *text, const notify_store_source *source) {
  if (source->sent == NULL) {
    ns_text_add(text, "true");
    return;
  }
  add_column(text, "NOT (n.", source->sent);
  add_column(text, " IS TRUE AND n.", source->sent_at);
  ns_text_add(text, " IS NULL)");
}

static void add_unsent(ns_text *text, const notify_store_source *source) {
  add_column(text, "n.", source->sent_at);
  ns_text_add(text, " IS NULL");
  if (source->sent != NULL) {
    add_column(text, " AND n.", source->sent);
    ns_text_add(text, " IS NOT TRUE");
  }
}

static void add_set_sent(ns_text *text, const notify_store_source *source) {
  if (source->sent != NULL) {
    add_column(text, "", source->sent);
    ns_text_add(text, " = true, ");
  }
}

static void add_unread(ns_text *text, const notify_store_source *source) {
  add_column(text, "n.", source->read != NULL ? source->read : source->read_at);
  ns_text_add(text, source->read != NULL ? " IS NOT TRUE" : " IS NULL");
}

static void add_set_read(ns_text *text, const notify_store_source *source) {
  if (source->read != NULL) {
    ns_text_add_identifier(text, source->read);
    ns_text_add(text, source->read_at == NULL ? " = true" : " = true, ");
  }
  if (source->read_at != NULL) {
    ns_text_add_identifier(text, source->read_at);
    ns_text_add(text, " = now()");
  }
}

// Ids that are texts, uuids too, come in the order of their bytes.
static void add_after_id(ns_text *text, const notify_store_source *source) {
  add_column(text, "n.", source->id);
  ns_text_add(text, source->id_kind == NOTIFY_STORE_KIND_INTEGER ? " > request.after_number"
                                                                 : "::text COLLATE \"C\" > request.after_text");
}

static void add_id_order(ns_text *text, const notify_store_source *source) {
  add_column(text, "n.", source->id);
  if (source->id_kind == NOTIFY_STORE_KIND_TEXT) {
    ns_text_add(text, " COLLATE \"C\"");
  }
}

static void add_and_locked(ns_text *text, const notify_store_source *source, const char *column, const char *name) {
  if (source->has_unique_id) {
    return;
  }
  add_column(text, " AND (n.", source->id);
  add_column(text, ", n.", column);
  ns_text_add(text, ") OPERATOR(pg_catalog.=) ANY (SELECT locked.id, locked.");
  ns_text_add(text, name);
  ns_text_add(text, " FROM locked)");
}

static void add_and_locked_txid(ns_text *text, const notify_store_source *source) {
  add_and_locked(text, source, source->txid, "txid");
}

static void add_and_locked_recipient(ns_text *text, const notify_store_source *source) {
  add_and_locked(text, source, source->recipient, "recipient");
}

typedef struct placeholder {
  const char *name;
  void (*add)(ns_text *text, const notify_store_source *source);
} placeholder;

static const placeholder placeholders[] = {
    // Names, quoted.
    {"relation", add_relation},
    {"id", add_id},
    {"recipient", add_recipient},
    {"txid", add_txid},
    {"sent_at", add_sent_at},
    {"payload_column", add_payload_column},
    {"number", add_number},
    // int8, uuid or text.
    {"id_type", add_id_type},
    {"recipient_type", add_recipient_type},
    // The columns source, id_number, id_text, txid, created_at, recipient, document and text_form: an id that is an
    // integer is in the first of its two columns, a payload of type jsonb is in the first of its two.
    {"row", add_row},
    // The same columns of a row whose payload is not evaluated; text_form is a SQLSTATE where the row can't be named.
    {"key", add_key},
    // The id of a key as the type of the table's ids (sql/rows.h).
    {"key_id", add_key_id},
    // The recipient as a text that a client can be sent.
    {"recipient_text", add_recipient_text},
    {"payload", add_payload},
    // Conditions: the row may be delivered (it was not inserted as sent), is unsent, is unread, is not set aside
    // because it can't be read, has an id after that of a page's last row.
    {"deliverable", add_deliverable},
    {"unsent", add_unsent},
    {"unread", add_unread},
    {"readable", add_readable},
    {"unmarkable", add_unmarkable},
    {"after_id", add_after_id},
    // The expression to order ids by.
    {"id_order", add_id_order},
    // Assignments: sets the boolean that goes with sent_at, where there is one; sets what says that a row was read.
    {"set_sent", add_set_sent},
    {"set_read", add_set_read},
    // Where ids are not unique: narrows rows found by their ids to the pairs in `locked`.
    {"and_locked_txid", add_and_locked_txid},
    {"and_locked_recipient", add_and_locked_recipient},
};

// Adds a template as far as its next placeholder. Returns the placeholder's name and moves `template` behind it; NULL
// at the end of the template.
static const char *next_placeholder(ns_text *text, const char **template, size_t *length) {
  size_t plain = strcspn(*template, "{");
  ns_text_add_bytes(text, *template, plain);
  const char *name = *template + plain;
  if (*name == '\0') {
    return NULL;
  }
  name++;
  *length = strcspn(name, "}");
  *template = name + *length + (name[*length] == '}' ? 1 : 0);
  return name;
}

static bool is_named(const char *name, size_t length, const char *known) {
  return strlen(known) == length && memcmp(name, known, length) == 0;
}

void ns_text_add_template(ns_text *text, const char *template, const notify_store_source *source) {
  const char *name;
  size_t length = 0;
  while ((name = next_placeholder(text, &template, &length)) != NULL) {
    for (size_t i = 0; i < sizeof placeholders / sizeof placeholders[0]; i++) {
      if (is_named(name, length, placeholders[i].name)) {
        placeholders[i].add(text, source);
      }
    }
  }
}

static void add_parts(ns_text *text, const char *part, const notify_store_source *sources, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ns_text_add(text, i == 0 ? "" : " UNION ALL ");
    ns_text_add_template(text, part, &sources[i]);
  }
}

void ns_text_add_joined(ns_text *text, const ns_joined *form, const notify_store_source *sources, size_t count) {
  const char *template = form->sql;
  const char *name;
  size_t length = 0;
  while ((name = next_placeholder(text, &template, &length)) != NULL) {
    for (size_t i = 0; i < NS_JOINED_PARTS && form->parts[i].name != NULL; i++) {
      if (!is_named(name, length, form->parts[i].name)) {
        continue;
      }
      if (count == 0) {
        ns_text_add(text, form->parts[i].without_tables);
      }
      add_parts(text, form->parts[i].sql, sources, count);
    }
  }
}
