#!/usr/bin/env bash
# Installs what is missing: `install.sh run` for trying the bridge, `install.sh package` for making and trying its
# Debian package, `install.sh test` for all tests.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(libpq-dev libssl-dev zlib1g-dev postgresql)
if [ "${1:-run}" != run ]; then
  packages+=(dpkg-dev debhelper chrpath lintian debootstrap)
fi
if [ "${1:-run}" = test ]; then
  packages+=(postgresql-15-pgtap libtap-parser-sourcehandler-pgtap-perl chromium clang-format-14 pgbouncer valgrind gcc make curl python3-venv)
  # Libraries of HAProxy.
  packages+=(liblua5.3-0 libopentracing-c-wrapper0)
fi

command -v swift >/dev/null || {
  echo 'error: no Swift toolchain on PATH: install Swift 6.3 from https://www.swift.org/install/linux' >&2
  exit 1
}

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
run=()
[ "$(id -u)" -eq 0 ] || run=(sudo)
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    echo "error: missing packages: run as root: apt-get install -y ${missing[*]}" >&2
    exit 1
  fi
  # The server that the package starts is not used: tests and `dev` start their own.
  "${run[@]}" apt-get update -q
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

# The Autobahn|Testsuite in an environment of its own: it runs on Python 2.7 only.
autobahn() {
  local folder=Tests/Autobahn/.venv tools=Tests/Autobahn/.venv/tools python
  if cmp -s Tests/Autobahn/requirements.txt "$folder/installed.txt"; then return; fi
  # A python2.7 on PATH may be a shim of pyenv that runs none.
  for python in python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7; do
    if "$python" -c '' 2>/dev/null; then break; fi
  done
  if ! "$python" -c '' 2>/dev/null; then
    echo 'error: no python2.7, which the Autobahn|Testsuite needs: install pyenv (https://github.com/pyenv/pyenv), then run: pyenv install 2.7.18' >&2
    exit 1
  fi
  rm -rf "$folder"
  # The last version that makes environments of Python 2.7.
  python3 -m venv "$tools"
  "$tools/bin/pip" install -q --disable-pip-version-check virtualenv==20.21.1
  "$tools/bin/virtualenv" -q -p "$python" "$folder/suite"
  "$folder/suite/bin/pip" install -q --no-python-version-warning --disable-pip-version-check -r Tests/Autobahn/requirements.txt
  cp Tests/Autobahn/requirements.txt "$folder/installed.txt"
}

if [ "${1:-run}" = test ]; then
  venv=Tests/EndToEndTests/.venv
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  if ! cmp -s Tests/EndToEndTests/requirements.txt "$venv/installed.txt"; then
    "$venv/bin/pip" install -q --disable-pip-version-check -r Tests/EndToEndTests/requirements.txt
    cp Tests/EndToEndTests/requirements.txt "$venv/installed.txt"
  fi
  Tests/Support/postgresql_versions.sh >/dev/null
  autobahn
  # The programs alone: their packages would start servers.
  programs=Tests/EndToEndTests/.programs
  mkdir -p "$programs"
  for program in nginx haproxy caddy prometheus; do
    compgen -G "$programs/usr/*bin/$program" >/dev/null || (
      cd "$programs"
      apt-get download -q "$program" || { "${run[@]}" apt-get update -q && apt-get download -q "$program"; }
      dpkg-deb -x "$program"_*.deb .
    )
  done
  # shellcheck source=Clients/django/tests/environments.sh
  . Clients/django/tests/environments.sh
  django_environments_install
fi
