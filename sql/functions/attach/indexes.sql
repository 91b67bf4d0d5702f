-- The two indexes of a served table: (txid) and (recipient, txid), on each partition and on the tables above.

CREATE OR REPLACE FUNCTION notify_bridge.index_steps(relation regclass, online boolean DEFAULT true)
RETURNS TABLE (what text, statement text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH wanted AS (
    SELECT t.relid, t.parent, t.is_leaf, list.columns, (
      SELECT string_agg(quote_ident(u.name), ', ' ORDER BY u.place)
      FROM unnest(list.columns) WITH ORDINALITY AS u (name, place)) AS text
    FROM notify_bridge.source AS s, notify_bridge.tables_of(s.relation) AS t,
      LATERAL (VALUES (ARRAY[s.txid_column]), (ARRAY[s.recipient_column, s.txid_column])) AS list (columns)
    WHERE s.relation = index_steps.relation
  ), present AS (
    SELECT wanted.relid, wanted.columns, i.indexrelid, i.indisvalid,
      EXISTS (SELECT FROM pg_inherits AS h WHERE h.inhrelid = i.indexrelid) AS is_attached
    FROM wanted JOIN pg_index AS i ON i.indrelid = wanted.relid
    JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam AND m.amname = 'btree'
    WHERE i.indpred IS NULL AND i.indexprs IS NULL AND NOT i.indisunique AND wanted.columns = ARRAY(
      SELECT a.attname FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS key (number, place)
      JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = key.number ORDER BY key.place)
  ), word AS (
    SELECT CASE WHEN online THEN ' CONCURRENTLY' ELSE '' END AS mode
  ), steps AS (
    SELECT 1 AS place, format('removed the invalid index %s', p.indexrelid::regclass) AS what,
      format('DROP INDEX%s %s', mode, p.indexrelid::regclass) AS statement
    FROM wanted JOIN present AS p USING (relid, columns), word WHERE wanted.is_leaf AND NOT p.indisvalid
    UNION ALL
    SELECT 2, format('added an index on (%s) of %s', wanted.text, wanted.relid),
      format('CREATE INDEX%s ON %s (%s)', mode, wanted.relid, wanted.text)
    FROM wanted, word
    WHERE wanted.is_leaf
      AND NOT EXISTS (SELECT FROM present AS p WHERE p.relid = wanted.relid AND p.columns = wanted.columns)
    UNION ALL
    SELECT 3, format('added an index on (%s) of %s, to be filled by its partitions', wanted.text, wanted.relid),
      format('CREATE INDEX ON ONLY %s (%s)', wanted.relid, wanted.text)
    FROM wanted
    WHERE NOT wanted.is_leaf
      AND NOT EXISTS (SELECT FROM present AS p WHERE p.relid = wanted.relid AND p.columns = wanted.columns)
    UNION ALL
    SELECT 4, format('added %s to the index of %s', child.indexrelid::regclass, wanted.parent),
      format('ALTER INDEX %s ATTACH PARTITION %s', above.indexrelid::regclass, child.indexrelid::regclass)
    FROM wanted
    JOIN present AS child ON child.relid = wanted.relid AND child.columns = wanted.columns
    JOIN present AS above ON above.relid = wanted.parent AND above.columns = wanted.columns
    WHERE NOT child.is_attached AND (child.indisvalid OR NOT wanted.is_leaf)
  )
  SELECT s.what, s.statement FROM steps AS s ORDER BY s.place, s.statement
$$;

COMMENT ON FUNCTION notify_bridge.index_steps(regclass, boolean) IS
  'The statements that the indexes of an attached table still need, as far as they can run now. Run the first one in its own transaction, and repeat until none is returned.';
