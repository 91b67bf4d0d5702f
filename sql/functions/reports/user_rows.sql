-- The newest rows of one recipient.

-- Each table is read from the end of its index on (recipient, txid). Rows with txid NULL, from before their table was
-- attached, are not sent and not shown.
CREATE OR REPLACE FUNCTION notify_bridge.user_rows(recipient text, source text DEFAULT NULL, row_limit integer DEFAULT 50)
RETURNS TABLE (table_name text, id text, state text, created timestamptz, sent_at timestamptz, read_at timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_column
DECLARE
  as_integer bigint;
  as_uuid uuid;
  statement text;
BEGIN
  IF row_limit < 0 THEN
    RAISE invalid_parameter_value USING MESSAGE = 'row_limit can''t be below 0', HINT = 'NULL stands for all rows.';
  END IF;
  -- A table whose recipients are of another kind has no row of this one.
  BEGIN
    as_integer := user_rows.recipient::bigint;
  EXCEPTION WHEN data_exception THEN
    NULL;
  END;
  BEGIN
    as_uuid := user_rows.recipient::uuid;
  EXCEPTION WHEN data_exception THEN
    NULL;
  END;
  SELECT string_agg(format(
    '(SELECT %s AS number, %L AS table_name, %s::text AS id, %s AS created, %s AS is_sent, %s AS sent_at, %s AS is_read, %s AS read_at
      FROM %s AS n WHERE %s = $%s AND %s IS NOT NULL ORDER BY %s DESC, %s DESC LIMIT $4)',
    t.number, t.name, t.id, coalesce(t.created, 'NULL::timestamptz'), coalesce(t.is_sent, 'NULL::boolean'),
    coalesce(t.sent_at, 'NULL::timestamptz'), coalesce(t.is_read, 'NULL::boolean'), coalesce(t.read_at, 'NULL::timestamptz'),
    t.relation, t.recipient, CASE s.recipient_kind WHEN 'integer' THEN 1 WHEN 'uuid' THEN 2 ELSE 3 END, t.txid, t.txid, t.id),
    ' UNION ALL ' ORDER BY t.number)
  INTO statement
  FROM notify_bridge.report_tables(user_rows.source) AS t JOIN notify_bridge.source AS s ON s.number = t.number
  WHERE notify_bridge.kind_of(notify_bridge.column_type(t.relation, s.recipient_column)) = s.recipient_kind AND t.id_type IS NOT NULL;
  IF statement IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY EXECUTE format(
    'SELECT n.table_name, n.id,
       CASE
         WHEN EXISTS (SELECT FROM notify_bridge.quarantined AS q WHERE q.source = n.number AND q.row_id = n.id) THEN ''quarantined''
         WHEN n.is_read THEN ''read'' WHEN n.is_sent THEN ''sent'' ELSE ''waiting''
       END,
       n.created, n.sent_at, n.read_at
     FROM (%s) AS n ORDER BY n.created DESC NULLS LAST, n.number, length(n.id) DESC, n.id DESC LIMIT $4', statement)
  USING as_integer, as_uuid, user_rows.recipient, row_limit;
END
$$;

COMMENT ON FUNCTION notify_bridge.user_rows(text, text, integer) IS
  'The newest rows of a recipient in one served table (source) or in all, newest first: waiting, sent, read or quarantined, and when. At most row_limit rows; NULL: all.';
