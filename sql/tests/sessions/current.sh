#!/bin/bash
# sql/current.sql is the schema of a newly migrated database.
. "$(dirname "$0")/../support/tap.sh"
. "$(dirname "$0")/../support/dump.sh"

PRIVATE_CLUSTER_DATABASE=postgres private_cluster_psql -c 'CREATE DATABASE current'
private_cluster_migrate current
recorded=$(tail -n +2 "$(dirname "$0")/../../current.sql")
# A schema as this server writes it after it has read it: each version has its own forms, and the file has those of 15.
version=$(sql postgres "SELECT current_setting('server_version_num')::int / 10000")
again() { # again SCHEMA
  [ "$version" != 15 ] || { printf '%s\n' "$1"; return; }
  PRIVATE_CLUSTER_DATABASE=postgres private_cluster_psql -c 'CREATE DATABASE recorded'
  PGOPTIONS='-c check_function_bodies=off' PRIVATE_CLUSTER_DATABASE=recorded private_cluster_psql -1 <<<"$1"
  dump_schema recorded
  PRIVATE_CLUSTER_DATABASE=postgres private_cluster_psql -c 'DROP DATABASE recorded'
}
recorded=$(again "$recorded")
is "$(diff -B <(again "$(dump_schema current)") - <<<"$recorded")" '' 'sql/current.sql is current (or else: make schema)'
PRIVATE_CLUSTER_DATABASE=current private_cluster_psql -c "COMMENT ON TABLE notify_bridge.ticket IS 'changed'"
like "$(diff -B <(dump_schema current) - <<<"$recorded")" 'changed' 'and a change would be found'
dump=$(dump_schema current)
is "$(LC_ALL=C grep -c '[^ -~]' <<<"$dump")" 0 'it is in ASCII'
is "$(grep -ciE '^(--|SET |\\)|dumped|owner to' <<<"$dump")" 0 'and has no word of versions, settings and owners'
PRIVATE_CLUSTER_DATABASE=postgres private_cluster_psql -c 'DROP DATABASE current'
done_testing
