-- The retention: deletes rows past their age. A row that can't be deleted is set aside, so that it holds up no other.

CREATE OR REPLACE FUNCTION notify_bridge.purge(
  days integer, batch integer DEFAULT 10000, dry_run boolean DEFAULT false, unsent_days integer DEFAULT 0)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  s record;
  counted bigint;
  total bigint := 0;
BEGIN
  IF batch IS NULL OR batch <= 0 THEN
    RAISE invalid_parameter_value USING MESSAGE = 'batch must be at least 1', HINT = 'It is a number of rows, such as 10000.';
  END IF;
  FOR s IN SELECT d.* FROM notify_bridge.purge_tables(days, unsent_days) AS d LOOP
    BEGIN
      IF dry_run THEN
        EXECUTE format('SELECT count(*) FROM %s AS t WHERE %s', s.relation, s.due) INTO counted USING s.oldest;
      ELSE
        counted := notify_bridge.purge_table(s.number, s.due, s.oldest, batch - total::integer);
      END IF;
      total := total + counted;
    EXCEPTION WHEN OTHERS THEN
      IF NOT dry_run THEN
        PERFORM notify_bridge.quarantine_rows('purge', ARRAY[s.number], ARRAY[NULL]::text[], NULL, ARRAY[SQLSTATE]);
      END IF;
    END;
    EXIT WHEN total >= batch AND NOT dry_run;
  END LOOP;
  RETURN total;
END
$$;

COMMENT ON FUNCTION notify_bridge.purge(integer, integer, boolean, integer) IS
  'Deletes at most batch rows: those older than days from public.notification as migrate makes it (0: none), and those older than its retention_days from each attached table that has such a number. Rows that are sent, or never to be sent, are deleted; unsent rows only where they are older than unsent_days, too (0: they are kept). A row that can''t be deleted is skipped and set aside: notify_bridge.quarantine, stage purge. Returns the number of deleted rows. With dry_run it deletes nothing and returns the number of all rows due. Repeat until it returns less than batch.';

CREATE OR REPLACE FUNCTION notify_bridge.purge_tables(days integer, unsent_days integer)
RETURNS TABLE (number integer, relation regclass, oldest timestamptz, due text, created_column name)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  IF days IS NULL OR days < 0 OR unsent_days IS NULL OR unsent_days < 0 THEN
    RAISE invalid_parameter_value USING
      MESSAGE = 'days and unsent_days must not be below 0',
      HINT = 'With 0 days nothing is deleted from public.notification; each attached table has its own retention_days.';
  END IF;
  RETURN QUERY
    SELECT v.number, v.relation, now() - make_interval(days => v.age),
      format('t.%I < %s AND (t.%I IS NOT NULL', v.created_column, format(v.instant, '$1'), v.sent_at_column)
        || CASE WHEN v.sent_column IS NULL THEN '' ELSE format(' OR t.%I', v.sent_column) END
        || CASE WHEN unsent_days = 0 THEN ''
             ELSE format(' OR t.%I < %s', v.created_column,
               format(v.instant, quote_literal(now() - make_interval(days => unsent_days)) || '::timestamptz')) END
        || ')', v.created_column
    FROM (
      SELECT a.*, CASE WHEN a.is_own THEN days ELSE a.retention_days END AS age,
        CASE WHEN a.created_zone IS NULL THEN '%s' ELSE format('timezone(%L, %%s)', a.created_zone) END AS instant
      FROM notify_bridge.served AS a) AS v
    WHERE v.age > 0
      AND notify_bridge.column_type(v.relation, v.id_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.txid_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.sent_at_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.created_column) IS NOT NULL
      AND (v.sent_column IS NULL OR notify_bridge.column_type(v.relation, v.sent_column) IS NOT NULL)
    ORDER BY v.number;
END
$$;

COMMENT ON FUNCTION notify_bridge.purge_tables(integer, integer) IS
  'The tables that have a retention: rows t that are due by this condition, in which $1 is oldest.';

