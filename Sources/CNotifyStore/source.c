// The served tables, and the statements made for them.

#include "internal.h"
#include "sql/delta.h"
#include "sql/insert.h"
#include "sql/mark.h"
#include "sql/no_table.h"
#include "sql/replay.h"
#include "sql/rows.h"
#include "sql/unsent.h"

// One plan serves all calls: the shape of each statement (a range of txid, a key) leaves one index to use, so neither
// statistics nor parameters have a say, and planning takes no time. Only a sequential scan could come in between, so it
// is off. Without worker processes the branches of UNION ALL run in turn, so the snapshot comes first.
#define NO_TIMEOUTS "; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"
#define ROW_SETTINGS                                                                    \
  "SET LOCAL synchronous_commit = on; SET LOCAL plan_cache_mode = force_generic_plan; " \
  "SET LOCAL enable_seqscan = off; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off"
// What a payload's expression depends on: see connect.c.
const char ns_read_settings[] = ROW_SETTINGS NO_TIMEOUTS
    "; SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL row_security = on; SET LOCAL DateStyle = 'ISO'; "
    "SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 1; "
    "SET LOCAL bytea_output = 'hex'; SET LOCAL standard_conforming_strings = on; "
    "SET LOCAL transform_null_equals = off";
// One table's lock and one row's trigger must not hold up the markings of the others. A marking is no change that makes
// a row new (sql/functions/renew.sql).
const char ns_mark_settings[] = ROW_SETTINGS
    "; SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '2s'; SET LOCAL notify_bridge.marking = on";
const char ns_scan_settings[] = "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off" NO_TIMEOUTS;

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

static const ns_joined delta = {.sql = delta_sql, .parts = {{"tables", delta_table_sql, no_table_sql}}};
static const ns_joined delta_keys = {.sql = delta_keys_sql, .parts = {{"tables", delta_table_keys_sql, no_table_sql}}};
static const ns_joined rows = {.sql = rows_sql, .parts = {{"tables", rows_table_sql, no_table_sql}}};
static const ns_joined unsent = {.sql = unsent_sql, .parts = {{"tables", unsent_table_sql, no_table_sql}}};
static const ns_joined replay = {.sql = replay_sql,
                                 .parts = {{"sent_rows", replay_sent_sql, "SELECT 1 WHERE false"},
                                           {"wanted_rows", replay_wanted_sql, no_table_sql}}};
static const ns_joined replay_keys = {.sql = replay_keys_sql,
                                      .parts = {{"sent_rows", replay_sent_sql, "SELECT 1 WHERE false"},
                                                {"wanted_rows", replay_wanted_keys_sql, no_table_sql}}};

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
  ns_text_add_template(&text, template, source);
  return keep(&text, out);
}

static bool make_joined(const notify_store_libpq *pq, const ns_joined *form, const notify_store_source *sources,
                        size_t count, char **out) {
  ns_text text;
  ns_text_begin(&text, pq);
  ns_text_add_joined(&text, form, sources, count);
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
         make_joined(pq, &replay, sources, count, &made->replay_sql) &&
         make_joined(pq, &delta_keys, sources, count, &made->delta_keys_sql) &&
         make_joined(pq, &replay_keys, sources, count, &made->replay_keys_sql) &&
         make_joined(pq, &rows, sources, count, &made->rows_sql);
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
  pq->deallocate(sources->delta_keys_sql);
  pq->deallocate(sources->replay_keys_sql);
  pq->deallocate(sources->rows_sql);
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
  store->prepared = 0;
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

notify_store_status ns_sources_check(notify_store *store, const notify_store_source *sources, size_t count) {
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
  notify_store_status status = ns_sources_check(store, sources, count);
  return status == NOTIFY_STORE_OK ? replace(store, sources, count) : status;
}
