-- Tickets: each is valid for one connect.

-- Two random uuids have 244 random bits. clock_timestamp() rather than now(): the caller's transaction may be old.
CREATE OR REPLACE FUNCTION notify_bridge.issue_ticket(user_id text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  ticket text;
BEGIN
  IF issue_ticket.user_id IS NULL OR octet_length(issue_ticket.user_id) NOT BETWEEN 1 AND 128 THEN
    RAISE invalid_parameter_value USING MESSAGE = 'a ticket is for a user: an id of 1 to 128 bytes';
  END IF;
  ticket := 'nbt_' || translate(
    encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'), '+/=', '-_');
  INSERT INTO notify_bridge.ticket (hash, user_id, expires_at)
  VALUES (sha256(convert_to(ticket, 'UTF8')), issue_ticket.user_id, clock_timestamp() + interval '30 seconds');
  RETURN ticket;
END
$$;

COMMENT ON FUNCTION notify_bridge.issue_ticket(text) IS
  'Returns a ticket that lets a client connect as this user once, within 30 seconds, after the transaction has committed: ?token=nbt_...';

CREATE OR REPLACE FUNCTION notify_bridge.issue_ticket(user_id anyelement) RETURNS text
LANGUAGE sql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$ SELECT notify_bridge.issue_ticket($1::text); $$;

COMMENT ON FUNCTION notify_bridge.issue_ticket(anyelement) IS 'The same for an integer or a uuid.';

CREATE OR REPLACE FUNCTION notify_bridge.redeem_tickets(hashes bytea[])
RETURNS TABLE (hash bytea, user_id text, is_expired boolean)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH locked AS (
    SELECT t.hash FROM notify_bridge.ticket AS t WHERE t.hash = ANY (hashes) ORDER BY t.hash FOR UPDATE)
  DELETE FROM notify_bridge.ticket AS t USING locked WHERE t.hash = locked.hash
  RETURNING t.hash, t.user_id, t.expires_at <= clock_timestamp();
$$;

COMMENT ON FUNCTION notify_bridge.redeem_tickets(bytea[]) IS
  'Uses up tickets, given by their hashes, and returns the user of each.';

CREATE OR REPLACE FUNCTION notify_bridge.clean_logins() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM notify_bridge.revocation AS r WHERE r.created_at < now() - interval '1 hour';
  DELETE FROM notify_bridge.ticket AS t WHERE t.expires_at < now() - interval '1 minute';
$$;

COMMENT ON FUNCTION notify_bridge.clean_logins() IS
  'Deletes revocations older than an hour, which every bridge has seen, and expired tickets.';
