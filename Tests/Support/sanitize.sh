#!/usr/bin/env bash
# Builds the Swift tests with ThreadSanitizer, then with AddressSanitizer, and runs them. The C module has its own
# sanitized tests: Tests/CNotifyStoreTests/run.sh.
#
#   Tests/Support/sanitize.sh                 both
#   Tests/Support/sanitize.sh thread          one
#   Tests/Support/sanitize.sh address Deflate of one, the tests whose names match
set -uo pipefail
cd "$(dirname "$0")/../.."

# Swift's own report of a crash reads all memory, which AddressSanitizer takes for the fault.
export SWIFT_BACKTRACE=enable=no
# The parts of a gateway that has stopped refer to each other. In the program they end with the process.
export ASAN_OPTIONS=detect_leaks=0
# These repeat for long what others do, or have no threads and no pointers: a sanitizer makes minutes of them.
repeating=(--skip ModelTests --skip ExplorationTests --skip DoorbellProofTests)
failed=0

for sanitizer in ${1:-thread address}; do
  swift build --build-tests --sanitize "$sanitizer" --scratch-path ".build-sanitize/$sanitizer" || exit 1
  # One after the other: all are slower, and their times are limited.
  ".build-sanitize/$sanitizer/debug/notify-bridgePackageTests.xctest" --testing-library swift-testing --no-parallel \
    "${repeating[@]}" ${2:+--filter "$2"} || failed=1
done
exit "$failed"
