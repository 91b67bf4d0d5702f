-- What happened to one row.

CREATE OR REPLACE FUNCTION notify_bridge.timeline(source text, id text)
RETURNS TABLE (at timestamptz, event text, detail text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  t record;
BEGIN
  FOR t IN SELECT r.*, count(*) OVER () AS tables FROM notify_bridge.report_tables(timeline.source) AS r LOOP
    IF t.tables > 1 THEN
      RAISE ambiguous_parameter USING
        MESSAGE = 'more than one table is served', HINT = 'Name the table of the row: source => ''public.notification''.';
    END IF;
    RETURN QUERY EXECUTE format(
      'SELECT e.at, e.event, e.detail
       FROM (
         SELECT %1$s AS recipient, %2$s AS created, %3$s AS is_sent, %4$s AS sent_at, %5$s AS is_read, %6$s AS read_at
         FROM %7$s AS n WHERE %8$s = $1::%9$s) AS n
       CROSS JOIN LATERAL (
         SELECT 1, n.created, ''inserted'', coalesce(''for '' || n.recipient::text, ''for nobody'')
         UNION ALL
         SELECT 2, n.sent_at, ''sent'', NULL WHERE n.is_sent
         UNION ALL
         SELECT 3, n.read_at, ''read'', NULL WHERE n.is_read
         UNION ALL
         SELECT 4, q.since, ''quarantined'',
           format(''stage %%s, SQLSTATE %%s, %%s %%s'', q.stage, q.sqlstate, q.attempts, CASE q.attempts WHEN 1 THEN ''attempt'' ELSE ''attempts'' END)
         FROM notify_bridge.quarantined AS q WHERE q.source = $2 AND q.row_id = ($1::%9$s)::text
       ) AS e (place, at, event, detail)
       ORDER BY coalesce(e.at, n.created, ''-infinity''), e.place',
      t.recipient, coalesce(t.created, 'NULL::timestamptz'), coalesce(t.is_sent, 'NULL::boolean'),
      coalesce(t.sent_at, 'NULL::timestamptz'), coalesce(t.is_read, 'NULL::boolean'), coalesce(t.read_at, 'NULL::timestamptz'),
      t.relation, t.id, t.id_type)
    USING timeline.id, t.number;
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.timeline(text, text) IS
  'What is known of one row of a served table, in the order of time: inserted, sent, read, quarantined. The time is null where the table has no column for it. source may be NULL where one table is served.';

CREATE OR REPLACE FUNCTION notify_bridge.timeline(source text, id anyelement)
RETURNS TABLE (at timestamptz, event text, detail text)
LANGUAGE sql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$ SELECT t.* FROM notify_bridge.timeline($1, $2::text) AS t; $$;

COMMENT ON FUNCTION notify_bridge.timeline(text, anyelement) IS 'The same for an id that is an integer or a uuid.';
