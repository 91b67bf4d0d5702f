BEGIN;
SELECT plan(56);

CREATE FUNCTION pg_temp.micros(timestamptz) RETURNS bigint LANGUAGE sql AS $$ SELECT (extract(epoch FROM $1) * 1000000)::bigint $$;

-- Presence.
SELECT results_eq($$ SELECT is_new FROM notify_bridge.touch_recorder(NULL, 7, false) $$, ARRAY[true], 'a bridge registers');
CREATE FUNCTION pg_temp.first() RETURNS integer LANGUAGE sql AS $$ SELECT min(r.id) FROM notify_bridge.recorder AS r $$;
SELECT results_eq($$ SELECT id, is_new FROM notify_bridge.touch_recorder(pg_temp.first(), 8, false) $$,
  $$ VALUES (pg_temp.first(), false) $$, 'and keeps its number with each sign of life');
SELECT is(current_setting('synchronous_commit'), 'off', 'which does not wait for the disk');
SELECT is(notify_bridge.record_presence(pg_temp.first(), false, '{42,43}', '{2,1}',
  ARRAY[pg_temp.micros('2026-05-01 10:00Z'), pg_temp.micros('2026-05-01 11:00Z')], '{0,0}')::text, '', 'two users have sockets');
SELECT results_eq($$ SELECT recipient, replica, devices, since, last_seen > now() - interval '1 minute' FROM notify_bridge.presence ORDER BY recipient $$,
  $$ VALUES ('42', 8, 2, timestamptz '2026-05-01 10:00Z', true), ('43', 8, 1, '2026-05-01 11:00Z', true) $$, 'and are shown with their bridge');
SELECT ok(notify_bridge.online('42') AND notify_bridge.online(42) AND NOT notify_bridge.online('44'), 'they are online, others are not');
SELECT is(notify_bridge.online(NULL::text), NULL, 'nobody is neither');
SELECT ok(notify_bridge.last_seen('42') > now() - interval '1 minute', 'who is online was seen now');
SELECT is(notify_bridge.last_seen('44'), NULL, 'who never was, never');
SELECT is(notify_bridge.record_presence(pg_temp.first(), false, '{42,43,44}', '{1,0,0}',
  ARRAY[pg_temp.micros('2026-05-01 10:00Z'), 0, 0], ARRAY[0, pg_temp.micros('2026-05-01 12:00Z'), pg_temp.micros('2026-05-01 12:30Z')])::text, '', 'one socket closes of each');
SELECT results_eq($$ SELECT recipient, devices FROM notify_bridge.presence $$, $$ VALUES ('42', 1) $$, 'one user is left');
SELECT is(notify_bridge.last_seen('43'), '2026-05-01 12:00Z', 'the other was seen until then');
SELECT is(notify_bridge.last_seen(44), '2026-05-01 12:30Z', 'and so was one who came and went between two statements');
SELECT is(notify_bridge.record_presence(pg_temp.first(), false, '{43}', '{0}', '{0}', ARRAY[pg_temp.micros('2026-05-01 09:00Z')])::text, '', 'another bridge is late');
SELECT is(notify_bridge.last_seen('43'), '2026-05-01 12:00Z', 'the latest end counts');

-- A second bridge.
SELECT results_eq($$ SELECT is_new FROM notify_bridge.touch_recorder(NULL, 9, false) $$, ARRAY[true], 'another bridge registers');
CREATE FUNCTION pg_temp.second() RETURNS integer LANGUAGE sql AS $$ SELECT max(r.id) FROM notify_bridge.recorder AS r $$;
SELECT is(notify_bridge.record_presence(pg_temp.second(), false, '{42,50}', '{1,1}', ARRAY[pg_temp.micros(now()), pg_temp.micros(now())], '{0,0}')::text, '', 'the user is there too');
SELECT is((SELECT count(*) FROM notify_bridge.presence WHERE recipient = '42'), 2::bigint, 'a row for each bridge');
UPDATE notify_bridge.recorder SET touched_at = clock_timestamp() - interval '9 seconds' WHERE id = pg_temp.second();
SELECT results_eq($$ SELECT recipient, replica FROM notify_bridge.presence ORDER BY 1 $$, $$ VALUES ('42', 8) $$, 'one that gives no sign of life has no users');
SELECT ok(NOT notify_bridge.online('50') AND notify_bridge.online('42'), 'who is connected elsewhere is online');
SELECT ok(notify_bridge.last_seen('50') BETWEEN clock_timestamp() - interval '20 seconds' AND clock_timestamp(), 'its users were seen until its last sign');
SELECT is(notify_bridge.clean_recorders(), 0::bigint, 'it may come back');
UPDATE notify_bridge.recorder SET touched_at = clock_timestamp() - interval '2 minutes' WHERE id = pg_temp.second();
SELECT is(notify_bridge.clean_recorders(), 1::bigint, 'after a minute it is removed');
SELECT results_eq($$ SELECT recipient FROM notify_bridge.connected_user $$, ARRAY['42'], 'with its users');
SELECT ok(notify_bridge.last_seen('50') < clock_timestamp() - interval '1 minute', 'who keep when they were seen');

