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

static void add_row(ns_text *text, const notify_store_source *source) {
  bool is_integer = source->id_kind == NOTIFY_STORE_KIND_INTEGER;
  add_number(text, source);
  add_column(text, is_integer ? "::int4 AS source, n." : "::int4 AS source, NULL::int8 AS id_number, n.", source->id);
  ns_text_add(text, is_integer ? "::int8 AS id_number, NULL::text COLLATE \"C\" AS id_text, "
                               : "::text COLLATE \"C\" AS id_text, ");
  add_column(text, "n.", source->txid);
  ns_text_add(text, source->created == NULL ? " AS txid, NULL" : " AS txid, ");
  if (source->created != NULL) {
    add_column(text, "n.", source->created);
  }
  add_column(text, "::timestamptz AS created_at, n.", source->recipient);
  ns_text_add(text, source->is_json ? "::text AS recipient, NULL::jsonb AS document, " : "::text AS recipient, ");
  add_payload(text, source);
  ns_text_add(text, source->is_json ? "::text AS text_form" : " AS document, NULL::text AS text_form");
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
    {"payload", add_payload},
    // Conditions: the row may be delivered (it was not inserted as sent), is unsent, is unread, has an id after that of
    // a page's last row.
    {"deliverable", add_deliverable},
    {"unsent", add_unsent},
    {"unread", add_unread},
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
