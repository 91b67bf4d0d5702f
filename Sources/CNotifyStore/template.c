// Fills a table's names and expressions into the templates of source_sql.h.

#include <stdio.h>

#include "internal.h"

static const char *type_of(notify_store_kind kind) {
  return kind == NOTIFY_STORE_KIND_UUID ? "uuid" : kind == NOTIFY_STORE_KIND_TEXT ? "text" : "int8";
}

static void add_column(ns_text *text, const char *alias, const char *name) {
  ns_text_add(text, alias);
  ns_text_add_identifier(text, name);
}

// What of the table's rows is never delivered: see `delta` in notify_store.h.
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

static void add_payload(ns_text *text, const notify_store_source *source) {
  // The line's end closes a comment.
  ns_text_add(text, "(");
  ns_text_add(text, source->payload);
  ns_text_add(text, "\n)");
}

// What comes after the last row of a page, in the order of ids.
static void add_after(ns_text *text, const notify_store_source *source) {
  add_column(text, "n.", source->id);
  // Uuids come in the order of their texts.
  ns_text_add(
      text, source->id_kind == NOTIFY_STORE_KIND_INTEGER ? " > r.after_number" : "::text COLLATE \"C\" > r.after_text");
}

static void add_id_order(ns_text *text, const notify_store_source *source) {
  add_column(text, "n.", source->id);
  if (source->id_kind == NOTIFY_STORE_KIND_TEXT) {
    ns_text_add(text, " COLLATE \"C\"");
  }
}

static void add_read(ns_text *text, const notify_store_source *source) {
  if (source->read != NULL) {
    ns_text_add_identifier(text, source->read);
    ns_text_add(text, source->read_at == NULL ? " = true" : " = true, ");
  }
  if (source->read_at != NULL) {
    ns_text_add_identifier(text, source->read_at);
    ns_text_add(text, " = now()");
  }
}

// Narrows rows found by ids that are not unique to those that `l` holds.
static void add_pair(ns_text *text, const notify_store_source *source, const char *column, const char *name) {
  if (source->has_unique_id) {
    return;
  }
  add_column(text, " AND (n.", source->id);
  add_column(text, ", n.", column);
  ns_text_add(text, ") IN (SELECT l.id, l.");
  ns_text_add(text, name);
  ns_text_add(text, " FROM l)");
}

static void add_number(ns_text *text, int32_t number) {
  char digits[16];
  (void)snprintf(digits, sizeof digits, "%ld", (long)number);
  ns_text_add(text, digits);
}

static void add_created(ns_text *text, const notify_store_source *source) {
  if (source->created == NULL) {
    ns_text_add(text, "NULL");
  } else {
    add_column(text, "n.", source->created);
  }
  ns_text_add(text, "::timestamptz");
}

static void add_id(ns_text *text, const notify_store_source *source) {
  bool is_integer = source->id_kind == NOTIFY_STORE_KIND_INTEGER;
  add_column(text, is_integer ? "n." : "NULL::int8 AS id_number, n.", source->id);
  ns_text_add(text, is_integer ? "::int8 AS id_number, NULL::text COLLATE \"C\" AS id_text"
                               : "::text COLLATE \"C\" AS id_text");
}

static void add_document(ns_text *text, const notify_store_source *source) {
  ns_text_add(text, source->is_json ? "NULL::jsonb AS document, " : "");
  add_payload(text, source);
  ns_text_add(text, source->is_json ? "::text AS text_form" : " AS document, NULL::text AS text_form");
}

static void add_expression(ns_text *text, const notify_store_source *source, char field) {
  switch (field) {
    case 'i':
      add_id(text, source);
      break;
    case 'C':
      add_created(text, source);
      break;
    case 'P':
      add_payload(text, source);
      break;
    case 'p':
      add_document(text, source);
      break;
    case 'D':
      add_deliverable(text, source);
      break;
    case 'V':
      add_unsent(text, source);
      break;
    case 'A':
      add_after(text, source);
      break;
    case 'O':
      add_id_order(text, source);
      break;
    case 'F':
      if (source->sent != NULL) {
        add_column(text, "", source->sent);
        ns_text_add(text, " = true, ");
      }
      break;
    case 'G':
      add_pair(text, source, source->txid, "txid");
      break;
    case 'H':
      add_pair(text, source, source->recipient, "recipient");
      break;
    case 'Q':
      add_column(text, "m.", source->read != NULL ? source->read : source->read_at);
      ns_text_add(text, source->read != NULL ? " IS NOT TRUE" : " IS NULL");
      break;
    case 'W':
      add_read(text, source);
      break;
    default:
      ns_text_add(text, "@");
      break;
  }
}

static void add_field(ns_text *text, const notify_store_source *source, char field) {
  switch (field) {
    case 'N':
      add_number(text, source->number);
      break;
    case 'R':
      ns_text_add(text, source->relation);
      break;
    case 'I':
      ns_text_add_identifier(text, source->id);
      break;
    case 'U':
      ns_text_add_identifier(text, source->recipient);
      break;
    case 'X':
      ns_text_add_identifier(text, source->txid);
      break;
    case 'S':
      ns_text_add_identifier(text, source->sent_at);
      break;
    case 'd':
      ns_text_add_identifier(text, source->payload_column);
      break;
    case 'T':
      ns_text_add(text, type_of(source->id_kind));
      break;
    case 'K':
      ns_text_add(text, type_of(source->recipient_kind));
      break;
    default:
      add_expression(text, source, field);
      break;
  }
}

void ns_text_add_template(ns_text *text, const char *template, const notify_store_source *source) {
  char piece[2] = {0};
  for (; *template != '\0'; template ++) {
    if (*template == '@' && template[1] != '\0') {
      template ++;
      add_field(text, source, *template);
    } else {
      piece[0] = *template;
      ns_text_add(text, piece);
    }
  }
}
