#!/usr/bin/env bash
# Runs the package's tests on a private cluster, with the oldest and the newest Django that the Pythons found here have.
# Prints how many passed; exits 1 if any failed. Arguments go to pytest;
# ENVIRONMENT=newest runs only that one.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../../Tests/Support/private_cluster.sh"
. "$here/environments.sh"

trap private_cluster_remove EXIT
private_cluster_start || exit 1
{
  private_cluster_psql -c 'CREATE DATABASE bridge' -c 'CREATE DATABASE app' -c 'CREATE DATABASE bare' &&
    private_cluster_migrate bridge
} || { echo 'the test databases could not be set up' >&2; exit 1; }

total=0
status=0
while read -r name _; do
  [ "${ENVIRONMENT:-$name}" = "$name" ] || continue
  echo "--- $name"
  output=$(cd "$here/.." && NOTIFY_BRIDGE_TEST_PORT=$PRIVATE_CLUSTER_PORT ".venvs/$name/bin/pytest" -q "$@" 2>&1) || status=1
  printf '%s\n' "$output"
  passed=$(printf '%s\n' "$output" | sed -n 's/^=* *\([0-9]*\) passed.* in .*/\1/p')
  [ "${passed:-0}" -gt 0 ] || status=1
  total=$((total + ${passed:-0}))
done < <(django_environments)
if [ "$status" -eq 0 ] && [ "$total" -gt 0 ]; then
  echo "Django: $total tests passed"
else
  echo 'Django: failed' >&2
  exit 1
fi
