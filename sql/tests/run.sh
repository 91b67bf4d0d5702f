#!/bin/bash
# Runs every SQL test against a private cluster: pgTAP files, then tests of several sessions.
# Needs postgresql (14 or newer), pgTAP and pg_prove. Prints how many passed; exits 1 if any failed.
# NOTIFY_BRIDGE_TEST_POSTGRESQL=FOLDER tests the server whose programs are there.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../Tests/Support/private_cluster.sh"

trap private_cluster_remove EXIT
# The settings and rules that are shipped, so that they are tried too; two-phase commit for its test. An autovacuum's
# snapshot would keep dead rows from being pruned just while a test counts pages.
PRIVATE_CLUSTER_SETTINGS="$(cat "$here/../../Config/postgresql/postgresql.conf")
max_prepared_transactions = 5
autovacuum_naptime = 1h" private_cluster_start || exit 1
export PRIVATE_CLUSTER_DATABASE=bridge

# pgTAP is SQL alone, so that of another version of the server does where this one has none.
create_pgtap() {
  local scripts
  if [ "$(PRIVATE_CLUSTER_DATABASE=postgres private_cluster_psql -At -c "SELECT count(*) FROM pg_available_extensions WHERE name = 'pgtap'")" = 1 ]; then
    private_cluster_psql -c 'CREATE SCHEMA tap' -c 'CREATE EXTENSION pgtap SCHEMA tap'
    return
  fi
  scripts=(/usr/share/postgresql/*/extension/pgtap.sql)
  [ -f "${scripts[0]}" ] || { echo 'no pgTAP found: install postgresql-15-pgtap' >&2; return 1; }
  PGOPTIONS='-c search_path=tap,public -c client_min_messages=warning' private_cluster_psql -1 -o /dev/null \
    -c 'CREATE SCHEMA tap' -f "${scripts[0]}"
}

# As an operator does it: roles, migrations by the role for them, and the grants that follow.
{
  PRIVATE_CLUSTER_DATABASE=postgres private_cluster_psql -c 'CREATE DATABASE bridge' &&
    PGOPTIONS='-c client_min_messages=warning' private_cluster_psql -f "$here/../../Config/postgresql/roles.sql" &&
    PRIVATE_CLUSTER_USER=notify_bridge_owner private_cluster_migrate &&
    private_cluster_psql -f "$here/../../Config/postgresql/roles.sql" &&
    create_pgtap
} || { echo 'the test database could not be set up' >&2; exit 1; }

status=0
output=$(PGOPTIONS='--search_path=tap,pg_catalog' pg_prove --failures --comments -h 127.0.0.1 -p "$PRIVATE_CLUSTER_PORT" -U postgres \
  -d bridge "$here"/*.sql 2>&1) || status=1
printf '%s\n' "$output"
sessions=$(prove --failures --comments --exec bash "$here"/sessions/*.sh 2>&1) || status=1
printf '%s\n' "$sessions"
total=$(printf '%s\n%s\n' "$output" "$sessions" | sed -n 's/.*Tests=\([0-9]*\).*/\1/p' | awk '{ sum += $1 } END { print sum + 0 }')
if [ "$status" -eq 0 ] && [ "${total:-0}" -gt 0 ]; then
  echo "SQL: $total tests passed"
else
  echo 'SQL: failed' >&2
  exit 1
fi
