// The replay: one page of rows for each of several requests, all under one snapshot.
//
// Parameters: $1 to $13 arrays with an element for each request (replay.c lists them), $14 rows and $15 bytes of a
// page, $16 bytes of a row's text. Placeholders in braces: see template.c.
//
// From the inside out:
//   asked      the requests, one row each.
//   sent       whether more rows after `since` were sent before than `sent_limit` allows. It starts at the xmin of
//              `since`, below which everything is visible in `since`, and stops at the limit: a user with a long
//              history costs no more than one with a short one.
//   request    the request with everything that depends on the request alone. OFFSET 0 keeps the planner from computing
//              it again for each row.
//   candidate  the wanted rows, one more than a page holds.
//   fitting    which of them fit into the page. A payload is measured as stored, and not read.
//   page       those that fit; `more` says in every row that one did not.
//   answer     all pages. A request without rows has one row, with nothing but the request in it.
//   shown      the same with payloads as texts.
//
// Exact. Wanted are rows still unsent (where `unsent` is not 0; with 2 without those that `since` sees and that can't
// be marked: a client's cursor vouches for them, and sending them again would mark them no more than before), and rows
// not visible in `since` (where it is given and not truncated). Later pages see only what the first page's snapshot
// showed (`page`), and want also what was marked since the first page began (`began`): another of the user's devices
// may have got it meanwhile, this one has not. `sent_at` is when the marking began, which is visible after it: five
// seconds are added for it, in which a row may come that was marked just before the first page. The first row is the
// statement's own snapshot and time. Rows that are set aside because they can't be read are left out; nothing is looked
// up for that where there is none. (Documentation/database.md, "Replay and cursors")
//
// Plan. Each table is read by its index on (recipient, txid): a range of recipients that holds just one, in the order
// of that index, leaves the planner no other choice. With `recipient = ...` it takes the index on txid where there are
// few recipients, and reads the rows of all of them.
//
// Order. By request, then by (txid, source, id) as in a delta; row.c refuses any other order and makes the REQUEST
// items. Only the outermost SELECT makes a payload a text, for rows that are sent.

#ifndef NOTIFY_STORE_SQL_REPLAY_H
#define NOTIFY_STORE_SQL_REPLAY_H

#define REPLAY_HEAD                                                                                \
  "SELECT 0::int4 AS kind, NULL::int4 AS source, NULL::int8 AS id_number, NULL::text AS id_text, " \
  "  NULL::xid8 AS row_txid, statement_timestamp(), NULL::text, pg_current_snapshot()::text, "     \
  "  NULL::int4, NULL::bool, NULL::bool "                                                          \
  "UNION ALL "

#define REPLAY_PAGES                                                                                              \
  "  SELECT (request.ordinal - 1)::int4 AS request, page.source, page.id_number, page.id_text, page.txid, "       \
  "    page.created_at, request.truncated, coalesce(page.more, false) AS more, page.recipient, page.document, "   \
  "    page.text_form "                                                                                           \
  "  FROM ("                                                                                                      \
  "    SELECT asked.*, sent.truncated, coalesce(asked.page, pg_current_snapshot()) AS visible, "                  \
  "      timestamptz 'epoch' + (asked.began - 5000000) * interval '1 microsecond' AS marked_since, "              \
  "      greatest(asked.lowest, asked.after_txid, "                                                               \
  "        CASE WHEN asked.unsent = 0 THEN pg_snapshot_xmin(asked.since) END) AS bound, "                         \
  "      NOT EXISTS (SELECT FROM notify_bridge.quarantined WHERE quarantined.stage = 'read') AS all_readable "    \
  "    FROM unnest($1::int8[], $2::uuid[], $3::text[], $4::xid8[], $5::int4[], $6::pg_snapshot[], $7::int8[], "   \
  "      $8::pg_snapshot[], $9::xid8[], $10::int4[], $11::int8[], $12::text[], $13::int8[]) WITH ORDINALITY "     \
  "      AS asked (user_int8, user_uuid, user_text, lowest, unsent, since, sent_limit, page, after_txid, "        \
  "        after_source, after_number, after_text, began, ordinal) "                                              \
  "    CROSS JOIN LATERAL ("                                                                                      \
  "      SELECT asked.sent_limit > 0 AND count(*) > asked.sent_limit AS truncated "                               \
  "      FROM ({sent_rows}) counted) sent "                                                                       \
  "    OFFSET 0) request "                                                                                        \
  "  LEFT JOIN LATERAL ("                                                                                         \
  "    SELECT fitting.*, bool_or(NOT fitting.fits) OVER () AS more "                                              \
  "    FROM ("                                                                                                    \
  "      SELECT candidate.*, row_number() OVER place <= $14::int8 "                                               \
  "        AND sum(candidate.size) OVER place - candidate.size OPERATOR(pg_catalog.<) $15::numeric AS fits "      \
  "      FROM ("                                                                                                  \
  "        SELECT wanted.* FROM ({wanted_rows}) wanted "                                                          \
  "        ORDER BY wanted.txid, wanted.source, wanted.id_number, wanted.id_text LIMIT $14::int8 + 1) candidate " \
  "      WINDOW place AS (ORDER BY candidate.txid, candidate.source, candidate.id_number, candidate.id_text "     \
  "        ROWS UNBOUNDED PRECEDING)) fitting) page ON page.fits "                                                \
  "  ORDER BY request.ordinal, page.txid, page.source, page.id_number, page.id_text"

