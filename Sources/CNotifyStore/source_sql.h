// The statements that read and mark rows, as templates: @ and a letter stand for what template.c fills in for a table.
//
//   @R relation  @N number  @I id  @U recipient  @X txid  @S sent_at: names, quoted
//   @T type of the id  @K type of the recipient
//   @i the id as two columns, id_number and id_text  @C created_at  @P payload  @p payload as document and text_form
//   @D may be delivered  @V is unsent  @A comes after a page's last row  @O the order of ids: of a row n
//   @F sets is_sent  @G, @H where ids are not unique: narrows to (id, txid), (id, recipient)
//   @Q is unread: of a row m  @W sets is_read
//   @d the column to insert a payload into

#ifndef NOTIFY_STORE_SOURCE_SQL_H
#define NOTIFY_STORE_SOURCE_SQL_H

#define SNAPSHOT_ITEM                                                                                         \
  "SELECT 0::int4 AS kind, NULL::int4 AS source, NULL::int8 AS id_number, NULL::text AS id_text, NULL::xid8 " \
  "AS row_txid, NULL::timestamptz, NULL::text, pg_current_snapshot()::text "

#define ROW_COLUMNS "@N::int4 AS source, @i, n.@X AS txid, @C AS created_at, n.@U::text AS recipient, @p"

// In place of the parts where no table is served.
static const char nothing_sql[] =
    "SELECT 0 AS source, NULL::int8 AS id_number, NULL::text COLLATE \"C\" AS id_text, NULL::xid8 AS txid, "
    "NULL::timestamptz AS created_at, NULL::text AS recipient, NULL::jsonb AS document, "
    "NULL::text AS text_form, 0 AS size, 0::int8 AS total, 0::numeric AS oldest WHERE false";

// ----------------------------------------------------------------------------------------------------------------
// delta

// The snapshot is that of the statement, so it says exactly which rows the rest could see. That the parts come in turn
// is no promise of SQL, but an Append without workers runs them so, and row.c would notice. Rows are ordered by the
// inner SELECT, whose Sort carries a payload as it is stored; only the outer one makes it text, row by row as they are
// sent. The outer columns are not named txid, since ORDER BY would take that for the one to sort by.
static const char delta_head_sql[] = SNAPSHOT_ITEM
    "UNION ALL "
    "SELECT 2, NULL, NULL, v.credential, v.txid, NULL, v.user_id, v.kind || ' ' || v.reason "
    "FROM notify_bridge.revocation v WHERE v.txid >= $1::xid8 OR v.txid = ANY ($2::xid8[]) "
    "UNION ALL "
    "(SELECT 1, s.source, s.id_number, s.id_text, s.txid, s.created_at, s.recipient, "
    "coalesce(s.text_form, s.document::text) FROM (";

// Two ranges, each by the index on txid. Of `xip` those still in progress are left out by the same snapshot, which has
// them in its own: reading the 100,000 uncommitted rows of one of them would cost each delta 6 ms. OFFSET keeps the
// look-up of each from being turned into a join. (With `txid >= $1 OR txid = ANY (…)` in one the planner reads the
// whole table where one transaction has written most of its rows.)
static const char delta_part_sql[] = "SELECT " ROW_COLUMNS
                                     " FROM @R n WHERE n.@X >= $1::xid8 AND @D "
                                     "UNION ALL "
                                     "SELECT y.* FROM unnest($2::xid8[]) AS x (id), LATERAL (SELECT " ROW_COLUMNS
                                     " FROM @R n WHERE n.@X >= x.id AND n.@X <= x.id AND @D OFFSET 0) y "
                                     "WHERE pg_visible_in_snapshot(x.id, pg_current_snapshot())";

static const char delta_tail_sql[] = " ORDER BY txid, source, id_number, id_text) s)";

// ---------------------------------------------------------------------------------------------------------------
// unsent

static const char unsent_head_sql[] = SNAPSHOT_ITEM
    "UNION ALL "
    "(SELECT 1, s.source, s.total, NULL, s.oldest::text::xid8, NULL, s.recipient, NULL FROM (";

