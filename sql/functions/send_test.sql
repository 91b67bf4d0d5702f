-- A notification for trying a user's devices.

CREATE OR REPLACE FUNCTION notify_bridge.send_test(recipient text, source text DEFAULT NULL)
RETURNS TABLE (table_name text, id text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  s record;
BEGIN
  FOR s IN
    SELECT o.*, t.name, count(*) OVER () AS tables
    FROM notify_bridge.report_tables(send_test.source) AS t JOIN notify_bridge.source AS o ON o.number = t.number
    ORDER BY o.is_own DESC, o.number LIMIT 1
  LOOP
    IF s.tables > 1 AND NOT s.is_own THEN
      RAISE ambiguous_parameter USING
        MESSAGE = 'more than one table is served', HINT = 'Name the table to insert into.';
    ELSIF s.payload_column IS NULL THEN
      RAISE feature_not_supported USING
        MESSAGE = format('%s builds its payload from several columns', s.name),
        HINT = 'Insert the row by SQL, as your backend does.';
    END IF;
    RETURN QUERY EXECUTE format('INSERT INTO %s (%I, %I) VALUES ($1::%s, $2::%s) RETURNING $3, %I::text',
      s.relation, s.recipient_column, s.payload_column, notify_bridge.column_type(s.relation, s.recipient_column), s.payload_kind,
      s.id_column)
    USING send_test.recipient, '{"type": "notify_bridge.test", "text": "A test of NotifyBridge"}', s.name;
  END LOOP;
END
$$;

COMMENT ON FUNCTION notify_bridge.send_test(text, text) IS
  'Inserts a row with a fixed payload for a recipient into a served table: the named one, the only one, or the bridge''s own. Returns the table and the row''s id.';
