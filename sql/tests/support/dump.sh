# shellcheck shell=bash
# Source it after private_cluster.sh.

# Prints the schema of a database: pg_dump without its versions, settings and random tokens.
dump_schema() { # dump_schema DATABASE
  "$PRIVATE_CLUSTER_BINDIR/pg_dump" -h "$PRIVATE_CLUSTER_SOCKET" -p "$PRIVATE_CLUSTER_PORT" -U postgres --schema-only \
    --no-owner --no-tablespaces --no-table-access-method "$1" >"$PRIVATE_CLUSTER_DIR/dump" || return 1
  sed -E -e '/^\\(un)?restrict /d' -e '/^SET /d' -e '/^SELECT pg_catalog\.set_config\(/d' -e '/^--/d' \
    "$PRIVATE_CLUSTER_DIR/dump" | cat -s
}