// PostgreSQL has min(xid8) only from 16 on; numeric holds any of them.
static const char unsent_part_sql[] =
    "SELECT @N::int4 AS source, n.@U::text AS recipient, count(*) AS total, min(n.@X::text::numeric) AS oldest "
    "FROM @R n WHERE n.@X IS NOT NULL AND @V AND n.@U IS NOT NULL GROUP BY n.@U";

static const char unsent_tail_sql[] = ") s)";

// ---------------------------------------------------------------------------------------------------------------
// replay

// From the inside out:
//   u  the requests, one row each.
//   t  whether too many rows after `since` were sent already. It starts at the xmin of `since`, below which everything
//      is visible in it, and stops at the limit: a user with a long history costs no more than one with a short one.
//   r  the request with what depends on nothing but it; OFFSET 0 keeps that from being computed for each row.
//   s  the rows that are wanted, one more than fit into a page, by each table's index on (recipient, txid): a range of
//      recipients, which happens to be one, and that order leave no other. With `=` the planner takes the index on txid
//      where recipients are few, and reads what all of them got.
//   w  which of them fit: a payload is only measured as it is stored, not read.
//   p  whether one did not fit, which is told in every row.
//   q  the order: by request, then as in a delta. A request without rows has one row with nothing but the request.
// Only the outermost SELECT makes a payload a text, for the rows that are sent. row.c makes the REQUEST items.
static const char replay_head_sql[] = SNAPSHOT_ITEM
    ", NULL::int4, NULL::bool, NULL::bool "
    "UNION ALL "
    "(SELECT 1, q.source, q.id_number, q.id_text, q.txid, q.created_at, q.recipient, "
    "coalesce(q.text_form, q.document::text), q.request, q.truncated, q.more FROM ("
    "SELECT (r.ordinal - 1)::int4 AS request, p.source, p.id_number, p.id_text, p.txid, p.created_at, "
    "r.truncated, coalesce(p.more, false) AS more, p.recipient, p.document, p.text_form FROM ("
    "SELECT u.*, t.truncated, coalesce(u.page, pg_current_snapshot()) AS visible, "
    "greatest(u.lowest, u.after_txid, CASE WHEN NOT u.unsent THEN pg_snapshot_xmin(u.since) END) AS bound "
    "FROM unnest($1::int8[], $2::uuid[], $3::text[], $4::xid8[], $5::bool[], $6::pg_snapshot[], $7::int8[], "
    "$8::pg_snapshot[], $9::xid8[], $10::int4[], $11::int8[], $12::text[]) WITH ORDINALITY "
    "AS u (user_int8, user_uuid, user_text, lowest, unsent, since, sent_limit, page, after_txid, after_source, "
    "after_number, after_text, ordinal) "
    "CROSS JOIN LATERAL ("
    "SELECT u.sent_limit > 0 AND count(*) > u.sent_limit AS truncated FROM (";

static const char replay_count_part_sql[] =
    "(SELECT 1 FROM @R n "
    "WHERE u.sent_limit > 0 AND n.@U >= u.user_@K AND n.@U <= u.user_@K AND n.@X >= greatest(u.lowest, "
    "pg_snapshot_xmin(u.since)) "
    "AND n.@S IS NOT NULL AND NOT pg_visible_in_snapshot(n.@X, u.since) "
    "AND (u.page IS NULL OR pg_visible_in_snapshot(n.@X, u.page)) "
    "LIMIT u.sent_limit + 1)";

static const char replay_middle_sql[] =
    ") c) t "
    "OFFSET 0) r "
    "LEFT JOIN LATERAL ("
    "SELECT w.*, bool_or(NOT w.chosen) OVER () AS more FROM ("
    "SELECT s.*, row_number() OVER o <= $13::int8 AND sum(s.size) OVER o - s.size < $14::numeric AS chosen FROM ("
    "SELECT z.* FROM (";

