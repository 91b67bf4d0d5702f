#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "source_sql.h"

// One plan serves all calls: each of these statements names the index to use by its shape (a range of txid, a key), so
// that neither statistics nor parameters have a say, and no time goes into planning. A sequential scan is all that
// could come in between. Without worker processes the parts of a UNION ALL run in turn, so the snapshot comes first.
const char ns_row_settings[] =
    "SET LOCAL synchronous_commit = on; SET LOCAL plan_cache_mode = force_generic_plan; "
    "SET LOCAL enable_seqscan = off; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off";
const char ns_scan_settings[] = "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off";

static const notify_store_source own_table = {
    .number = 1,
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
    .id_kind = NOTIFY_STORE_KIND_INTEGER,
    .recipient_kind = NOTIFY_STORE_KIND_INTEGER,
    .has_unique_id = true,
};

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

// Narrows rows found by their ids, which are not unique, to those that `l` holds.
static void add_pair(ns_text *text, const notify_store_source *source, const char *column, const char *name) {
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

static void add_field(ns_text *text, const notify_store_source *source, char field) {
  bool is_integer = source->id_kind == NOTIFY_STORE_KIND_INTEGER;
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
    case 'T':
      ns_text_add(text, type_of(source->id_kind));
      break;
    case 'K':
      ns_text_add(text, type_of(source->recipient_kind));
      break;
    case 'i':
      add_column(text, is_integer ? "n." : "NULL::int8 AS id_number, n.", source->id);
      ns_text_add(text, is_integer ? "::int8 AS id_number, NULL::text COLLATE \"C\" AS id_text"
                                   : "::text COLLATE \"C\" AS id_text");
      break;
    case 'C':
      if (source->created == NULL) {
        ns_text_add(text, "NULL");
      } else {
        add_column(text, "n.", source->created);
      }
      ns_text_add(text, "::timestamptz");
      break;
    case 'P':
      add_payload(text, source);
      break;
    case 'p':
      if (source->is_json) {
        ns_text_add(text, "NULL::jsonb AS document, ");
        add_payload(text, source);
        ns_text_add(text, "::text AS text_form");
      } else {
        add_payload(text, source);
        ns_text_add(text, " AS document, NULL::text AS text_form");
      }
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
        ns_text_add_identifier(text, source->sent);
        ns_text_add(text, " = true, ");
      }
      break;
    case 'G':
      if (!source->has_unique_id) {
        add_pair(text, source, source->txid, "txid");
      }
      break;
    case 'H':
      if (!source->has_unique_id) {
        add_pair(text, source, source->recipient, "recipient");
      }
      break;
    case 'Q':
      add_column(text, "m.", source->read != NULL ? source->read : source->read_at);
      ns_text_add(text, source->read != NULL ? " IS NOT TRUE" : " IS NULL");
      break;
    case 'W':
      add_read(text, source);
      break;
    case 'd':
      ns_text_add_identifier(text, source->payload_column);
      break;
    default:
      ns_text_add(text, "@");
      break;
  }
}

// Adds a template of source_sql.h, its fields filled in.
static void add_template(ns_text *text, const char *template, const notify_store_source *source) {
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

// A statement that joins a part for each source by UNION ALL.
typedef struct joined {
  const char *head;
  const char *part;
  const char *tail;
} joined;

static void add_parts(ns_text *text, const char *part, const notify_store_source *sources, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ns_text_add(text, i == 0 ? "" : " UNION ALL ");
    add_template(text, part, &sources[i]);
  }
}

// Keeps what was built, or notes that memory was short.
static bool keep(ns_text *text, char **out) {
  if (text->failed) {
    ns_text_free(text);
    return false;
  }
  *out = text->bytes;
  return true;
}

static bool make(const notify_store_libpq *pq, const char *template, const notify_store_source *source, char **out) {
  ns_text text;
  ns_text_begin(&text, pq);
  add_template(&text, template, source);
  return keep(&text, out);
}

static bool make_joined(const notify_store_libpq *pq, const joined *form, const notify_store_source *sources,
                        size_t count, char **out) {
  ns_text text;
  ns_text_begin(&text, pq);
  ns_text_add(&text, form->head);
  add_parts(&text, count == 0 ? "" : form->part, sources, count);
  ns_text_add(&text, count == 0 ? nothing_sql : "");
  ns_text_add(&text, form->tail);
  return keep(&text, out);
}

static bool make_replay(const notify_store_libpq *pq, const notify_store_source *sources, size_t count, char **out) {
  ns_text text;
  ns_text_begin(&text, pq);
  ns_text_add(&text, replay_head_sql);
  add_parts(&text, replay_count_part_sql, sources, count);
  ns_text_add(&text, count == 0 ? "SELECT 1 WHERE false" : "");
  ns_text_add(&text, replay_middle_sql);
  add_parts(&text, replay_part_sql, sources, count);
  ns_text_add(&text, count == 0 ? nothing_sql : "");
  ns_text_add(&text, replay_tail_sql);
  return keep(&text, out);
}

