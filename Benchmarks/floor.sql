-- The floor for throughput: PostgreSQL alone finds the rows by the snapshot delta and marks them sent.
-- No bridge, no socket, no row leaves the server. Needs the bridge's schema; makes a schema of its own.
--
--   CALL benchmark.drain(rows, snapshot, pause)
--
-- finds and marks until `rows` rows were marked, pausing `pause` seconds between two rounds. Each round is one
-- statement and one commit, as short as it can be said: nothing that also delivers can do less. Run it in a session with
--   plan_cache_mode = force_custom_plan, jit = off
-- as the bridge has (a procedure that commits can't carry settings of its own).

CREATE SCHEMA IF NOT EXISTS benchmark;

CREATE OR REPLACE PROCEDURE benchmark.drain(rows bigint, snapshot pg_snapshot, pause double precision)
LANGUAGE plpgsql
AS $$
DECLARE
  marked bigint := 0;
  batch bigint;
  next_snapshot pg_snapshot;
  from_txid xid8;
  in_progress xid8[];
BEGIN
  WHILE marked < rows LOOP
    from_txid := pg_snapshot_xmax(snapshot);
    in_progress := ARRAY(SELECT pg_snapshot_xip(snapshot));
    WITH u AS (
      UPDATE public.notification AS n SET is_sent = true, sent_at = now()
      WHERE (n.txid >= from_txid OR n.txid = ANY (in_progress)) AND n.sent_at IS NULL
      RETURNING n.id
    )
    SELECT count(*), pg_current_snapshot() INTO batch, next_snapshot FROM u;
    COMMIT;
    marked := marked + batch;
    snapshot := next_snapshot;
    IF pause > 0 AND marked < rows THEN
      PERFORM pg_sleep(pause);
    END IF;
  END LOOP;
END
$$;

COMMENT ON PROCEDURE benchmark.drain(bigint, pg_snapshot, double precision) IS
  'Finds rows by the snapshot delta and marks them sent until so many were marked.';
