BEGIN;
SELECT plan(32);

-- Every object has a comment: a view of what has none must be empty.
CREATE TEMPORARY VIEW ours AS
SELECT c.oid, c.relkind, c.oid::regclass::text AS name FROM pg_class AS c
WHERE c.relkind <> 'v' AND (c.relnamespace = 'notify_bridge'::regnamespace OR c.oid IN (
  SELECT 'public.notification'::regclass
  UNION ALL SELECT 'public.notification_id_seq'::regclass
  UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = 'public.notification'::regclass));
CREATE TEMPORARY VIEW without_comment AS
SELECT 'relation ' || name AS object FROM ours WHERE obj_description(oid, 'pg_class') IS NULL
UNION ALL
SELECT 'column ' || o.name || '.' || a.attname FROM ours AS o JOIN pg_attribute AS a ON a.attrelid = o.oid
WHERE o.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND col_description(o.oid, a.attnum) IS NULL
UNION ALL
SELECT 'constraint ' || k.conname FROM ours AS o JOIN pg_constraint AS k ON k.conrelid = o.oid
WHERE k.contype <> 'n' AND obj_description(k.oid, 'pg_constraint') IS NULL
UNION ALL
SELECT 'trigger ' || t.tgname FROM ours AS o JOIN pg_trigger AS t ON t.tgrelid = o.oid
WHERE NOT t.tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL
UNION ALL
SELECT 'function ' || p.oid::regprocedure FROM pg_proc AS p
WHERE p.pronamespace = 'notify_bridge'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
UNION ALL
SELECT 'schema notify_bridge' WHERE obj_description('notify_bridge'::regnamespace, 'pg_namespace') IS NULL;

SELECT is_empty('TABLE without_comment', 'every object has a comment');
SAVEPOINT bad;
COMMENT ON COLUMN public.notification.data IS NULL;
SELECT set_eq('TABLE without_comment', ARRAY['column public.notification.data'], 'and a missing one would be found');
ROLLBACK TO bad;

-- Every function pins its search_path but those that run for each statement or row, see below; and nothing of ours is open to PUBLIC.
SELECT is_empty($$
  SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'notify_bridge'::regnamespace
    AND p.oid <> ALL ('{notify_bridge.ring(),notify_bridge.wake(),notify_bridge.write_txid()}'::regprocedure[])
    AND p.proname !~ '^(renew|keep)_[0-9]+$'
    AND NOT ('search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}')))
$$, 'every function pins its search_path');
SELECT is_empty($$
  SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'notify_bridge'::regnamespace
    AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee = 0)
$$, 'PUBLIC may execute none of the functions');
SELECT is_empty($$
  SELECT o.name FROM ours AS o JOIN pg_class AS c USING (oid), aclexplode(c.relacl) AS a WHERE a.grantee = 0
$$, 'PUBLIC has no right on any table');
SELECT is_empty($$
  SELECT p.oid::regprocedure FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner
  WHERE p.pronamespace = 'notify_bridge'::regnamespace AND (r.rolsuper OR r.rolcreaterole)
$$, 'the owner of the functions is neither superuser nor may it create roles');

-- public.notification, as the design has it.
SELECT columns_are('public', 'notification',
  ARRAY['id', 'user_id', 'data', 'is_sent', 'created_at', 'sent_at', 'is_read', 'read_at', 'txid']);
SELECT results_eq($$
  SELECT a.attname::text COLLATE "default", format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid) COLLATE "default"
  FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = 'public.notification'::regclass AND a.attnum > 0 ORDER BY a.attnum
$$, $$ VALUES
  ('id', 'bigint', true, NULL),
  ('user_id', 'bigint', false, NULL),
  ('data', 'jsonb', false, NULL),
  ('is_sent', 'boolean', true, 'false'),
  ('created_at', 'timestamp with time zone', true, 'now()'),
  ('sent_at', 'timestamp with time zone', false, NULL),
  ('is_read', 'boolean', true, 'false'),
  ('read_at', 'timestamp with time zone', false, NULL),
  ('txid', 'xid8', false, 'pg_current_xact_id()')
$$, 'types, NOT NULL and defaults');
SELECT is(attidentity::text, 'd', 'id is an identity that accepts given values')
FROM pg_attribute WHERE attrelid = 'public.notification'::regclass AND attname = 'id';
SELECT col_is_pk('public', 'notification', 'id', 'id is the primary key');
SELECT indexes_are('public', 'notification', ARRAY['notification_pkey', 'notification_txid_idx',
  'notification_user_id_txid_idx', 'notification_created_at_idx']);
SELECT index_is_type('public', 'notification', 'notification_txid_idx', 'btree');
SELECT results_eq($$
  SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'public.notification'::regclass ORDER BY 1
$$, $$ VALUES
  ('CREATE INDEX notification_created_at_idx ON public.notification USING btree (created_at)'),
  ('CREATE INDEX notification_txid_idx ON public.notification USING btree (txid)'),
  ('CREATE INDEX notification_user_id_txid_idx ON public.notification USING btree (user_id, txid)'),
  ('CREATE UNIQUE INDEX notification_pkey ON public.notification USING btree (id)')
$$, 'no index mentions is_sent or sent_at');
SELECT ok('fillfactor=50' = ANY (reloptions), 'half of each page stays free')
FROM pg_class WHERE oid = 'public.notification'::regclass;
SELECT results_eq($$ SELECT relation::text, is_own FROM notify_bridge.source $$,
  $$ VALUES ('public.notification', true) $$, 'it is the served table, and ours');
