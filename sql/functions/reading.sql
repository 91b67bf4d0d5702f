-- What the bridge's statements for rows need.

CREATE OR REPLACE FUNCTION notify_bridge.as_utf8(value text) RETURNS text
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM convert_to(value, 'UTF8');
  RETURN value;
EXCEPTION WHEN OTHERS THEN
  RETURN encode(convert_to(value, getdatabaseencoding()), 'escape');
END
$$;

COMMENT ON FUNCTION notify_bridge.as_utf8(text) IS
  'The text where it can be sent to a client in UTF-8; else its bytes, escaped. In a database of another encoding a text may hold bytes that are no character.';
