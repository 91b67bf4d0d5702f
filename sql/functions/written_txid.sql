-- A row with txid NULL counts as one from before its table was attached, and is never sent. An ORM that writes all columns
-- inserts NULL where the column's default would have stood. (When it saves the object again, the trigger notify_bridge_renew
-- keeps the row's txid.)
--
-- So a row trigger writes the value that the backend has left out. It is an AFTER trigger with a WHEN clause: a row that
-- has its txid costs the evaluation of that clause alone, and COPY still inserts many rows at once. (A BEFORE trigger slows
-- COPY down by a fifth.)
--
-- It runs with the rights and the search_path of the writer, as the backend's own triggers that its UPDATE fires do, so
-- every name here is qualified. Its arguments are the names of the columns id and txid: the writer may not read
-- notify_bridge.source. It is no ALWAYS trigger: under session_replication_role = replica, in which old rows are copied,
-- NULL stays NULL.
CREATE OR REPLACE FUNCTION notify_bridge.write_txid() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
AS $$
DECLARE
  id_column CONSTANT pg_catalog.text := pg_catalog.quote_ident(TG_ARGV[0]);
  txid_column CONSTANT pg_catalog.text := pg_catalog.quote_ident(TG_ARGV[1]);
  target pg_catalog.regclass := pg_catalog.pg_partition_root(TG_RELID);
  key pg_catalog.text;
  changed pg_catalog.int8;
BEGIN
  -- A writer has rights on the table that it writes to: most often on the one above its partitions.
  IF target IS NULL OR NOT pg_catalog.has_column_privilege(target, TG_ARGV[1], 'UPDATE') THEN
    target := TG_RELID;
  END IF;
  SELECT pg_catalog.string_agg(pg_catalog.format(' AND t.%1$I OPERATOR(pg_catalog.=) ($1).%1$I', a.attname), '') INTO key
  FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey::pg_catalog.int2[])
  WHERE i.indrelid OPERATOR(pg_catalog.=) TG_RELID AND i.indisprimary;
  EXECUTE pg_catalog.format(
    'UPDATE %1$s AS t SET %3$s = pg_catalog.pg_current_xact_id() WHERE t.%2$s OPERATOR(pg_catalog.=) ($1).%2$s AND t.%3$s IS NULL AND t.tableoid = $2',
    target, id_column, txid_column) OPERATOR(pg_catalog.||) coalesce(key, '')
  USING NEW, TG_RELID;
  GET DIAGNOSTICS changed = ROW_COUNT;
  IF changed OPERATOR(pg_catalog.=) 0::pg_catalog.int8 THEN
    RAISE not_null_violation USING MESSAGE = 'no row was updated';
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RAISE not_null_violation USING
    MESSAGE = pg_catalog.format('%s of %s may not be NULL: such a row is never sent', txid_column, TG_RELID::pg_catalog.regclass),
    DETAIL = pg_catalog.format('notify-bridge could not write it: %s (%s)', SQLERRM, SQLSTATE),
    HINT = pg_catalog.format('Leave %s out of the INSERT, or let this role UPDATE it.', txid_column);
END
$$;

COMMENT ON FUNCTION notify_bridge.write_txid() IS
  'Row trigger AFTER INSERT, WHEN txid is NULL: the row gets the current transaction. An error where the writer may not update the column.';

CREATE OR REPLACE FUNCTION notify_bridge.create_txid_trigger(relation regclass, id_column name, txid_column name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE format(
    'CREATE OR REPLACE TRIGGER notify_bridge_txid AFTER INSERT ON %1$s FOR EACH ROW WHEN (NEW.%2$I IS NULL)
       EXECUTE FUNCTION notify_bridge.write_txid(%3$L, %2$L)', relation, txid_column, id_column);
  EXECUTE format('COMMENT ON TRIGGER notify_bridge_txid ON %s IS %L', relation,
    'NotifyBridge: a row without its transaction would never be sent.');
END
$$;

COMMENT ON FUNCTION notify_bridge.create_txid_trigger(regclass, name, name) IS
  'Creates the trigger for rows that are written with txid NULL.';

CREATE OR REPLACE FUNCTION notify_bridge.has_txid_trigger(relation regclass, id_column name, txid_column name) RETURNS boolean
LANGUAGE sql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM pg_trigger AS g
    WHERE g.tgrelid = relation AND g.tgfoid = 'notify_bridge.write_txid()'::regprocedure AND g.tgenabled <> 'D'
      AND g.tgargs = textsend(id_column::text) || '\x00' || textsend(txid_column::text) || '\x00')
$$;

COMMENT ON FUNCTION notify_bridge.has_txid_trigger(regclass, name, name) IS
  'Whether the table has the trigger for rows that are written with txid NULL, for these columns.';
