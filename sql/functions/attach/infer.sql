-- Options of attach that were omitted are inferred from the table.

CREATE OR REPLACE FUNCTION notify_bridge.attach_infer(relation regclass) RETURNS TABLE (part text, candidates name[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH columns AS (
    SELECT a.attname AS name, lower(a.attname) AS word, a.attnum AS place,
      notify_bridge.column_type(relation, a.attname) AS type
    FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
  ), users AS ( -- by the table's name, or because Django's own tables refer to it
    SELECT u.oid FROM pg_class AS u
    WHERE u.relname ~* '(user|account|member|person|people|customer)s?$' OR EXISTS (
      SELECT FROM pg_constraint AS f JOIN pg_class AS d ON d.oid = f.conrelid
      WHERE f.contype = 'f' AND f.confrelid = u.oid AND d.relname IN ('authtoken_token', 'django_admin_log'))
  ), referring AS (
    SELECT c.name FROM columns AS c WHERE EXISTS (
      SELECT FROM pg_constraint AS f JOIN users AS u ON u.oid = f.confrelid
      WHERE f.conrelid = relation AND f.contype = 'f' AND f.conkey = ARRAY[c.place])
  ), keys AS ( -- without a partition key, which has to be in the primary key and names no row
    SELECT c.name, c.word FROM columns AS c
    JOIN pg_index AS i ON i.indrelid = relation AND i.indisprimary AND c.place = ANY (i.indkey::int2[])
    WHERE notify_bridge.kind_of(c.type) IS NOT NULL AND (i.indnkeyatts = 1 OR NOT EXISTS (
      SELECT FROM pg_partitioned_table AS p WHERE p.partrelid = relation AND c.place = ANY (p.partattrs::int2[])))
  ), documents AS (
    SELECT c.name, c.word FROM columns AS c WHERE c.type = ANY ('{jsonb,json}'::regtype[])
  ), words (part, type, list) AS (VALUES
    ('sent', 'bool'::regtype, '{is_sent,sent}'::text[]),
    ('created', 'timestamptz', '{created_at,created,created_on,date_created,inserted_at,timestamp}'),
    ('read', 'bool', '{is_read,read,is_seen,seen}'),
    ('read_at', 'timestamptz', '{read_at,read_on,seen_at}')
  )
  SELECT 'recipient', ARRAY(
    SELECT r.name FROM referring AS r
    UNION
    SELECT c.name FROM columns AS c
    WHERE c.word IN ('recipient_id', 'recipient', 'user_id', 'user') AND notify_bridge.kind_of(c.type) IS NOT NULL
    ORDER BY 1)
  UNION ALL
  SELECT 'id', coalesce((SELECT ARRAY[keys.name] FROM keys WHERE keys.word = 'id'),
    ARRAY(SELECT keys.name FROM keys ORDER BY 1))
  UNION ALL
  SELECT 'payload', coalesce((SELECT ARRAY[d.name] FROM documents AS d WHERE d.word = 'data'),
    ARRAY(SELECT d.name FROM documents AS d ORDER BY 1))
  UNION ALL
  SELECT words.part, ARRAY(
    SELECT c.name FROM columns AS c
    WHERE c.word = ANY (words.list) AND (c.type = words.type OR words.part = 'created' AND c.type = 'timestamp'::regtype)
    ORDER BY c.type = words.type DESC, array_position(words.list, c.word))
  FROM words
$$;

COMMENT ON FUNCTION notify_bridge.attach_infer(regclass) IS
  'The columns that look like each part of a table mapping, the likeliest first.';

CREATE OR REPLACE FUNCTION notify_bridge.attach_column(
  relation regclass, part text, given name, is_known boolean, known name, VARIADIC types regtype[]) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  is_required CONSTANT boolean := part IN ('recipient', 'id');
  candidates name[];
  chosen name := given;
BEGIN
  IF given = '' AND NOT is_required THEN
    RETURN NULL;
  END IF;
  IF given IS NULL AND is_known AND (known IS NULL OR notify_bridge.column_type(relation, known) IS NOT NULL) THEN
    chosen := known;
  ELSIF given IS NULL OR given = '' THEN
    SELECT g.candidates INTO candidates FROM notify_bridge.attach_infer(relation) AS g WHERE g.part = attach_column.part;
    IF NOT is_required THEN
      chosen := candidates[1];
    -- The author of a row is not its recipient.
    ELSIF cardinality(candidates) <> 1 OR candidates[1] ~* '(actor|sender|author|creator|owner|by|from)(_id)?$' THEN
      RAISE ambiguous_parameter USING
        MESSAGE = format('the %s of %s can''t be inferred: %s', part, relation, CASE
          WHEN candidates = '{}' THEN 'no column looks like it'
          ELSE format('it may be %s', array_to_string(candidates, ' or ')) END),
        HINT = format('Name the column: %s => ''...'' in SQL, --%s ... in a shell.', part, part);
    ELSE
      chosen := candidates[1];
    END IF;
  ELSIF notify_bridge.column_type(relation, given) IS NULL THEN
    RAISE undefined_column USING
      MESSAGE = format('%s has no column %I', relation, given),
      HINT = (SELECT 'It has ' || string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute AS a
        WHERE a.attrelid = relation AND a.attnum BETWEEN 1 AND 40 AND NOT a.attisdropped);
  END IF;
  IF chosen IS NOT NULL AND notify_bridge.column_type(relation, chosen) <> ALL (types) THEN
    RAISE datatype_mismatch USING
      MESSAGE = format('column %I of %s is %s, which can''t be its %s', chosen, relation,
        notify_bridge.column_type(relation, chosen), part),
      HINT = format('It has to be %s.',
        CASE WHEN part IN ('sent', 'read') THEN 'boolean or timestamptz' ELSE array_to_string(types, ', ') END);
  END IF;
  RETURN chosen;
END
$$;

COMMENT ON FUNCTION notify_bridge.attach_column(regclass, text, name, boolean, name, regtype[]) IS
  'The column for a part: the given one (empty: none), else the recorded one, else an inferred one. An error where that column is not valid for the part, or can''t be inferred.';
