-- Runs after the files of functions/, in their transaction: drops the functions and views that they no longer hold, and
-- revokes the rest from PUBLIC. Rights that other roles have on a kept function stay as they are.
--
-- CREATE OR REPLACE writes the catalogue row of a function and the rule of a view anew. So whatever this transaction has
-- not written is in no file. Another parameter list makes another function: the dropped one leaves its rights to it.

DO $$
DECLARE
  this_xid CONSTANT xid := pg_current_xact_id()::xid;
  stale record;
  replacement record;
BEGIN
  FOR stale IN
    SELECT c.oid::regclass AS name FROM pg_class AS c JOIN pg_rewrite AS r ON r.ev_class = c.oid
    WHERE c.relnamespace = 'notify_bridge'::regnamespace AND c.relkind = 'v' AND r.xmin <> this_xid
  LOOP
    EXECUTE format('DROP VIEW %s', stale.name);
  END LOOP;
  FOR stale IN
    SELECT p.oid::regprocedure AS signature, p.proname, p.proowner, p.proacl FROM pg_proc AS p
    WHERE p.pronamespace = 'notify_bridge'::regnamespace AND p.xmin <> this_xid
  LOOP
    FOR replacement IN
      SELECT p.oid::regprocedure AS signature, r.rolname
      FROM pg_proc AS p, aclexplode(stale.proacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
      WHERE p.pronamespace = 'notify_bridge'::regnamespace AND p.proname = stale.proname AND p.xmin = this_xid
        AND a.grantee <> stale.proowner
    LOOP
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', replacement.signature, replacement.rolname);
    END LOOP;
    EXECUTE format('DROP ROUTINE %s', stale.signature);
  END LOOP;
END
$$;

REVOKE ALL ON ALL TABLES IN SCHEMA notify_bridge FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA notify_bridge FROM PUBLIC;
