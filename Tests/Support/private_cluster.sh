# shellcheck shell=bash
# A private PostgreSQL cluster for tests and benchmarks. Source this file (bash 3.2 or newer), then:
#
#   trap private_cluster_remove EXIT
#   private_cluster_start                     initdb, start; exports the variables below
#   private_cluster_migrate [database]        applies sql/ to a new database, as `notify-bridge migrate` does
#   private_cluster_psql [arguments]          psql at that cluster: no psqlrc, stops at the first error;
#                                             as PRIVATE_CLUSTER_USER in PRIVATE_CLUSTER_DATABASE where set
#   private_cluster_stop [fast|immediate]     stops the server and keeps its data; `immediate` is a crash
#   private_cluster_resume                    starts a stopped cluster again, on the same port
#   private_cluster_restart [fast|immediate]  the two together
#   private_cluster_remove                    stops it, deletes its folder, forgets it
#
# Exported by private_cluster_start:
#   PRIVATE_CLUSTER_DIR     the folder with data/, socket/ and log
#   PRIVATE_CLUSTER_PORT    a loopback port that was free
#   PRIVATE_CLUSTER_SOCKET  the folder of the Unix socket
#   PRIVATE_CLUSTER_LOG     the server's log, kept over restarts
#   PRIVATE_CLUSTER_URL     postgresql://postgres@127.0.0.1:PORT/postgres
#
# Read by private_cluster_start, all optional:
#   PRIVATE_CLUSTER_SETTINGS  lines for postgresql.conf, such as 'max_prepared_transactions = 5'
#   PRIVATE_CLUSTER_PASSWORD  asks for this password (SCRAM) on TCP; without it everybody is trusted
#   PRIVATE_CLUSTER_LOCALE    C.UTF-8 unless set
#   NOTIFY_BRIDGE_TEST_POSTGRESQL  the folder of the server's programs; otherwise they are looked for
#
# Every function returns non-zero and prints why on stderr when it fails. A server is only ever
# ended through its own data folder. As root, PostgreSQL runs as the user `postgres`.

private_cluster__root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

private_cluster__fail() {
  printf 'private_cluster: %s\n' "$*" >&2
  return 1
}

