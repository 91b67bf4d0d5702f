# shellcheck shell=bash
# Tests of more than one session, in bash: TAP on stdout, sessions as psql behind two fifos.
# Nothing here sleeps: every wait is for a line that a session prints, and bounded.

. "$(dirname "${BASH_SOURCE[0]}")/../../../Tests/Support/private_cluster.sh"

tap_count=0
tap_failed=0
tap_folder=$(mktemp -d)
tap_seconds=60 # longest wait for one answer

ok() { # ok STATUS NAME
  tap_count=$((tap_count + 1))
  if [ "$1" -eq 0 ]; then echo "ok $tap_count - $2"; else
    echo "not ok $tap_count - $2"
    tap_failed=$((tap_failed + 1))
  fi
}

is() { # is GOT WANTED NAME
  local status=0
  [ "$1" = "$2" ] || status=1
  ok "$status" "$3"
  [ "$status" -eq 0 ] || printf '#      got: %s\n#   wanted: %s\n' "${1//$'\n'/ | }" "$2"
}

like() { # like GOT PATTERN NAME, an extended regular expression
  local status=0
  [[ $1 =~ $2 ]] || status=1
  ok "$status" "$3"
  [ "$status" -eq 0 ] || printf '#      got: %s\n#   wanted: %s\n' "${1//$'\n'/ | }" "$2"
}

done_testing() {
  echo "1..$tap_count"
  rm -rf "$tap_folder"
  [ "$tap_failed" -eq 0 ]
}

# One statement in a session of its own: sql ROLE SQL. Prints the result, or the error.
sql() {
  PRIVATE_CLUSTER_USER=$1 private_cluster_psql -At -c "$2" 2>&1
}

# session_open NAME ROLE [DATABASE]: a session that stays.
session_open() {
  local name=$1 in out
  mkfifo "$tap_folder/$name.in" "$tap_folder/$name.out"
  PRIVATE_CLUSTER_USER=$2 PRIVATE_CLUSTER_DATABASE=${3:-${PRIVATE_CLUSTER_DATABASE:-postgres}} \
    private_cluster_psql -At -v ON_ERROR_STOP=0 <"$tap_folder/$name.in" >"$tap_folder/$name.out" 2>&1 &
  exec {in}>"$tap_folder/$name.in" {out}<"$tap_folder/$name.out"
  eval "session_${name}_in=$in session_${name}_out=$out session_${name}_pid=$!"
}

# session_send NAME SQL: does not wait for the answer.
session_send() {
  local in=session_$1_in
  printf '%s\n\\echo END OF ANSWER\nSELECT;\n' "$2" >&"${!in}"
}

# session_answer NAME: what the session printed for the oldest session_send not yet answered.
session_answer() {
  local out=session_$1_out line
  while IFS= read -r -t "$tap_seconds" -u "${!out}" line; do
    [ "$line" != 'END OF ANSWER' ] || return 0
    [ -z "$line" ] || printf '%s\n' "$line"
  done
  printf 'no answer from session %s\n' "$1"
  return 1
}

session_run() { # session_run NAME SQL
  session_send "$1" "$2"
  session_answer "$1"
}

# session_close NAME: as a client that goes away; returns when the server has ended the session.
session_close() {
  local pid in=session_$1_in out=session_$1_out client=session_$1_pid
  pid=$(session_run "$1" 'SELECT pg_backend_pid();')
  printf '\\q\n' >&"${!in}"
  wait "${!client}" 2>/dev/null
  eval "exec ${!in}>&- ${!out}<&-"
  rm -f "$tap_folder/$1.in" "$tap_folder/$1.out"
  sql postgres "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE pid = $pid" >/dev/null
}

# bells: the payloads of the bells that session `ear` has heard since the last call, one a line, each in
# brackets. The queue keeps the order of commits, so whatever was rung before the marker is there with it.
bells_marker=0
bells() {
  local heard=
  bells_marker=$((bells_marker + 1))
  sql postgres "NOTIFY marker, 'marker $bells_marker'" >/dev/null
  until [[ $heard == *"marker $bells_marker\""* ]]; do
    heard+=$(session_run ear 'SELECT;')$'\n' || { echo 'the ear is deaf'; return 1; }
  done
  sed -n 's/^Asynchronous notification "notify_bridge" \(with payload "\(.*\)" \)\{0,1\}received.*/[\2]/p' <<<"$heard"
}