-- A table whose size can't be told from its statistics counts as if all its rows were due.
CREATE OR REPLACE FUNCTION notify_bridge.purge_preview(days integer, unsent_days integer DEFAULT 0)
RETURNS TABLE (source text, rows bigint, bytes bigint, oldest timestamptz, failure text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET lock_timeout = '1s'
AS $$
#variable_conflict use_column
DECLARE
  s record;
  size bigint;
  all_rows double precision;
BEGIN
  FOR s IN
    SELECT d.*, format('%I.%I', n.nspname, c.relname) AS name
    FROM notify_bridge.purge_tables(days, unsent_days) AS d
    JOIN pg_class AS c ON c.oid = d.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace ORDER BY d.number
  LOOP
    SELECT s.name INTO source, rows, bytes, oldest, failure;
    BEGIN
      EXECUTE format('SELECT count(*), min(t.%I) FROM %s AS t WHERE %s', s.created_column, s.relation, s.due)
      INTO rows, oldest USING s.oldest;
      SELECT sum(pg_total_relation_size(r.relid)), sum(greatest(c.reltuples, 0)) INTO size, all_rows
      FROM notify_bridge.tables_of(s.relation) AS r JOIN pg_class AS c ON c.oid = r.relid;
      bytes := CASE WHEN rows = 0 THEN 0 ELSE round(size * rows / greatest(all_rows, rows)) END;
    EXCEPTION WHEN OTHERS THEN
      failure := SQLSTATE;
    END;
    RETURN NEXT;
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.purge_preview(integer, integer) IS
  'What purge would delete from each table that has a retention: how many rows, their share of the table''s size with its indexes, and when the oldest was created; or the SQLSTATE where it can''t be read.';

-- The bridge that was started first of those that run.
CREATE OR REPLACE FUNCTION notify_bridge.is_purge_turn(replica integer) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (SELECT FROM notify_bridge.replica AS r WHERE r.id < is_purge_turn.replica)
$$;

COMMENT ON FUNCTION notify_bridge.is_purge_turn(integer) IS
  'Whether this bridge applies the retention: one of several does.';

-- Rows in quarantine are left out of the search and tried apart, a hundred at a time, so that many of them don't take the
-- place of others. A call ends after ten batches of rows that can't be deleted.
CREATE OR REPLACE FUNCTION notify_bridge.purge_table(number integer, due text, oldest timestamptz, batch integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  retries CONSTANT integer := 100;
  s notify_bridge.source;
  search text;
  due_again text[];
  ids text[];
  gone integer;
  found_rows integer;
  deleted bigint := 0;
  failed bigint := 0;
BEGIN
  SELECT o.* INTO s FROM notify_bridge.source AS o WHERE o.number = purge_table.number;
  -- Constraints and triggers that wait for the commit would fail there, with everything that was deleted.
  SET CONSTRAINTS ALL IMMEDIATE;
  due_again := ARRAY(
    SELECT c.row_id FROM notify_bridge.claim_quarantined('purge', retries, purge_table.number) AS c
    WHERE c.row_id IS NOT NULL);
  IF due_again <> '{}' THEN
    EXECUTE format('SELECT ARRAY(SELECT t.%2$I::text FROM %1$s AS t WHERE t.%2$I = ANY ($2::%3$s[]) AND %4$s)',
      s.relation, s.id_column, notify_bridge.column_type(s.relation, s.id_column), due)
    INTO ids USING oldest, due_again;
    PERFORM notify_bridge.release_rows('purge', array_agg(s.number), array_agg(n.id), NULL)
    FROM (SELECT unnest(due_again) EXCEPT SELECT unnest(ids)) AS n (id);
    deleted := notify_bridge.purge_rows(s, due, oldest, ids);
  END IF;
  search := format(
    'SELECT t.%2$I::text FROM %1$s AS t WHERE %4$s AND NOT EXISTS (
       SELECT FROM notify_bridge.quarantined AS q
       WHERE q.source = $3 AND q.stage = ''purge'' AND q.row_id = t.%2$I::text COLLATE "default")
     ORDER BY t.%3$I LIMIT $2 FOR UPDATE OF t SKIP LOCKED',
    s.relation, s.id_column, s.created_column, due);
  LOOP
    EXECUTE format('SELECT ARRAY(%s)', search) INTO ids USING oldest, batch - deleted, s.number;
    found_rows := cardinality(ids);
    EXIT WHEN found_rows = 0;
    gone := notify_bridge.purge_rows(s, due, oldest, ids);
    deleted := deleted + gone;
    failed := failed + found_rows - least(gone, found_rows);
    EXIT WHEN deleted >= batch OR failed >= 10 * batch::bigint;
  END LOOP;
  -- Reached again, the table works.
  PERFORM notify_bridge.release_rows('purge', ARRAY[s.number], ARRAY[NULL]::text[], NULL);
  RETURN deleted;
END
$$;

COMMENT ON FUNCTION notify_bridge.purge_table(integer, text, timestamptz, integer) IS
  'Deletes at most batch rows of one table that are due by this condition, and sets those aside that can''t be deleted. Returns the number of deleted rows.';

-- Halves what fails, so that one row costs some twenty statements among thousands. An error that comes without a row too
-- is the table's, and goes to the caller.
CREATE OR REPLACE FUNCTION notify_bridge.purge_rows(
  s notify_bridge.source, due text, oldest timestamptz, ids text[], is_part boolean DEFAULT false)
RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  removal text;
  gone text[];
  newest xid8;
  failure text;
  middle integer;
BEGIN
  -- The condition is repeated: in a partitioned table an id may name several rows.
  removal := format(
    'WITH gone AS (
       DELETE FROM %1$s AS t WHERE t.%2$I = ANY ($2::%3$s[]) AND %5$s RETURNING t.%2$I::text AS id, t.%4$I AS txid)
     SELECT array_agg(g.id), max(g.txid::text::numeric)::text::xid8 FROM gone AS g',
    s.relation, s.id_column, notify_bridge.column_type(s.relation, s.id_column), s.txid_column, due);
  BEGIN
    EXECUTE removal INTO gone, newest USING oldest, ids;
  EXCEPTION WHEN OTHERS THEN
    failure := SQLSTATE;
  END;
  IF failure IS NOT NULL AND NOT is_part THEN
    EXECUTE removal USING oldest, '{}'::text[];
  END IF;
  IF failure IS NOT NULL AND cardinality(ids) > 1 THEN
    middle := cardinality(ids) / 2;
    RETURN notify_bridge.purge_rows(s, due, oldest, ids[:middle], true)
      + notify_bridge.purge_rows(s, due, oldest, ids[middle + 1:], true);
  END IF;
  UPDATE notify_bridge.source AS o SET purged_txid = newest
  WHERE o.relation = s.relation AND newest > coalesce(o.purged_txid, '0');
  PERFORM notify_bridge.release_rows('purge', array_agg(s.number), array_agg(g.id), NULL)
  FROM unnest(gone) AS g (id);
  PERFORM notify_bridge.log_statement(s.number, gone, 'purged');
  -- A trigger that returns NULL keeps a row without an error.
  PERFORM notify_bridge.quarantine_rows('purge', array_agg(s.number), array_agg(k.id), NULL,
    array_agg(coalesce(failure, '02000')))
  FROM (SELECT unnest(ids) EXCEPT SELECT unnest(gone)) AS k (id)
  WHERE NOT EXISTS (SELECT FROM notify_bridge.quarantined AS q
    WHERE q.source = s.number AND q.stage = 'purge' AND q.row_id = k.id);
  RETURN coalesce(cardinality(gone), 0);
END
$$;

COMMENT ON FUNCTION notify_bridge.purge_rows(notify_bridge.source, text, timestamptz, text[], boolean) IS
  'Deletes the given rows where they are still due, and sets those aside that can''t be deleted. Returns the number of deleted rows. An error that no row causes is raised.';