# Prints the folder of the server's binaries.
private_cluster__bindir() {
  local found folder
  if [ -n "${NOTIFY_BRIDGE_TEST_POSTGRESQL:-}" ]; then
    [ -x "$NOTIFY_BRIDGE_TEST_POSTGRESQL/initdb" ] && { echo "$NOTIFY_BRIDGE_TEST_POSTGRESQL"; return 0; }
    private_cluster__fail "no initdb in NOTIFY_BRIDGE_TEST_POSTGRESQL=$NOTIFY_BRIDGE_TEST_POSTGRESQL"
    return 1
  fi
  found=$(command -v initdb 2>/dev/null) && found=$(readlink -f "$found") && [ -x "$(dirname "$found")/pg_ctl" ] &&
    [ -x "$(dirname "$found")/postgres" ] && { dirname "$found"; return 0; }
  found=$(pg_config --bindir 2>/dev/null) && [ -x "$found/initdb" ] && { echo "$found"; return 0; }
  found=
  for folder in /usr/lib/postgresql/*/bin; do # in ascending order: the last is the newest
    [ -x "$folder/initdb" ] && found=$folder
  done
  [ -n "$found" ] && { echo "$found"; return 0; }
  private_cluster__fail 'no initdb found: install a PostgreSQL server (14 or newer)'
}

# Runs a command as the user that may own a cluster: root may not.
private_cluster__as_owner() {
  if [ "$(id -u)" -ne 0 ]; then
    (cd / && "$@")
  elif command -v runuser >/dev/null 2>&1; then
    (cd / && runuser -u postgres -- "$@")
  else
    (cd / && su postgres -s /bin/sh -c "$(printf '%q ' "$@")")
  fi
}

private_cluster__port_is_taken() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

private_cluster__pg_ctl() {
  private_cluster__as_owner "$PRIVATE_CLUSTER_BINDIR/pg_ctl" -s -D "$PRIVATE_CLUSTER_DIR/data" "$@"
}

private_cluster__init() {
  local auth=trust output
  PRIVATE_CLUSTER_DIR=$(private_cluster__as_owner mktemp -d /tmp/private_cluster.XXXXXX) || return 1
  PRIVATE_CLUSTER_SOCKET=$PRIVATE_CLUSTER_DIR/socket
  PRIVATE_CLUSTER_LOG=$PRIVATE_CLUSTER_DIR/log
  private_cluster__as_owner mkdir "$PRIVATE_CLUSTER_SOCKET" || return 1
  [ -z "${PRIVATE_CLUSTER_PASSWORD:-}" ] || auth=scram-sha-256
  output=$(private_cluster__as_owner "$PRIVATE_CLUSTER_BINDIR/initdb" -D "$PRIVATE_CLUSTER_DIR/data" \
    -U postgres --encoding=UTF8 --locale="${PRIVATE_CLUSTER_LOCALE:-C.UTF-8}" -N --auth=trust 2>&1) ||
    { private_cluster__fail "$output"; return 1; }
  private_cluster__append postgresql.conf "listen_addresses = '127.0.0.1'
unix_socket_directories = '$PRIVATE_CLUSTER_SOCKET'
${PRIVATE_CLUSTER_SETTINGS:-}" || return 1
  [ "$auth" = trust ] || private_cluster__write pg_hba.conf "local all all trust
host all all 127.0.0.1/32 $auth"
}

private_cluster__append() {
  printf '%s\n' "$2" | private_cluster__as_owner tee -a "$PRIVATE_CLUSTER_DIR/data/$1" >/dev/null
}

private_cluster__write() {
  printf '%s\n' "$2" | private_cluster__as_owner tee "$PRIVATE_CLUSTER_DIR/data/$1" >/dev/null
}

private_cluster_start() {
  local attempt
  PRIVATE_CLUSTER_BINDIR=$(private_cluster__bindir) || return 1
  private_cluster__init || return 1
  for attempt in 1 2 3 4 5 6 7 8 none; do # another process may take the port after it was found free
    [ "$attempt" != none ] || { tail -n 20 "$PRIVATE_CLUSTER_LOG" >&2; private_cluster__fail 'no start'; return 1; }
    PRIVATE_CLUSTER_PORT=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    private_cluster__port_is_taken "$PRIVATE_CLUSTER_PORT" && continue
    private_cluster__append postgresql.conf "port = $PRIVATE_CLUSTER_PORT" || return 1
    private_cluster_resume 2>/dev/null && break
  done
  if [ -n "${PRIVATE_CLUSTER_PASSWORD:-}" ]; then
    psql -Xq -h "$PRIVATE_CLUSTER_SOCKET" -p "$PRIVATE_CLUSTER_PORT" -U postgres -d postgres \
      -v password="$PRIVATE_CLUSTER_PASSWORD" -v ON_ERROR_STOP=1 \
      <<<"ALTER ROLE postgres PASSWORD :'password';" || return 1
    export PGPASSWORD=$PRIVATE_CLUSTER_PASSWORD
  fi
  PRIVATE_CLUSTER_URL=postgresql://postgres@127.0.0.1:$PRIVATE_CLUSTER_PORT/postgres
  export PRIVATE_CLUSTER_BINDIR PRIVATE_CLUSTER_DIR PRIVATE_CLUSTER_PORT PRIVATE_CLUSTER_SOCKET
  export PRIVATE_CLUSTER_LOG PRIVATE_CLUSTER_URL
}

private_cluster_resume() {
  private_cluster__pg_ctl -w -t 60 -l "$PRIVATE_CLUSTER_LOG" start >/dev/null
}

private_cluster_stop() {
  private_cluster__pg_ctl -w -t 60 -m "${1:-fast}" stop
}

private_cluster_restart() {
  private_cluster_stop "${1:-fast}" && private_cluster_resume
}

private_cluster_remove() {
  [ -n "${PRIVATE_CLUSTER_DIR:-}" ] || return 0
  if [ -e "$PRIVATE_CLUSTER_DIR/data/postmaster.pid" ]; then
    private_cluster_stop immediate || return 1
  fi
  rm -rf "$PRIVATE_CLUSTER_DIR"
  unset PRIVATE_CLUSTER_DIR PRIVATE_CLUSTER_PORT PRIVATE_CLUSTER_SOCKET PRIVATE_CLUSTER_LOG PRIVATE_CLUSTER_URL
}

private_cluster_psql() {
  local at=${PRIVATE_CLUSTER_USER:-postgres}@127.0.0.1:$PRIVATE_CLUSTER_PORT
  psql -X -q -v ON_ERROR_STOP=1 -d "postgresql://$at/${PRIVATE_CLUSTER_DATABASE:-postgres}" "$@"
}

private_cluster__sha256() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum "$@"; else shasum -a 256 "$@"; fi | cut -d ' ' -f 1
}

# The files of sql/functions/ in the order in which they are applied.
private_cluster__functions() {
  find "$private_cluster__root/sql/functions" -name '*.sql' | LC_ALL=C sort
}

# Schema, functions and public.notification in one transaction, recorded with the SHA-256 of their bytes.
private_cluster_migrate() {
  local PRIVATE_CLUSTER_DATABASE=${1:-${PRIVATE_CLUSTER_DATABASE:-postgres}} file name functions=() arguments=()
  for file in "$private_cluster__root"/sql/schema/[0-9]*.sql; do
    name=$(basename "$file" .sql)
    arguments+=(-f "$file" -c "INSERT INTO notify_bridge.migration (version, name, checksum)
      VALUES ($((10#${name%%_*})), '${name#*_}', '$(private_cluster__sha256 "$file")')")
  done
  while IFS= read -r file; do functions+=("$file"); arguments+=(-f "$file"); done < <(private_cluster__functions)
  PGOPTIONS='-c client_min_messages=warning -c check_function_bodies=off -c search_path=pg_catalog,pg_temp' private_cluster_psql -1 -o /dev/null \
    "${arguments[@]}" -f "$private_cluster__root/sql/finish.sql" -c "INSERT INTO notify_bridge.functions (version, checksum)
      VALUES ($(cut -d ' ' -f 1 "$private_cluster__root/sql/functions/version.txt"), '$(cat "${functions[@]}" | private_cluster__sha256)')" \
    -c 'SELECT notify_bridge.create_own_table()'
}
