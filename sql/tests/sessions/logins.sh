#!/bin/bash
# Who may do what around logins, and that each end of access rings once, at its commit.
. "$(dirname "$0")/../support/tap.sh"

as_bridge() { sql notify_bridge "$1"; }
as_owner() { sql notify_bridge_owner "$1"; }
refused() { like "$(sql "$2" "$3")" 'permission denied' "$1"; }
ask() { printf "SELECT user_id, secret, is_active FROM notify_bridge.lookup_credentials('[{\"place\": 0, \"kind\": \"%s\", \"value\": \"%s\"}]')" "$1" "$2"; }

as_owner "CREATE TABLE public.auth_user (id integer PRIMARY KEY, password varchar(128), email text, last_login timestamptz, is_active boolean);
  CREATE TABLE public.django_session (session_key varchar(40) PRIMARY KEY, session_data text, expire_date timestamptz);
  CREATE TABLE public.authtoken_token (key varchar(40) PRIMARY KEY, created timestamptz, user_id integer REFERENCES public.auth_user (id));
  INSERT INTO public.auth_user VALUES (1, 'pw1', 'one@example.com', NULL, true), (2, 'pw2', 'two@example.com', NULL, true);
  INSERT INTO public.django_session VALUES ('s1', 'data', now() + interval '1 day');
  INSERT INTO public.authtoken_token VALUES ('k1', now(), 1);
  GRANT SELECT, UPDATE, DELETE ON public.auth_user, public.django_session, public.authtoken_token TO notify_bridge_writer" >/dev/null

# Before logins are attached the bridge has no right on them, and what it may do works all the same.
refused 'without attached logins the bridge reads no users' notify_bridge "$(ask user 1)"
is "$(as_bridge "$(ask active 1)")" '1||t' 'but is told that nobody is inactive'
as_owner 'SELECT notify_bridge.attach_logins()' >/dev/null
refused 'attaching alone gives no rights' notify_bridge "$(ask user 1)"
as_owner "SELECT notify_bridge.grant_to('notify_bridge')" >/dev/null
is "$(as_bridge "$(ask user 1)")" '1|pw1|t' 'grant_to does: users'
is "$(as_bridge "$(ask active 1)")" '1||t' 'whether they are active'
is "$(as_bridge "$(ask session s1)")" '|data|t' 'sessions'
is "$(as_bridge "$(ask token k1)")" '1||t' 'tokens'
like "$(as_bridge "$(ask issue 1)")" '^1[|]nbt_' 'and tickets, to issue'
hash=$(as_owner "SELECT encode(sha256(convert_to(notify_bridge.issue_ticket(2), 'UTF8')), 'hex')")
is "$(as_bridge "$(ask ticket "$hash")")" '2||t' 'and to redeem'
is "$(as_bridge 'SELECT notify_bridge.clean_logins()')" '' 'it cleans up'
refused 'it reads no other column of the users' notify_bridge 'SELECT email FROM public.auth_user'
refused 'nor of the tokens' notify_bridge 'SELECT created FROM public.authtoken_token'
refused 'nor changes any' notify_bridge 'UPDATE public.auth_user SET is_active = true'
refused 'nor sees the tickets' notify_bridge 'SELECT * FROM notify_bridge.ticket'
refused 'nor makes revocations up' notify_bridge "INSERT INTO notify_bridge.revocation (user_id, kind, reason) VALUES ('1', 'user', 'revoked')"
refused 'nor takes them back' notify_bridge 'DELETE FROM notify_bridge.revocation'

# A backend that does not own the schema.
refused 'a writer issues no ticket' notify_bridge_writer 'SELECT notify_bridge.issue_ticket(1)'
refused 'and disconnects nobody' notify_bridge_writer 'SELECT notify_bridge.disconnect_user(1)'
as_owner "SELECT notify_bridge.grant_backend_to('notify_bridge_writer')" >/dev/null
like "$(sql notify_bridge_writer "SELECT notify_bridge.issue_ticket(1), notify_bridge.issue_ticket('1')")" '^nbt_.*nbt_' \
  'until grant_backend_to lets it'
is "$(sql notify_bridge_writer "SELECT notify_bridge.disconnect_user(1), notify_bridge.disconnect_user('1')")" '|' 'both of it'
refused 'it redeems none' notify_bridge_writer "SELECT notify_bridge.redeem_tickets('{}')"
sql postgres 'REVOKE ALL ON ALL FUNCTIONS IN SCHEMA notify_bridge FROM notify_bridge_writer;
  REVOKE USAGE ON SCHEMA notify_bridge FROM notify_bridge_writer' >/dev/null

