-- Quarantine: rows and tables that fail are set aside one by one, so that all others go on.
--
-- The table is the only record: every bridge of the database tries what is due, also one that was restarted meanwhile.
-- An item is a table's number, a stage, the row's id as text and its txid. Without an id it is the table as a whole.

CREATE OR REPLACE VIEW notify_bridge.quarantine AS
SELECT CASE WHEN c.oid IS NOT NULL THEN format('%I.%I', n.nspname, c.relname)
    ELSE coalesce(s.added ->> 'name', s.number::text) END COLLATE "default" AS source,
  q.row_id, q.since, q.sqlstate, q.stage, q.attempts, q.next_attempt, q.txid, q.source AS number
FROM notify_bridge.quarantined AS q
JOIN notify_bridge.source AS s ON s.number = q.source
LEFT JOIN pg_class AS c ON c.oid = s.relation
LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace;

COMMENT ON VIEW notify_bridge.quarantine IS
  'The rows, and with row_id NULL the tables, that are set aside because they can''t be read, marked or deleted. It holds nothing of a payload.';

-- The retention runs every ten minutes, so that its pauses begin there.
CREATE OR REPLACE FUNCTION notify_bridge.quarantine_pause(stage text, attempts integer) RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE stage
    WHEN 'purge' THEN least(interval '10 minutes' * 2 ^ least(attempts - 1, 20), interval '1 day')
    ELSE least(interval '1 second' * 2 ^ least(attempts - 1, 20), interval '10 minutes')
  END
$$;

COMMENT ON FUNCTION notify_bridge.quarantine_pause(text, integer) IS
  'How long an item waits after so many failures: from 1 s to 10 min, for purge from 10 min to a day.';

-- A number that is not listed any more is left out. The key lock keeps a detach from deleting it meanwhile.
CREATE OR REPLACE FUNCTION notify_bridge.quarantine_rows(
  stage text, sources integer[], row_ids text[], txids text[], sqlstates text[])
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  entered bigint;
BEGIN
  PERFORM FROM notify_bridge.source AS s WHERE s.number = ANY (sources) ORDER BY s.number FOR KEY SHARE;
  WITH changed AS (
    INSERT INTO notify_bridge.quarantined AS q (source, row_id, txid, stage, sqlstate, next_attempt)
    SELECT DISTINCT ON (s.number, coalesce(i.txid::xid8, '0'), i.row_id COLLATE "C")
      s.number, i.row_id, coalesce(i.txid::xid8, '0'), quarantine_rows.stage, i.sqlstate,
      clock_timestamp() + notify_bridge.quarantine_pause(quarantine_rows.stage, 1)
    FROM unnest(sources, row_ids, txids, sqlstates) AS i (source, row_id, txid, sqlstate)
    JOIN notify_bridge.source AS s ON s.number = i.source
    ORDER BY s.number, coalesce(i.txid::xid8, '0'), i.row_id COLLATE "C"
    ON CONFLICT (source, stage, txid, (row_id IS NULL), hashtextextended(coalesce(row_id, ''), 0)) DO UPDATE SET
      sqlstate = excluded.sqlstate,
      attempts = q.attempts + 1,
      next_attempt = clock_timestamp() + notify_bridge.quarantine_pause(q.stage, q.attempts + 1)
    RETURNING q.attempts)
  SELECT count(*) FILTER (WHERE c.attempts = 1) INTO entered FROM changed AS c;
  RETURN entered;
END
$$;

COMMENT ON FUNCTION notify_bridge.quarantine_rows(text, integer[], text[], text[], text[]) IS
  'Sets items aside, or counts another failure of each: stage, tables by number, ids (NULL: the table), txids (NULL: none) and SQLSTATEs. Returns how many were not set aside before.';

CREATE OR REPLACE FUNCTION notify_bridge.release_rows(stage text, sources integer[], row_ids text[], txids text[])
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  released bigint;
BEGIN
  DELETE FROM notify_bridge.quarantined AS q
  USING unnest(sources, row_ids, txids) AS i (source, row_id, txid)
  WHERE q.stage = release_rows.stage AND q.source = i.source AND q.row_id IS NOT DISTINCT FROM i.row_id
    AND q.txid = coalesce(i.txid::xid8, '0');
  GET DIAGNOSTICS released = ROW_COUNT;
  RETURN released;
END
$$;

