#!/bin/bash
# sql/current.sql is the schema of a newly migrated database.
. "$(dirname "$0")/../support/tap.sh"
. "$(dirname "$0")/../support/dump.sh"

PRIVATE_CLUSTER_DATABASE=postgres private_cluster_psql -c 'CREATE DATABASE current'
private_cluster_migrate current
recorded=$(tail -n +2 "$(dirname "$0")/../../current.sql")
is "$(diff -B <(dump_schema current) - <<<"$recorded")" '' 'sql/current.sql is current (or else: make schema)'
PRIVATE_CLUSTER_DATABASE=current private_cluster_psql -c "COMMENT ON TABLE notify_bridge.ticket IS 'changed'"
like "$(diff -B <(dump_schema current) - <<<"$recorded")" 'changed' 'and a change would be found'
dump=$(dump_schema current)
is "$(LC_ALL=C grep -c '[^ -~]' <<<"$dump")" 0 'it is in ASCII'
is "$(grep -ciE '^(--|SET |\\)|dumped|owner to' <<<"$dump")" 0 'and has no word of versions, settings and owners'
PRIVATE_CLUSTER_DATABASE=postgres private_cluster_psql -c 'DROP DATABASE current'
done_testing