-- All anew.
SELECT is(notify_bridge.record_presence(pg_temp.first(), true, '{60,61}', '{1,0}', ARRAY[pg_temp.micros(now()), 0], ARRAY[0, pg_temp.micros(now())])::text, '', 'all users are written anew');
SELECT results_eq($$ SELECT recipient FROM notify_bridge.connected_user $$, ARRAY['60'], 'others are gone');
SELECT ok(notify_bridge.last_seen('42') > now() - interval '1 minute', 'and were seen until now');

-- Who is online, beside the rows.
INSERT INTO public.notification (id, user_id, data, created_at) VALUES (7, 60, '{}', '2026-05-01 00:00Z'), (8, 42, '{}', '2026-05-01 00:00Z'), (9, NULL, '{}', '2026-05-01 00:00Z');
SELECT results_eq($$ SELECT recipient, online FROM notify_bridge.report_users('2026-04-30', '2026-05-02') ORDER BY 1 $$,
  $$ VALUES ('42', false), ('60', true), (NULL, NULL) $$, 'the report of users says who is online');
SELECT results_eq($$ SELECT n.id FROM public.notification AS n JOIN notify_bridge.presence AS p ON p.recipient = n.user_id::text $$, ARRAY[7::bigint], 'presence can be joined');

-- The connection log.
CREATE FUNCTION pg_temp.connection(number bigint, opened text, closed text, code integer, closed_by text) RETURNS void LANGUAGE sql AS $$
  SELECT notify_bridge.record_connections(pg_temp.first(), ARRAY[$1], '{42}', '{192.0.2.1}', '{Firefox}', '{websocket}',
    ARRAY[pg_temp.micros($2::timestamptz)], ARRAY[pg_temp.micros($3::timestamptz)], ARRAY[$4], ARRAY[$5], '{3}', '{400}') $$;
SELECT is(pg_temp.connection(1, '2026-05-01 23:00Z', NULL, NULL, NULL)::text, '', 'a socket opens');
SELECT results_eq($$ SELECT recipient, address, user_agent, protocol, opened, closed, replica FROM notify_bridge.connection_log $$,
  $$ VALUES ('42', '192.0.2.1', 'Firefox', 'websocket', timestamptz '2026-05-01 23:00Z', NULL::timestamptz, 8) $$, 'and is in the log');
SELECT is(pg_temp.connection(1, '2026-05-01 23:00Z', '2026-05-02 01:00Z', 1001, 'client')::text, '', 'it ends');
SELECT results_eq($$ SELECT closed, code, closed_by, rows, bytes FROM notify_bridge.connection_log $$,
  $$ VALUES (timestamptz '2026-05-02 01:00Z', 1001, 'client', 3::bigint, 400::bigint) $$, 'and so it is there');
SELECT is(pg_temp.connection(2, '2026-05-02 00:30Z', '2026-05-02 01:00Z', 1006, 'network')::text, '', 'a second one, open with it');
SELECT is(pg_temp.connection(3, '2026-05-02 01:00Z', '2026-05-02 02:00Z', 1001, 'server')::text, '', 'a third one, from its end');
SELECT is(pg_temp.connection(4, '2026-05-02 05:00Z', NULL, NULL, NULL)::text, '', 'and one that is open');
SELECT results_eq($$ SELECT to_char(bucket AT TIME ZONE 'UTC', 'DD'), opened, closed::text COLLATE "default", peak, median_seconds FROM notify_bridge.report_connections('2026-05-01', '2026-05-04') $$,
  $$ VALUES ('01', 1::bigint, '{}', 1::bigint, NULL::float8), ('02', 3, '{"1001": 2, "1006": 1}', 2, 3600), ('03', 0, '{}', 1, NULL) $$,
  'sockets by day: opened, closed by code, the most at once, the median');
