-- The retention: deletes rows past their age. A row that can't be deleted is set aside, so that it holds up no other.

CREATE OR REPLACE FUNCTION notify_bridge.purge(days integer, batch integer DEFAULT 10000, dry_run boolean DEFAULT false)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  s record;
  oldest timestamptz;
  due text;
  counted bigint;
  total bigint := 0;
BEGIN
  IF days IS NULL OR days < 0 OR batch IS NULL OR batch <= 0 THEN
    RAISE invalid_parameter_value USING
      MESSAGE = 'batch must be at least 1, and days not below 0',
      HINT = 'With 0 days nothing is deleted from public.notification; each attached table has its own retention_days.';
  END IF;
  FOR s IN
    SELECT v.*, CASE WHEN v.is_own THEN days ELSE v.retention_days END AS age FROM notify_bridge.served AS v
    WHERE CASE WHEN v.is_own THEN days ELSE v.retention_days END > 0
      AND notify_bridge.column_type(v.relation, v.id_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.txid_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.sent_at_column) IS NOT NULL
      AND notify_bridge.column_type(v.relation, v.created_column) IS NOT NULL
      AND (v.sent_column IS NULL OR notify_bridge.column_type(v.relation, v.sent_column) IS NOT NULL)
    ORDER BY v.number
  LOOP
    oldest := now() - make_interval(days => s.age);
    due := format('t.%I < %s AND (t.%I IS NOT NULL', s.created_column,
        CASE WHEN s.created_zone IS NULL THEN '$1' ELSE format('timezone(%L, $1)', s.created_zone) END, s.sent_at_column)
      || CASE WHEN s.sent_column IS NULL THEN ')' ELSE format(' OR t.%I)', s.sent_column) END;
    BEGIN
      IF dry_run THEN
        EXECUTE format('SELECT count(*) FROM %s AS t WHERE %s', s.relation, due) INTO counted USING oldest;
      ELSE
        counted := notify_bridge.purge_table(s.number, due, oldest, batch - total::integer);
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

COMMENT ON FUNCTION notify_bridge.purge(integer, integer, boolean) IS
  'Deletes at most batch rows: those older than days from public.notification as migrate makes it (0: none), and those older than its retention_days from each attached table that has such a number. Unsent rows are kept; rows that are sent, or never to be sent, are deleted. A row that can''t be deleted is skipped and set aside: notify_bridge.quarantine, stage purge. Returns the number of deleted rows. With dry_run it deletes nothing and returns the number of all rows due. Repeat until it returns less than batch.';

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