static const char replay_part_sql[] =
    "(SELECT " ROW_COLUMNS
    ", coalesce(pg_column_size(@P), 0) AS size FROM @R n "
    "WHERE n.@U >= r.user_@K AND n.@U <= r.user_@K AND n.@X >= r.bound "
    "AND (n.@X > r.after_txid OR n.@X = r.after_txid AND (@N > r.after_source OR @N = r.after_source AND @A)) "
    "AND pg_visible_in_snapshot(n.@X, r.visible) AND @D "
    "AND (r.unsent AND @V OR r.since IS NOT NULL AND NOT r.truncated AND NOT pg_visible_in_snapshot(n.@X, r.since)) "
    "ORDER BY n.@U, n.@X, @O LIMIT $13::int8 + 1)";

static const char replay_tail_sql[] =
    ") z ORDER BY z.txid, z.source, z.id_number, z.id_text LIMIT $13::int8 + 1) s "
    "WINDOW o AS (ORDER BY s.txid, s.source, s.id_number, s.id_text ROWS UNBOUNDED PRECEDING)) w) p ON p.chosen "
    "ORDER BY r.ordinal, p.txid, p.source, p.id_number, p.id_text) q)";

// --------------------------------------------------------------------------------------------------------------
// marking

// `l` locks the rows in the order of their ids, so that two bridges never wait for each other crosswise, and leaves out
// what somebody else holds. The commit's id is looked up after all rows were written: only then there is one.
//
// Each row is looked up by its key, whatever the statistics say: where nearly all rows were sent when the table was
// analyzed last, the planner takes `sent_at IS NULL` for one row and reads the whole table for each pair. A LATERAL
// with a lock or an OFFSET is not taken apart, so only the primary key is left to it; an array is looked up there too.
static const char mark_sql[] =
    "WITH l AS (SELECT n.id, n.txid FROM "
    "(SELECT p.id, p.txid FROM unnest($1::@T[], $2::xid8[]) AS p (id, txid) ORDER BY p.id) AS k, "
    "LATERAL (SELECT m.@I AS id, m.@X AS txid FROM @R m WHERE m.@I = k.id AND m.@X = k.txid AND m.@S IS NULL "
    "FOR NO KEY UPDATE OF m SKIP LOCKED) AS n), "
    "u AS (UPDATE @R n SET @F@S = now() WHERE n.@I = ANY (ARRAY(SELECT l.id FROM l))@G RETURNING 1) "
    "SELECT count(*), CASE WHEN count(*) > 0 THEN pg_current_xact_id_if_assigned() END FROM u";

// In a transaction after the marking: what it marked, or somebody else did meanwhile, does not match any more.
static const char left_sql[] =
    "SELECT k.place FROM unnest($1::@T[], $2::xid8[]) WITH ORDINALITY AS k (id, txid, place), "
    "LATERAL (SELECT FROM @R m WHERE m.@I = k.id AND m.@X = k.txid AND m.@S IS NULL OFFSET 0) n";

static const char read_sql[] =
    "WITH l AS (SELECT n.id, n.recipient FROM "
    "(SELECT p.id, p.recipient FROM unnest($1::@T[], $2::@K[]) AS p (id, recipient) ORDER BY p.id, p.recipient) AS k, "
    "LATERAL (SELECT m.@I AS id, m.@U AS recipient FROM @R m WHERE m.@I = k.id AND m.@U = k.recipient AND @Q "
    "FOR NO KEY UPDATE OF m) AS n), "
    "u AS (UPDATE @R n SET @W WHERE n.@I = ANY (ARRAY(SELECT l.id FROM l))@H RETURNING 1) "
    "SELECT count(*) FROM u";

static const char insert_sql[] = "INSERT INTO @R (@U, @d) VALUES ($1::@K, $2::jsonb) RETURNING @I::text";

// Fails for what a delta, a replay and a marking read.
static const char probe_read_sql[] =
    "SELECT " ROW_COLUMNS ", pg_column_size(@P) FROM @R n WHERE n.@X >= '3'::xid8 AND @D AND @V LIMIT 0";

// Fails for what a marking writes. EXPLAIN looks at rights and runs nothing, no trigger either.
static const char probe_mark_sql[] = "EXPLAIN UPDATE @R n SET @F@S = now() WHERE false";

#endif