# The bell, to one who listens and is armed. The writer has no right on notify_bridge at all.
session_open ear postgres
session_run ear 'LISTEN notify_bridge; LISTEN marker;' >/dev/null
replica=$(session_run ear "SELECT notify_bridge.register_replica('ear', 'here', 1, '0');")
session_run ear "SELECT notify_bridge.arm($replica);" >/dev/null
bells >/dev/null
rings() { # rings NAME COUNT SQL
  sql notify_bridge_writer "$3" >/dev/null
  is "$(bells | grep -c .)" "$2" "$1"
}
rings 'a deactivated user rings, once' 1 'UPDATE public.auth_user SET is_active = false'
rings 'so does a changed password' 1 "UPDATE public.auth_user SET password = 'new' WHERE id = 1"
rings 'a login does not' 0 'UPDATE public.auth_user SET last_login = now()'
rings 'a deleted token rings' 1 'DELETE FROM public.authtoken_token'
rings 'where there was none, nothing rings' 0 'DELETE FROM public.authtoken_token'
rings 'a saved session does not' 0 "UPDATE public.django_session SET session_data = 'other'"
rings 'a logout does' 1 'DELETE FROM public.django_session'
rings 'one that is rolled back does not' 0 'BEGIN; UPDATE public.auth_user SET is_active = true; UPDATE public.auth_user SET is_active = false; ROLLBACK'
is "$(as_owner "SELECT string_agg(kind, ' ' ORDER BY id) FROM notify_bridge.revocation")" \
  'user user user user sessions token session' 'and each has its row'
session_close ear

# Our own table is in the way: the backend's statement goes on all the same.
session_open holder notify_bridge_owner
session_run holder 'BEGIN; LOCK TABLE notify_bridge.revocation IN ACCESS EXCLUSIVE MODE;' >/dev/null
like "$(sql notify_bridge_writer "SET statement_timeout = '20s'; UPDATE public.auth_user SET password = 'newer' WHERE id = 1 RETURNING 'changed'")" \
  "can't end the access of connected clients.*changed" 'a lock on the revocations costs a backend no statement'
session_run holder 'ROLLBACK;' >/dev/null
is "$(as_owner "SELECT password FROM public.auth_user WHERE id = 1")" newer 'which is committed'

# A table that somebody holds is not waited for.
as_owner 'SELECT notify_bridge.detach_logins()' >/dev/null
session_run holder 'BEGIN; LOCK TABLE public.auth_user IN ROW EXCLUSIVE MODE;' >/dev/null
like "$(as_owner 'SELECT notify_bridge.attach_logins()')" 'public.auth_user is in use' 'attaching gives up rather than hold up the backend'
session_run holder 'ROLLBACK;' >/dev/null
session_close holder

# A backend that has written to the tables in the opposite order, and that looks for deadlocks sooner than we do.
sql postgres "ALTER ROLE notify_bridge_writer SET deadlock_timeout = '50ms'" >/dev/null
waits_or_is_done() { # waits_or_is_done PID: until its statement waits for a lock, or has ended
  local state
  for ((n = 0; n < 10000; n++)); do
    state=$(sql postgres "SELECT coalesce(wait_event_type, '') || ' ' || state FROM pg_stat_activity WHERE pid = $1")
    case $state in Lock* | *idle*) return ;; esac
  done
}
session_open backend notify_bridge_writer
session_open attaching notify_bridge_owner
pid=$(session_run attaching 'SELECT pg_backend_pid();')
session_run backend "BEGIN; DELETE FROM public.django_session;"
session_send attaching 'SELECT notify_bridge.attach_logins();'
waits_or_is_done "$pid"
is "$(session_run backend "UPDATE public.auth_user SET last_login = now() WHERE id = 1 RETURNING id; COMMIT;")" 1 \
  'a login of the backend is no victim of a deadlock with attach_logins'
like "$(session_answer attaching)" 'public.django_session is in use' 'which has given up instead'
like "$(as_owner 'SELECT notify_bridge.attach_logins()')" 'django_session' 'and succeeds later'
session_run backend "BEGIN; UPDATE public.django_session SET session_data = 'x';"
session_send attaching 'SELECT notify_bridge.detach_logins();'
waits_or_is_done "$pid"
is "$(session_run backend "UPDATE public.auth_user SET last_login = now() WHERE id = 1 RETURNING id; COMMIT;")" 1 'nor with detach_logins'
like "$(session_answer attaching)" 'in use' 'which gives up too'
session_run backend "BEGIN; UPDATE public.auth_user SET last_login = now();"
like "$(as_owner 'SELECT notify_bridge.attach_logins()')" 'revoke_.*revoke_.*revoke_' 'attaching again locks nothing'
session_run backend 'COMMIT;'
session_close backend
session_close attaching
sql postgres 'ALTER ROLE notify_bridge_writer RESET deadlock_timeout' >/dev/null
like "$(as_owner 'SELECT notify_bridge.detach_logins()')" 'auth_user' 'logins are detached'
as_owner 'DROP TABLE public.authtoken_token, public.django_session, public.auth_user' >/dev/null
is "$(as_owner "TRUNCATE notify_bridge.revocation, notify_bridge.ticket; SELECT count(*) FROM notify_bridge.login")" 0 'without a trace'
done_testing
