#!/usr/bin/env bash
# Runs the tests that a version of PostgreSQL decides on 16, 17 and 18; all others run on Debian's 15.
#
#   test_postgresql.sh [VERSION…]         SQL tests, a part of those of the store, one run of the accounting
#   test_postgresql.sh --all [VERSION…]   SQL and C tests, all of the store, accounting, crashes, kills, attached tables
set -uo pipefail
cd "$(dirname "$0")/../.."

store='StoreTests\.(StoreTests|TableTests|MigratorTests|MissingTableTests)'
ends=(test_accounting.py::test_every_committed_row_reaches_every_device_that_should_have_it)
parts=4
c_tests=
if [ "${1:-}" = --all ]; then
  shift
  store=NotifyStoreTests
  ends=(test_accounting.py test_database_away.py test_kill.py test_attached_delivery.py)
  parts=5
  c_tests=yes
fi
[ $# -gt 0 ] || set -- 16 17 18

folder=$(Tests/Support/postgresql_versions.sh --folder)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# part VERSION NAME PATTERN COMMAND…: PATTERN is a sed script that prints the number of passed tests.
part() {
  local version=$1 name=$2 pattern=$3 log=$logs/$1-$2 count ended=0
  shift 3
  on "$version" "$@" >"$log" 2>&1 || ended=$?
  count=$(sed -n "$pattern" "$log" | awk '{ sum += $1 } END { print sum + 0 }')
  if [ "$ended" -eq 0 ] && [ "$count" -gt 0 ]; then
    echo "PostgreSQL $version, $name: $count tests passed"
  else
    tail -n 40 "$log"
    echo "PostgreSQL $version, $name: failed"
  fi
}

on() { # on VERSION COMMAND…
  local version=$1
  shift
  NOTIFY_BRIDGE_TEST_POSTGRESQL=$folder/$version/bin "$@"
}

# Both kinds of private clusters run the server that is asked for: otherwise all of this proves nothing.
servers() {
  local python shell
  python=$(cd Tests/EndToEndTests && .venv/bin/python -c '
from harness.cluster import Cluster
cluster = Cluster().start()
print((cluster.data / "PG_VERSION").read_text().strip())
cluster.remove()')
  shell=$(
    . Tests/Support/private_cluster.sh
    trap private_cluster_remove EXIT
    private_cluster_start && private_cluster_psql -At -c "SELECT current_setting('server_version_num')::int / 10000"
  )
  [ "$python" = "$shell" ] && echo "both are $python"
}

version_tests() { # version_tests VERSION
  part "$1" servers "s/^both are $1\$/2/p" servers
  part "$1" SQL 's/^SQL: \([0-9]*\) tests passed.*/\1/p' sql/tests/run.sh
  [ -z "$c_tests" ] || part "$1" C 's/^\([0-9]*\) passed, 0 failed.*/\1/p' flock "$logs/C" Tests/CNotifyStoreTests/run.sh
  part "$1" store 's/.*Test run with \([0-9]*\) tests in [0-9]* suites passed.*/\1/p' \
    swift test --skip-build --no-parallel --filter "$store"
  part "$1" end-to-end 's/^=* *\([0-9]*\) passed.* in .*/\1/p' \
    Tests/EndToEndTests/.venv/bin/pytest -q "${ends[@]/#/Tests/EndToEndTests/}"
}

# They wait for sessions most of the time, so all versions run at once.
for version; do
  version_tests "$version" >"$logs/$version" &
done
wait
for version; do cat "$logs/$version"; done
counts=$(cat "${@/#/$logs/}" | sed -n 's/^PostgreSQL [^:]*: \([0-9]*\) tests passed$/\1/p')
[ "$(wc -w <<<"$counts")" -eq $(($# * parts)) ] && echo "PostgreSQL: $(awk '{ sum += $1 } END { print sum }' <<<"$counts") tests passed"
