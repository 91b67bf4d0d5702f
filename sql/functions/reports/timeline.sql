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
    -- Where the log has the sending that the row tells of, it knows the devices too. A deleted row has its log.
    RETURN QUERY EXECUTE format(
      'WITH n AS (
         SELECT %1$s AS recipient, %2$s AS created, %3$s AS is_sent, %4$s AS sent_at, %5$s AS is_read, %6$s AS read_at
         FROM %7$s AS n WHERE %8$s = $1::%9$s
       ), logged AS (
         SELECT l.at, l.event, l.replica, l.devices FROM notify_bridge.logged_delivery AS l
         WHERE l.source = $2 AND hashtextextended(l.row_id, 0) = hashtextextended(($1::%9$s)::text, 0) AND l.row_id = ($1::%9$s)::text
       )
       SELECT e.at, e.event, e.detail
       FROM (
         SELECT 1, n.created, n.created, ''inserted'', coalesce(''for '' || n.recipient::text, ''for nobody'') FROM n
         UNION ALL
         SELECT 2, n.sent_at, coalesce(n.sent_at, n.created), ''sent'', NULL FROM n
         WHERE n.is_sent AND NOT EXISTS (
           SELECT FROM logged AS l WHERE l.event = ''sent'' AND l.at <= n.sent_at + interval ''1 second'')
         UNION ALL
         SELECT 3, l.at, l.at, l.event, format(''%%s %%s, replica %%s'', l.devices, CASE l.devices WHEN 1 THEN ''device'' ELSE ''devices'' END, l.replica)
         FROM logged AS l WHERE l.devices IS NOT NULL
         UNION ALL
         SELECT 4, n.read_at, coalesce(n.read_at, n.created), ''read'', NULL FROM n WHERE n.is_read
         UNION ALL
         SELECT 5, q.since, q.since, ''quarantined'',
           format(''stage %%s, SQLSTATE %%s, %%s %%s'', q.stage, q.sqlstate, q.attempts, CASE q.attempts WHEN 1 THEN ''attempt'' ELSE ''attempts'' END)
         FROM notify_bridge.quarantined AS q WHERE q.source = $2 AND q.row_id = ($1::%9$s)::text AND EXISTS (SELECT FROM n)
         UNION ALL
         SELECT 6, l.at, l.at, l.event, NULL FROM logged AS l WHERE l.devices IS NULL
       ) AS e (place, at, sorted, event, detail)
       ORDER BY coalesce(e.sorted, ''-infinity''), e.place',
      t.recipient, coalesce(t.created, 'NULL::timestamptz'), coalesce(t.is_sent, 'NULL::boolean'),
      coalesce(t.sent_at, 'NULL::timestamptz'), coalesce(t.is_read, 'NULL::boolean'), coalesce(t.read_at, 'NULL::timestamptz'),
      t.relation, t.id, t.id_type)
    USING timeline.id, t.number;
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.timeline(text, text) IS
  'What is known of one row of a served table, in the order of time: inserted, sent, read, quarantined; from the delivery log, where it is kept, the devices, acknowledged, resent and purged. The time is null where the table has no column for it. source may be NULL where one table is served.';

CREATE OR REPLACE FUNCTION notify_bridge.timeline(source text, id anyelement)
RETURNS TABLE (at timestamptz, event text, detail text)
LANGUAGE sql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$ SELECT t.* FROM notify_bridge.timeline($1, $2::text) AS t; $$;

COMMENT ON FUNCTION notify_bridge.timeline(text, anyelement) IS 'The same for an id that is an integer or a uuid.';
