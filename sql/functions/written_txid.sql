-- A row's txid is that of the transaction that has inserted it. A row that comes with another one has no right place in any
-- delta, so a row trigger gives it one:
--   * NULL counts as from before the table was attached, and is never sent. An ORM that writes all columns inserts it where
--     the column's default would have stood: the row is new. (When the ORM saves the object again, the trigger
--     notify_bridge_renew keeps the row's txid.) Under session_replication_role = replica, in which old rows are copied,
--     NULL stays NULL.
--   * The id of another transaction comes with rows of another cluster: a dump that holds only data, or logical
--     replication. An id above those of this cluster would be new in every delta, one below in none. A row that is unsent
--     is new here. One that was sent is history, and keeps an id older than every cursor: its own, or the oldest one.
--
-- It is an AFTER trigger with a WHEN clause: an ordinary row costs the evaluation of that clause alone, and COPY still
-- inserts many rows at once. (A BEFORE trigger slows COPY down by a fifth.) Such a clause takes one or two microseconds to
-- prepare for each statement, so there is one trigger for both. It is an ALWAYS trigger, so that it fires for replication.
--
-- It runs with the rights and the search_path of the writer, as the backend's own triggers that its UPDATE fires do, so
-- every name here is qualified. Its arguments are the names of the columns id, txid, sent_at and is_sent: the writer may
-- not read notify_bridge.source.
CREATE OR REPLACE FUNCTION notify_bridge.write_txid() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
AS $$
DECLARE
  id_column CONSTANT pg_catalog.text := pg_catalog.quote_ident(TG_ARGV[0]);
  txid_column CONSTANT pg_catalog.text := pg_catalog.quote_ident(TG_ARGV[1]);
  target pg_catalog.regclass := pg_catalog.pg_partition_root(TG_RELID);
  written pg_catalog.xid8;
  present pg_catalog.xid8 := pg_catalog.pg_current_xact_id();
  is_unsent pg_catalog.bool;
  key pg_catalog.text;
  changed pg_catalog.int8;
BEGIN
  EXECUTE pg_catalog.format('SELECT ($1).%s', txid_column) INTO written USING NEW;
  IF written IS NULL THEN
    IF pg_catalog.current_setting('session_replication_role') OPERATOR(pg_catalog.=) 'replica' THEN
      RETURN NULL;
    END IF;
  ELSE
    EXECUTE pg_catalog.format(
      CASE WHEN TG_ARGV[3] OPERATOR(pg_catalog.=) '' THEN 'SELECT ($1).%1$I IS NULL'
        ELSE 'SELECT ($1).%1$I IS NULL AND ($1).%2$I IS NOT TRUE' END, TG_ARGV[2], TG_ARGV[3])
    INTO is_unsent USING NEW;
    IF NOT is_unsent THEN
      IF written OPERATOR(pg_catalog.<) present THEN
        RETURN NULL;
      END IF;
      present := '3';
    END IF;
  END IF;
  -- A writer has rights on the table that it writes to: most often on the one above its partitions.
  IF target IS NULL OR NOT pg_catalog.has_column_privilege(target, TG_ARGV[1], 'UPDATE') THEN
    target := TG_RELID;
  END IF;
  SELECT pg_catalog.string_agg(pg_catalog.format(' AND t.%1$I OPERATOR(pg_catalog.=) ($1).%1$I', a.attname), '') INTO key
  FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey::pg_catalog.int2[])
  WHERE i.indrelid OPERATOR(pg_catalog.=) TG_RELID AND i.indisprimary;
  EXECUTE pg_catalog.format(
    'UPDATE %1$s AS t SET %3$s = $3 WHERE t.%2$s OPERATOR(pg_catalog.=) ($1).%2$s AND t.%3$s %4$s AND t.tableoid = $2',
    target, id_column, txid_column,
    CASE WHEN written IS NULL THEN 'IS NULL' ELSE pg_catalog.format('OPERATOR(pg_catalog.=) ($1).%s', txid_column) END
  ) OPERATOR(pg_catalog.||) coalesce(key, '')
  USING NEW, TG_RELID, present;
  GET DIAGNOSTICS changed = ROW_COUNT;
  IF changed OPERATOR(pg_catalog.=) 0::pg_catalog.int8 THEN
    RAISE not_null_violation USING MESSAGE = 'no row was updated';
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  -- Replication would fail for ever.
  IF written IS NOT NULL THEN
    IF coalesce(pg_catalog.current_setting('notify_bridge.has_warned', true), '') OPERATOR(pg_catalog.<>) 'on' THEN
      PERFORM pg_catalog.set_config('notify_bridge.has_warned', 'on', true);
      RAISE WARNING 'notify_bridge: rows of another cluster keep a % that is not of this one: %', txid_column, SQLERRM
        USING HINT = 'Attach the table again, then SELECT notify_bridge.resend(the table, the ids).';
    END IF;
    RETURN NULL;
  END IF;
  RAISE not_null_violation USING
    MESSAGE = pg_catalog.format('%s of %s may not be NULL: such a row is never sent', txid_column, TG_RELID::pg_catalog.regclass),
    DETAIL = pg_catalog.format('notify-bridge could not write it: %s (%s)', SQLERRM, SQLSTATE),
    HINT = pg_catalog.format('Leave %s out of the INSERT, or let this role UPDATE it.', txid_column);
END
$$;

COMMENT ON FUNCTION notify_bridge.write_txid() IS
  'Row trigger AFTER INSERT, WHEN txid is not the present transaction. NULL, and the txid of another cluster in an unsent row, become it; that of a future in a sent row becomes the oldest one. NULL is an error where the writer may not update the column.';

CREATE OR REPLACE FUNCTION notify_bridge.create_txid_trigger(known notify_bridge.source) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE format(
    'CREATE OR REPLACE TRIGGER notify_bridge_txid AFTER INSERT ON %1$s FOR EACH ROW
       WHEN (NEW.%2$I IS DISTINCT FROM pg_current_xact_id()) EXECUTE FUNCTION notify_bridge.write_txid(%3$L, %2$L, %4$L, %5$L);
     ALTER TABLE %1$s ENABLE ALWAYS TRIGGER notify_bridge_txid',
    known.relation, known.txid_column, known.id_column, known.sent_at_column, coalesce(known.sent_column, ''));
  EXECUTE format('COMMENT ON TRIGGER notify_bridge_txid ON %s IS %L', known.relation,
    'NotifyBridge: a row without its transaction would never be sent, one of another cluster never or again and again.');
END
$$;

COMMENT ON FUNCTION notify_bridge.create_txid_trigger(notify_bridge.source) IS
  'Creates the trigger for rows that are written with a txid that is not of their transaction.';

CREATE OR REPLACE FUNCTION notify_bridge.has_txid_trigger(known notify_bridge.source) RETURNS boolean
LANGUAGE sql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM pg_trigger AS g
    WHERE g.tgrelid = known.relation AND g.tgfoid = 'notify_bridge.write_txid()'::regprocedure AND g.tgenabled = 'A'
      AND g.tgargs = textsend(known.id_column::text) || '\x00' || textsend(known.txid_column::text) || '\x00'
        || textsend(known.sent_at_column::text) || '\x00' || textsend(coalesce(known.sent_column::text, '')) || '\x00')
$$;

COMMENT ON FUNCTION notify_bridge.has_txid_trigger(notify_bridge.source) IS
  'Whether the table has the trigger for rows that are written with a txid that is not of their transaction, for these columns.';