COMMENT ON FUNCTION notify_bridge.release_rows(text, integer[], text[], text[]) IS
  'Ends the quarantine of items that work again. Returns how many there were.';

-- Claiming counts as an attempt, so that a bridge that ends meanwhile tries nothing without a pause.
CREATE OR REPLACE FUNCTION notify_bridge.claim_quarantined(stage text, row_limit integer, of_source integer DEFAULT NULL)
RETURNS TABLE (source integer, row_id text, txid xid8)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE notify_bridge.quarantined AS q SET
    attempts = q.attempts + 1,
    next_attempt = clock_timestamp() + notify_bridge.quarantine_pause(q.stage, q.attempts + 1)
  WHERE q.ctid = ANY (ARRAY(
    SELECT d.ctid FROM notify_bridge.quarantined AS d
    WHERE d.stage = claim_quarantined.stage AND d.next_attempt <= clock_timestamp()
      AND (of_source IS NULL OR d.source = of_source)
    ORDER BY d.next_attempt LIMIT row_limit FOR UPDATE SKIP LOCKED))
  RETURNING q.source, q.row_id, q.txid
$$;

COMMENT ON FUNCTION notify_bridge.claim_quarantined(text, integer, integer) IS
  'Takes items of a stage that are due, at most row_limit, of one table or of all, for one more attempt: the caller releases those that work.';

CREATE OR REPLACE FUNCTION notify_bridge.retry_quarantined(source regclass, ids anycompatiblearray) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  table_number CONSTANT integer := (notify_bridge.require_served(retry_quarantined.source)).number;
  unread text[];
  total bigint;
  due bigint;
BEGIN
  WITH removed AS (
    DELETE FROM notify_bridge.quarantined AS q
    WHERE q.source = table_number AND q.stage = 'read' AND q.row_id IS NOT NULL
      AND (ids IS NULL OR q.row_id = ANY (ids::text[]))
    RETURNING q.row_id)
  SELECT array_agg(DISTINCT r.row_id), count(*) INTO unread, total FROM removed AS r;
  IF unread IS NOT NULL THEN
    PERFORM notify_bridge.resend(retry_quarantined.source, unread);
  END IF;
  UPDATE notify_bridge.quarantined AS q SET next_attempt = clock_timestamp()
  WHERE q.source = table_number AND (q.stage <> 'read' OR q.row_id IS NULL)
    AND (ids IS NULL OR q.row_id = ANY (ids::text[]));
  GET DIAGNOSTICS due = ROW_COUNT;
  RETURN total + due;
END
$$;

COMMENT ON FUNCTION notify_bridge.retry_quarantined(regclass, anycompatiblearray) IS
  'Tries rows of a served table that are set aside again at once, with NULL in place of the ids all of them and the table itself. Rows that could not be read leave the quarantine and count as new, as with resend; the other entries become due. Returns how many entries it found.';

-- An entry is of no use once its row is gone, was sent again under another txid, or was marked by somebody else.
CREATE OR REPLACE FUNCTION notify_bridge.clean_quarantine() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
  s record;
  changed bigint;
  total bigint := 0;
BEGIN
  FOR s IN
    SELECT o.*, notify_bridge.column_type(o.relation, o.id_column) AS id_type FROM notify_bridge.source AS o
    WHERE EXISTS (SELECT FROM notify_bridge.quarantined AS q WHERE q.source = o.number AND q.row_id IS NOT NULL)
  LOOP
    BEGIN
      EXECUTE format(
        'DELETE FROM notify_bridge.quarantined AS q
         WHERE q.source = $1 AND q.row_id IS NOT NULL AND NOT EXISTS (
           SELECT FROM %1$s AS t WHERE t.%2$I = q.row_id::%3$s AND (q.txid = ''0'' OR t.%4$I = q.txid)
             AND (q.stage <> ''mark'' OR q.txid = ''0'' OR t.%5$I IS NULL))',
        s.relation, s.id_column, s.id_type, s.txid_column, s.sent_at_column)
      USING s.number;
      GET DIAGNOSTICS changed = ROW_COUNT;
      total := total + changed;
    EXCEPTION WHEN OTHERS THEN
      -- The table can't be read now, or was dropped. Its entries stay until it can be, or is detached.
      NULL;
    END;
  END LOOP;
  RETURN total;
END
$$;

COMMENT ON FUNCTION notify_bridge.clean_quarantine() IS
  'Removes the entries of rows that are gone, were resent, or were marked meanwhile. Returns how many.';