static bool make_source(const notify_store_libpq *pq, const notify_store_source *source, ns_source *out) {
  bool has_read = source->read != NULL || source->read_at != NULL;
  *out = (ns_source){.number = source->number, .id_kind = source->id_kind};
  return make(pq, mark_sql, source, &out->mark_sql) && make(pq, left_sql, source, &out->left_sql) &&
         (!has_read || make(pq, read_sql, source, &out->read_sql)) &&
         (source->payload_column == NULL || make(pq, insert_sql, source, &out->insert_sql));
}

static bool make_sources(const notify_store_libpq *pq, const notify_store_source *sources, size_t count,
                         ns_sources *made) {
  const joined delta = {.head = delta_head_sql, .part = delta_part_sql, .tail = delta_tail_sql};
  const joined unsent = {.head = unsent_head_sql, .part = unsent_part_sql, .tail = unsent_tail_sql};
  if (count > 0) {
    made->list = pq->allocate(count * sizeof *made->list);
    if (made->list == NULL) {
      return false;
    }
  }
  for (size_t i = 0; i < count; i++) {
    made->count = i + 1;
    if (!make_source(pq, &sources[i], &made->list[i])) {
      return false;
    }
  }
  return make_joined(pq, &delta, sources, count, &made->delta_sql) &&
         make_joined(pq, &unsent, sources, count, &made->unsent_sql) &&
         make_replay(pq, sources, count, &made->replay_sql);
}

static void free_sources(const notify_store_libpq *pq, const ns_sources *sources) {
  for (size_t i = 0; i < sources->count; i++) {
    pq->deallocate(sources->list[i].mark_sql);
    pq->deallocate(sources->list[i].left_sql);
    pq->deallocate(sources->list[i].read_sql);
    pq->deallocate(sources->list[i].insert_sql);
  }
  pq->deallocate(sources->list);
  pq->deallocate(sources->delta_sql);
  pq->deallocate(sources->unsent_sql);
  pq->deallocate(sources->replay_sql);
}

void ns_sources_free(notify_store *store) {
  free_sources(store->pq, &store->sources);
  store->sources = (ns_sources){0};
}

static notify_store_status replace(notify_store *store, const notify_store_source *sources, size_t count) {
  ns_sources made = {0};
  if (!make_sources(store->pq, sources, count, &made)) {
    free_sources(store->pq, &made);
    return ns_fail_memory(store);
  }
  ns_sources_free(store);
  store->sources = made;
  store->delta_prepared = false;
  return NOTIFY_STORE_OK;
}

notify_store_status ns_sources_need(notify_store *store) {
  return store->sources.delta_sql == NULL ? replace(store, &own_table, 1) : NOTIFY_STORE_OK;
}

const ns_source *ns_source_find(const notify_store *store, int32_t number) {
  for (size_t i = 0; i < store->sources.count; i++) {
    if (store->sources.list[i].number == number) {
      return &store->sources.list[i];
    }
  }
  return NULL;
}

static bool is_valid(const notify_store_source *source) {
  return source->relation != NULL && source->id != NULL && source->recipient != NULL && source->txid != NULL &&
         source->sent_at != NULL && source->payload != NULL;
}

static notify_store_status check(notify_store *store, const notify_store_source *sources, size_t count) {
  bool fine = count == 0 || sources != NULL;
  for (size_t i = 0; fine && i < count; i++) {
    fine = is_valid(&sources[i]);
  }
  return fine ? NOTIFY_STORE_OK
              : ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL,
                        "a source needs its relation, id, recipient, txid, sent_at and payload");
}

notify_store_status notify_store_serve(notify_store *store, const notify_store_source *sources, size_t count) {
  ns_forget_error(store);
  ns_stream_end(store);
  notify_store_status status = check(store, sources, count);
  return status == NOTIFY_STORE_OK ? replace(store, sources, count) : status;
}

notify_store_status notify_store_probe(notify_store *store, const notify_store_source *source, int timeout_ms) {
  int64_t deadline = 0;
  char *sql = NULL;
  PGresult *result = NULL;
  notify_store_status status = ns_begin(store, timeout_ms, &deadline);
  if (status == NOTIFY_STORE_OK) {
    status = check(store, source, source == NULL ? 0 : 1);
  }
  if (status != NOTIFY_STORE_OK) {
    return status;
  }
  if (source == NULL) {
    return ns_fail(store, NOTIFY_STORE_BAD_ARGUMENT, NULL, "there is no source to probe");
  }
  if (!make(store->pq, probe_sql, source, &sql)) {
    return ns_fail_memory(store);
  }
  // Two statements, so by the simple protocol.
  const ns_statement statement = {.sql = sql};
  status = ns_run(store, &statement, deadline, &result);
  store->pq->clear(result);
  store->pq->deallocate(sql);
  return status;
}
