#!/usr/bin/env bash
# Builds the C module with the address and undefined-behaviour sanitizers, and tests it: first with every libpq function
# replaced, and again under valgrind, which sees values that were never set, then against PostgreSQL (NOTIFY_STORE_TEST_DATABASE, or a private cluster), then the example.
#
#   CC=clang Tests/CNotifyStoreTests/run.sh [text]    runs only the tests whose sentence holds the text
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tests=Tests/CNotifyStoreTests
build=$tests/build
compiler=${CC:-cc}
plain=(-std=c11 -g -O1 -Wall -Wextra -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror
  -ISources/CNotifyStore/include)
flags=("${plain[@]}" -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
export ASAN_OPTIONS=detect_leaks=1:halt_on_error=1

mkdir -p "$build"
without_server=(Sources/CNotifyStore/*.c
  $tests/{check,fake,fake_connection,fake_values,fake_results,fake_main}.c
  $tests/{connect,wait,statement,stream,keys,replay,mark,source,pooler,sweep}_tests.c)
"$compiler" "${flags[@]}" -o "$build/without_server" "${without_server[@]}" -lpq
"$compiler" "${plain[@]}" -o "$build/without_sanitizers" "${without_server[@]}" -lpq
"$compiler" "${flags[@]}" -pthread -o "$build/with_server" Sources/CNotifyStore/*.c \
  $tests/{check,server,server_tables,server_main}.c $tests/server_*_tests.c -lpq
"$compiler" "${flags[@]}" -o "$build/example" Sources/CNotifyStore/*.c Examples/notify_store_example.c -lpq

status=0
"$build/without_server" "$@" || status=1
if valgrind -q --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible \
  "$build/without_sanitizers" "$@" >"$build/valgrind" 2>&1; then
  echo 'ok: valgrind finds nothing'
else
  tail -n 40 "$build/valgrind"
  echo 'FAILED: valgrind'
  status=1
fi

if [ -z "${NOTIFY_STORE_TEST_DATABASE:-}" ]; then
  # shellcheck source=../Support/private_cluster.sh
  . Tests/Support/private_cluster.sh
  trap private_cluster_remove EXIT
  private_cluster_start
  private_cluster_migrate
  export NOTIFY_STORE_TEST_DATABASE=$PRIVATE_CLUSTER_URL
fi
"$build/with_server" "$@" || status=1

# The example delivers one row: it says when it listens, then the row is inserted and the bell rung.
coproc example { exec "$build/example" "$NOTIFY_STORE_TEST_DATABASE" example_bell 1; }
# The shell forgets the descriptor when the program ends, so it gets one of our own.
exec {output}<&"${example[0]}"
example_id=$example_PID
IFS= read -r -t 60 ready <&"$output" || ready=none
psql -X -q -v ON_ERROR_STOP=1 -d "$NOTIFY_STORE_TEST_DATABASE" -o /dev/null -c "
  INSERT INTO public.notification (user_id, data) VALUES (7, '{\"text\": \"hello\"}'); NOTIFY example_bell"
IFS= read -r -t 60 line <&"$output" || line=none
ended=0
wait "$example_id" || ended=$?
sent=$(psql -X -At -d "$NOTIFY_STORE_TEST_DATABASE" -c "
  SELECT count(*) FROM public.notification WHERE is_sent AND user_id = 7 AND data->>'text' = 'hello'")
if [ "$ready" = ready ] && [ "$ended" -eq 0 ] && [ "$sent" -eq 1 ] &&
  [[ $line == *'user=7 data={"text": "hello"}' ]]; then
  echo "ok: the example delivers a row and marks it"
else
  echo "FAILED: the example delivers a row and marks it (ready: $ready, line: $line, exit $ended, sent: $sent)"
  status=1
fi
exit "$status"
