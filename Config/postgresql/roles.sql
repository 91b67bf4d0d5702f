-- The three roles around NotifyBridge, and their rights in one database. An example: rename them, or use
-- existing roles. It may be repeated: run it in the database before `notify-bridge migrate`, and once more
-- afterwards, when the objects to grant rights on exist. Run it as a superuser (where your provider has none:
-- as its administrator, and the last block as notify_bridge_owner):
--
--   psql -v ON_ERROR_STOP=1 -d mydatabase -f roles.sql     then set passwords: \password notify_bridge
--
--   notify_bridge_owner   runs `notify-bridge migrate`, `attach` and `send`, and owns their objects. No
--                         superuser, no CREATEROLE: it may create in this database and in schema public.
--                         A role that owns the database needs none of the grants below.
--   notify_bridge         runs `notify-bridge serve`: reads notifications, marks them sent and read.
--   notify_bridge_writer  your backend: inserts notifications. It needs no right on schema notify_bridge.

DO $roles$
DECLARE
  missing text;
BEGIN
  FOREACH missing IN ARRAY ARRAY['notify_bridge_owner', 'notify_bridge', 'notify_bridge_writer'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = missing) THEN
      EXECUTE format('CREATE ROLE %I LOGIN', missing);
    END IF;
  END LOOP;
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO notify_bridge_owner, notify_bridge, notify_bridge_writer',
    current_database());

  -- Rights of `migrate` where another role owns the database.
  EXECUTE format('GRANT CREATE ON DATABASE %I TO notify_bridge_owner', current_database());
  GRANT USAGE, CREATE ON SCHEMA public TO notify_bridge_owner;
END
$roles$;

COMMENT ON ROLE notify_bridge_owner IS 'NotifyBridge: owns the schema notify_bridge, runs migrations.';
COMMENT ON ROLE notify_bridge IS 'NotifyBridge: the running bridge.';
COMMENT ON ROLE notify_bridge_writer IS 'NotifyBridge: a backend that inserts notifications.';

-- A transaction that stays open keeps the bridge from returning to quiet, and vacuum from removing dead rows.
ALTER ROLE notify_bridge_writer SET idle_in_transaction_session_timeout = '5min';

-- Backends that use PREPARE TRANSACTION must not NOTIFY in it. Set NOTIFY_BRIDGE_DATABASE_TWO_PHASE_WRITERS=true
-- for the bridge as well, so that it polls.
-- ALTER ROLE notify_bridge_writer SET notify_bridge.two_phase = on;

DO $grants$
BEGIN
  IF to_regprocedure('notify_bridge.grant_to(name)') IS NULL THEN
    RAISE NOTICE 'no objects to grant rights on yet: run notify-bridge migrate as notify_bridge_owner, then this file again';
    RETURN;
  END IF;
  PERFORM notify_bridge.grant_to('notify_bridge');
  IF EXISTS (SELECT FROM notify_bridge.source WHERE is_own AND relation = to_regclass('public.notification')) THEN
    -- SELECT (id) is for INSERT ... RETURNING id.
    GRANT INSERT, SELECT (id) ON public.notification TO notify_bridge_writer;
  END IF;
END
$grants$;
