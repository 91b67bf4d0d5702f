#!/usr/bin/env bash
# Runs every part of the tests, each to its end whatever the others do, and sums them up in one closing line.
set -uo pipefail
cd "$(dirname "$0")/../.."

passed=0
failed=()
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# part NAME PATTERN COMMAND…: PATTERN is a sed script that prints the part's number of passed tests, one number a line.
# A part that fails, or that ran no test, counts as a failure.
part() {
  local name=$1 pattern=$2 log="$logs/$1" count status=0 began=$SECONDS
  shift 2
  printf '\n=== %s\n' "$name"
  "$@" 2>&1 | tee "$log" || status=1
  count=$(sed -n "$pattern" "$log" | awk '{ sum += $1 } END { print sum + 0 }')
  if [ "$status" -ne 0 ] || [ "$count" -eq 0 ]; then
    failed+=("$name")
    printf '=== %s: FAILED, %d passed, %d s\n' "$name" "$count" $((SECONDS - began))
  else
    printf '=== %s: %d passed, %d s\n' "$name" "$count" $((SECONDS - began))
  fi
  passed=$((passed + count))
}

build() {
  swift build --build-tests --explicit-target-dependency-import-check error && echo 'built 1 package'
}

# Those that are not tried above, with fewer rows: `make chaos` runs all.
faults() {
  (cd Tests/Chaos && NOTIFY_BRIDGE_TEST_TRANSACTIONS=25 ../EndToEndTests/.venv/bin/pytest -q -m short)
}

fuzz() {
  # The same inputs each time, as far as the machine comes: a change has to answer for what it changed.
  NOTIFY_BRIDGE_TEST_SEED=1 Fuzzing/run.py 20
}

micro() {
  # Optimised, as shipped: a debug build allocates for what the optimiser leaves out.
  swift build -c release --product micro-benchmarks && .build/release/micro-benchmarks
}

package() {
  Packaging/build.sh >/dev/null && Packaging/test.sh
}

part c 's/^\([0-9]*\) passed, 0 failed.*/\1/p' Tests/CNotifyStoreTests/run.sh
part sql 's/^SQL: \([0-9]*\) tests passed.*/\1/p' sql/tests/run.sh
part lint 's/^lint: \([0-9]*\) checks passed.*/\1/p' Tests/Support/lint.sh
part build 's/^built \([0-9]*\) package.*/\1/p' build
part swift 's/.*Test run with \([0-9]*\) tests in [0-9]* suites passed.*/\1/p' swift test --skip-build --skip NotifyStoreTests
# Apart, and one after the other: these block threads of the shared pool while the database works, and others would wait.
part store 's/.*Test run with \([0-9]*\) tests in [0-9]* suites passed.*/\1/p' swift test --skip-build --no-parallel --filter NotifyStoreTests
part postgresql 's/^PostgreSQL: \([0-9]*\) tests passed.*/\1/p' Tests/Support/test_postgresql.sh
part autobahn 's/^autobahn: \([0-9]*\) passed.*/\1/p' Tests/Autobahn/run.py short
part fuzz 's/^fuzz: \([0-9]*\) targets passed, 0 failed.*/\1/p' fuzz
part micro 's/^micro benchmarks: \([0-9]*\) passed.*/\1/p' micro
part package 's/^package: \([0-9]*\) checks passed.*/\1/p' package
part django 's/^Django: \([0-9]*\) tests passed.*/\1/p' Clients/django/tests/run.sh
part end-to-end 's/^=* *\([0-9]*\) passed.* in .*/\1/p' Tests/EndToEndTests/.venv/bin/pytest -q Tests/EndToEndTests
part faults 's/^=* *\([0-9]*\) passed.* in .*/\1/p' faults

# Once more at the end, where a reader of a long log looks first.
for name in "${failed[@]}"; do
  printf '\n=== %s FAILED; its last lines:\n' "$name"
  tail -n 25 "$logs/$name"
done
printf '\n%d passed, %d failed\n' "$passed" "${#failed[@]}"
[ "${#failed[@]}" -eq 0 ]
