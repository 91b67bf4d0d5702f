#!/usr/bin/env bash
# Sets the example up in a database, and serves it: Django on port 8000, the bridge on port 8080. Ctrl-C stops both.
#
#   DATABASE_URL    an empty database, as its owner: postgresql://user:password@localhost/example
#   NOTIFY_BRIDGE   the program; else the one on PATH, else the one that `swift build` left in this checkout
#   PYTHON          a Python that has the requirements; without it, a virtual environment is made in .venv
#   SITE_PORT, BRIDGE_PORT
set -euo pipefail
cd "$(dirname "$0")"

: "${DATABASE_URL:?names an empty database, such as postgresql://user:password@localhost/example}"
bridge=${NOTIFY_BRIDGE:-$(command -v notify-bridge || echo ../../../.build/debug/notify-bridge)}
[ -x "$bridge" ] || { echo "error: there is no notify-bridge: put it on PATH, or run swift build" >&2; exit 1; }

if [ -z "${PYTHON:-}" ]; then
  PYTHON=.venv/bin/python
  [ -x "$PYTHON" ] || python3 -m venv .venv
  "$PYTHON" -m pip install -q --disable-pip-version-check -r requirements.txt ..
fi

# Both read session cookies with it.
[ -e .secret_key ] || (umask 077 && "$PYTHON" -c 'import secrets; print(secrets.token_urlsafe(48))' >.secret_key)
DJANGO_SECRET_KEY=$(cat .secret_key)
BRIDGE_PORT=${BRIDGE_PORT:-8080}
export DATABASE_URL DJANGO_SECRET_KEY BRIDGE_PORT

"$bridge" migrate
"$PYTHON" manage.py migrate --verbosity 1
"$PYTHON" manage.py make_demo_users

trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
trap 'exit 0' INT TERM
NOTIFY_BRIDGE_AUTH_DJANGO_SECRET_KEY=$DJANGO_SECRET_KEY "$bridge" serve --http-port "$BRIDGE_PORT" &
"$PYTHON" manage.py runserver --noreload "127.0.0.1:${SITE_PORT:-8000}" &
wait -n