SELECT is((SELECT count(*) FROM notify_bridge.source WHERE first_txid < pg_current_xact_id()), 1::bigint,
  'with the transaction that made it');
SAVEPOINT renamed;
ALTER TABLE public.notification RENAME TO other_name;
SELECT results_eq($$ SELECT relation::text FROM notify_bridge.source $$, $$ VALUES ('public.other_name') $$,
  'the list follows a rename');
ROLLBACK TO renamed;

-- What a plain insert gives, and what it accepts.
INSERT INTO public.notification (user_id, data) VALUES (7, '{"a": 1}');
SELECT results_eq($$
  SELECT user_id, data, is_sent, sent_at, is_read, read_at, txid = pg_current_xact_id(), created_at = now()
  FROM public.notification WHERE user_id = 7
$$, $$ VALUES (7::bigint, '{"a": 1}'::jsonb, false, NULL::timestamptz, false, NULL::timestamptz, true, true) $$,
  'a plain insert is unsent and carries its transaction');
SELECT lives_ok($$ INSERT INTO public.notification DEFAULT VALUES $$, 'neither recipient nor data is required');
SELECT lives_ok($$ INSERT INTO public.notification (id, user_id) VALUES (1000000, 1) $$, 'an id may be given');
SELECT lives_ok($$ INSERT INTO public.notification (user_id, data)
  VALUES (1, jsonb_build_object('text', repeat('x', 10000000))) $$, 'data may be large');

-- The doorbell's trigger.
SELECT has_trigger('public', 'notification', 'notify_bridge_ring', 'the trigger is there');
SELECT results_eq($$
  SELECT t.tgenabled::text, t.tgtype::integer, t.tgfoid::regproc::text FROM pg_trigger AS t
  WHERE t.tgrelid = 'public.notification'::regclass AND t.tgname = 'notify_bridge_ring'
$$, $$ VALUES ('A', 4, 'notify_bridge.ring') $$, 'AFTER INSERT, once a statement, ENABLE ALWAYS');
SELECT results_eq($$
  SELECT p.provolatile::text, p.prosecdef FROM pg_proc AS p WHERE p.oid = 'notify_bridge.ring()'::regprocedure
$$, $$ VALUES ('v', true) $$, 'ring() is VOLATILE and SECURITY DEFINER');

-- It pins no search_path, which would cost every writer more than all the rest of it: so a writer's must lead nowhere.
CREATE SCHEMA trap;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
CREATE FUNCTION trap.spring() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'sprung'; END $$;
CREATE FUNCTION trap.current_setting(text, boolean DEFAULT false) RETURNS text LANGUAGE sql AS 'SELECT trap.spring()';
CREATE FUNCTION trap.pg_notification_queue_usage() RETURNS double precision LANGUAGE sql AS 'SELECT trap.spring()::double precision';
CREATE FUNCTION trap.pg_notify(text, text) RETURNS text LANGUAGE sql AS 'SELECT trap.spring()';
CREATE FUNCTION trap.pg_current_xact_id() RETURNS text LANGUAGE sql AS 'SELECT trap.spring()';
CREATE FUNCTION trap.equal(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT trap.spring() IS NULL';
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.equal);
CREATE DOMAIN trap.text AS integer;
CREATE FUNCTION trap.is_sprung() RETURNS boolean LANGUAGE plpgsql SET search_path = trap, pg_catalog
AS $$
BEGIN
  INSERT INTO public.notification DEFAULT VALUES;
  RETURN false;
EXCEPTION WHEN raise_exception THEN
  RETURN true;
END
$$;
SET LOCAL notify_bridge.bell_txid = on;
SELECT notify_bridge.arm(notify_bridge.register_replica('notify-bridge', 'host', 1, '0.1.0'));
SELECT ok(NOT trap.is_sprung(), 'ring() and wake() find nothing by the search_path of a writer');
SAVEPOINT unqualified;
DO $$ BEGIN
  EXECUTE replace(pg_get_functiondef('notify_bridge.wake()'::regprocedure), 'pg_catalog.pg_notify', 'pg_notify');
END $$;
SELECT ok(trap.is_sprung(), 'and a name without its schema would be found');
ROLLBACK TO unqualified;

-- The record of migrations, and the tables that the bridge keeps.
SELECT is(count(*), max(version)::bigint, 'the migrations are numbered without gaps') FROM notify_bridge.migration;
SELECT is(count(*), 1::bigint, 'and the functions have a version') FROM notify_bridge.functions WHERE version > 0;
SELECT is_empty($$
  SELECT p.oid::regprocedure FROM pg_proc AS p
  WHERE p.pronamespace = 'notify_bridge'::regnamespace AND octet_length(p.prosrc) <> length(p.prosrc)
$$, 'every function is in ASCII');
SELECT columns_are('notify_bridge', 'replica', ARRAY['id', 'armed', 'lock_class', 'application', 'host', 'pid',
  'version', 'backend_pid', 'started_at', 'touched_at']);
SELECT indexes_are('notify_bridge', 'replica', ARRAY['replica_pkey']);
SELECT ok('fillfactor=10' = ANY (reloptions), 'replica leaves room for heap-only updates')
FROM pg_class WHERE oid = 'notify_bridge.replica'::regclass;

SELECT * FROM finish();
ROLLBACK;