SELECT results_eq($$ SELECT opened, peak FROM notify_bridge.report_connections('2026-05-02 00:00', '2026-05-02 02:00', '1 hour') $$,
  $$ VALUES (1::bigint, 2::bigint), (1, 1) $$, 'one that is open at the start counts in the peak, one that ends there does not');
SELECT is((SELECT sum(opened) FROM notify_bridge.report_connections('-infinity', 'infinity', '1 year')), 4::numeric, 'without bounds all count');
UPDATE notify_bridge.recorder SET touched_at = '2026-05-02 06:00Z';
SELECT is(notify_bridge.clean_recorders(), 1::bigint, 'the bridge was killed');
SELECT results_eq($$ SELECT closed, code, closed_by FROM notify_bridge.connection_log WHERE number = 4 $$,
  $$ VALUES (timestamptz '2026-05-02 06:00Z', NULL::integer, 'lost') $$, 'its sockets end with its last sign of life');
SELECT is(notify_bridge.purge_logs(0, 0, 10), 0::bigint, 'a log that is off is left alone');
UPDATE notify_bridge.connection_log SET closed = now() - interval '2 days' WHERE number > 2;
SELECT is(notify_bridge.purge_logs(3, 0, 10), 2::bigint, 'sockets that ended before so many days are deleted');
SELECT results_eq($$ SELECT number FROM notify_bridge.connection_log ORDER BY 1 $$, ARRAY[3, 4]::bigint[], 'later ones are not');

-- The delivery log and the timeline.
SELECT is(notify_bridge.resend('public.notification', '{8}'::bigint[]), 1::bigint, 'a row is sent again');
SELECT is_empty($$ SELECT * FROM notify_bridge.delivery_log $$, 'without a bridge that keeps the log it is not logged');
SELECT ok(is_new, 'a bridge keeps the log') FROM notify_bridge.touch_recorder(NULL, 10, true);
SELECT is(notify_bridge.record_deliveries(pg_temp.first(), ARRAY[s.number, s.number], '{7,7}',
  ARRAY[pg_temp.micros('2026-05-01 00:01Z'), pg_temp.micros('2026-05-01 00:02Z')], '{sent,acknowledged}', '{2,1}')::text, '', 'two devices got a row')
FROM notify_bridge.source AS s;
UPDATE public.notification SET is_sent = true, sent_at = '2026-05-01 00:02Z', is_read = true, read_at = '2026-05-01 00:03Z' WHERE id = 7;
SELECT results_eq($$ SELECT to_char(at AT TIME ZONE 'UTC', 'MI'), event, detail FROM notify_bridge.timeline('public.notification', 7) $$,
  $$ VALUES ('00', 'inserted', 'for 60'), ('01', 'sent', '2 devices, replica 10'), ('02', 'acknowledged', '1 device, replica 10'), ('03', 'read', NULL) $$,
  'the timeline tells the devices');
SELECT results_eq($$ SELECT source, row_id, event, replica, devices FROM notify_bridge.delivery_log ORDER BY at $$,
  $$ VALUES ('public.notification', '7', 'sent', 10, 2), ('public.notification', '7', 'acknowledged', 10, 1) $$, 'as the log does');
SELECT is(notify_bridge.resend('public.notification', '{7,999}'::bigint[]), 1::bigint, 'it is sent again');
SELECT results_eq($$ SELECT event FROM notify_bridge.timeline(NULL, 7) $$, ARRAY['inserted', 'sent', 'acknowledged', 'read', 'resent'], 'which is an event');
UPDATE public.notification SET is_sent = true, sent_at = '2026-05-01 00:04Z' WHERE id = 7;
SELECT is(notify_bridge.purge(1), 1::bigint, 'it is deleted');
SELECT results_eq($$ SELECT event FROM notify_bridge.timeline(NULL, 7) $$, ARRAY['sent', 'acknowledged', 'resent', 'purged'], 'and its log is still there');

-- Rights.
CREATE ROLE test_reader;
SELECT notify_bridge.grant_reports_to('test_reader');
SET LOCAL ROLE test_reader;
SELECT set_config('test.seen', concat_ws('|', (SELECT count(*) FROM notify_bridge.presence), notify_bridge.online('60'), notify_bridge.last_seen(42) IS NOT NULL,
  (SELECT count(*) FROM notify_bridge.connection_log), (SELECT count(*) FROM notify_bridge.delivery_log)), true);
RESET ROLE;
SELECT is(current_setting('test.seen'), '0|f|t|2|4', 'a role for reports reads presence and the logs');

SELECT * FROM finish();
ROLLBACK;