static const char replay_sql[] = REPLAY_HEAD
    "(SELECT 1, shown.source, shown.id_number, shown.id_text, shown.txid, shown.created_at, shown.recipient, "
    "  CASE WHEN octet_length(shown.data) > $16::int4 THEN '' ELSE shown.data END, "
    "  shown.request, shown.truncated, shown.more "
    "FROM (SELECT answer.*, coalesce(answer.text_form, answer.document::text) AS data "
    "  FROM (" REPLAY_PAGES ") answer OFFSET 0) shown)";

// The same pages without payloads, where a payload of some row fails.
static const char replay_keys_sql[] = REPLAY_HEAD
    "(SELECT CASE WHEN answer.text_form IS NULL THEN 1 ELSE 5 END, answer.source, answer.id_number, answer.id_text, "
    "  answer.txid, answer.created_at, answer.recipient, answer.text_form, answer.request, answer.truncated, "
    "  answer.more "
    "FROM (" REPLAY_PAGES ") answer)";

// Of a table: rows after `since` that were sent, no more than tell whether they are too many.
static const char replay_sent_sql[] =
    "(SELECT 1 FROM {relation} n "
    "WHERE asked.sent_limit > 0 "
    "  AND n.{recipient} OPERATOR(pg_catalog.>=) asked.user_{recipient_type} "
    "  AND n.{recipient} OPERATOR(pg_catalog.<=) asked.user_{recipient_type} "
    "  AND n.{txid} >= greatest(asked.lowest, pg_snapshot_xmin(asked.since)) "
    "  AND n.{sent_at} IS NOT NULL AND NOT pg_visible_in_snapshot(n.{txid}, asked.since) "
    "  AND (asked.page IS NULL OR pg_visible_in_snapshot(n.{txid}, asked.page)) "
    "LIMIT asked.sent_limit + 1)";

// Of a table: rows that are wanted, no more than tell whether another page follows.
#define REPLAY_WANTED(columns)                                                                             \
  "(SELECT " columns                                                                                       \
  " FROM {relation} n "                                                                                    \
  "WHERE n.{recipient} OPERATOR(pg_catalog.>=) request.user_{recipient_type} "                             \
  "  AND n.{recipient} OPERATOR(pg_catalog.<=) request.user_{recipient_type} "                             \
  "  AND n.{txid} >= request.bound "                                                                       \
  "  AND (n.{txid} > request.after_txid OR n.{txid} = request.after_txid "                                 \
  "    AND ({number} > request.after_source OR {number} = request.after_source AND {after_id})) "          \
  "  AND pg_visible_in_snapshot(n.{txid}, request.visible) AND {deliverable} "                             \
  "  AND (n.{sent_at} >= request.marked_since "                                                            \
  "    OR request.unsent > 0 AND {unsent} "                                                                \
  "    AND NOT (request.unsent > 1 AND pg_visible_in_snapshot(n.{txid}, request.since) AND {unmarkable}) " \
  "    OR request.since IS NOT NULL AND NOT request.truncated "                                            \
  "    AND NOT pg_visible_in_snapshot(n.{txid}, request.since)) "                                          \
  "  AND (request.all_readable OR {readable}) "                                                            \
  "ORDER BY n.{recipient}, n.{txid}, {id_order} LIMIT $14::int8 + 1)"

static const char replay_wanted_sql[] =
    REPLAY_WANTED("{row}, coalesce(pg_catalog.pg_column_size({payload}), 0) AS size");

static const char replay_wanted_keys_sql[] = REPLAY_WANTED("{key}, 0 AS size");

#endif
