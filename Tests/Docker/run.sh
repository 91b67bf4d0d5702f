#!/usr/bin/env bash
# Builds the images and runs them as users do, with the Docker engine that `docker` finds and `docker compose`. Needs the
# ports 8080 and 8000 of loopback, Python 3 and curl. Removes what it has made; images stay.
#
#   Tests/Docker/run.sh [image | compose | django | dev]…
#
# BRIDGE_BIN=.build/release/notify-bridge takes that program (built on Debian 12) instead of building one in the image,
# which needs a quarter of an hour.
set -euo pipefail
cd "$(dirname "$0")/../.."
parts=("$@")
[ $# -gt 0 ] || parts=(image compose django dev)

docker compose version >/dev/null || { echo 'error: no Docker engine with compose is found' >&2; exit 1; }
work=$(mktemp -d)
name=notify-bridge-test
# Tracked files as they are, so that secrets are made in the copy.
git ls-files -z | xargs -0 tar -cf - | { mkdir "$work/checkout" && tar -xf - -C "$work/checkout"; }
export COMPOSE_PROJECT_NAME=$name

options=()
if [ -n "${BRIDGE_BIN:-}" ]; then
  mkdir -p "$work/build/out"
  strip -o "$work/build/out/notify-bridge" "$BRIDGE_BIN"
  echo '{}' >"$work/build/out/notify-bridge.spdx.json"
  options=(--network host --build-context "build=$work/build")
fi

# override SERVICE… : the same for builds of compose, and where this machine's limit of open files is lower.
override() {
  [ -n "${BRIDGE_BIN:-}" ] || { unset COMPOSE_FILE; return; }
  {
    echo 'services:'
    echo "  bridge: { build: { network: host, additional_contexts: { build: $work/build } } }"
    for service in "$@"; do echo "  $service: { build: { network: host } }"; done
  } >"$work/override.yaml"
  export COMPOSE_FILE=compose.yaml:$work/override.yaml
}

finish() {
  for folder in . Clients/django/example; do
    (cd "$work/checkout/$folder" && docker compose down --volumes --timeout 5 >/dev/null 2>&1) || true
  done
  docker ps --all --quiet --filter "name=^$name" | xargs -r docker rm --force --volumes >/dev/null
  docker network rm "$name" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

passed=0
# check NAME COMMAND…
check() {
  local what=$1
  shift
  "$@" >"$work/output" 2>&1 || {
    echo "docker: FAILED: $what" >&2
    tail -n 20 "$work/output" >&2
    exit 1
  }
  passed=$((passed + 1))
  echo "docker: $what"
}
# within SECONDS COMMAND…: it succeeds in time.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.5
  done
}
is() { [ "$1" = "$2" ] || { printf 'expected: %s\ngot: %s\n' "$2" "$1"; return 1; }; }
says() { [[ $1 =~ $2 ]] || { printf 'expected: %s\ngot: %s\n' "$2" "$1"; return 1; }; }
inspect() { docker inspect --format "$1" "$2"; }
healthy() { is "$(inspect '{{.State.Health.Status}}' "$1")" healthy; }
shows() { says "$(docker logs "$1" 2>&1)" "$2"; }
volumes() { docker volume ls --quiet; }
status() { curl --silent --output /dev/null --write-out '%{http_code}' "$1"; }
answers() { is "$(status "$1")" "$2"; }
# fails STATUS PATTERN COMMAND…
fails() {
  local output code=0
  output=$("${@:3}" 2>&1) || code=$?
  is "$code" "$1" && says "$output" "$2"
}

image() {
  local url=postgresql://owner:own@$name-db/app before
  docker network create "$name" >/dev/null
  docker run --detach --name "$name-db" --network "$name" -e POSTGRES_USER=owner -e POSTGRES_PASSWORD=own -e POSTGRES_DB=app \
    postgres:15-bookworm >/dev/null
  sql() { docker exec "$name-db" psql -XqAt -h 127.0.0.1 -U owner app -c "$1"; }
  within 60 sql 'SELECT' >/dev/null 2>&1
  check 'the image migrates' docker run --rm --network "$name" -e DATABASE_URL="$url" notify-bridge migrate
  sql "CREATE ROLE notify_bridge LOGIN PASSWORD 'nb'; SELECT notify_bridge.grant_to('notify_bridge')" >/dev/null
  printf 'http:\n  port: 9001\n' >"$work/bridge.yaml"
  mkdir "$work/missing"
  local run=(docker run --detach --network "$name" -e "DATABASE_URL=postgresql://notify_bridge:nb@$name-db/app"
    -e NOTIFY_BRIDGE_AUTH_JWT_SECRET=docker-tests-docker-tests-docker-tests)
  "${run[@]}" --name "$name-plain" -p 127.0.0.1:8080:8080 notify-bridge >/dev/null
  "${run[@]}" --name "$name-confined" --read-only --cap-drop ALL --security-opt no-new-privileges notify-bridge >/dev/null
  "${run[@]}" --name "$name-init" --init notify-bridge serve --http-port=9003 >/dev/null
  "${run[@]}" --name "$name-flag" notify-bridge serve --http-port 9000 >/dev/null
  "${run[@]}" --name "$name-file" -v "$work/bridge.yaml:/etc/bridge.yaml:ro" notify-bridge serve --config /etc/bridge.yaml >/dev/null
  "${run[@]}" --name "$name-variable" -v "$work/bridge.yaml:/etc/bridge.yaml:ro" -e NOTIFY_BRIDGE_CONFIG=/etc/bridge.yaml notify-bridge >/dev/null
  for each in plain confined init flag file variable; do check "healthy: $each" within 40 healthy "$name-$each"; done
  check 'it answers at the published port' answers http://127.0.0.1:8080/healthz 200
  check 'it runs as user 10001' is "$(docker exec "$name-plain" id -u)" 10001
  check 'no program changes the user' is "$(docker exec --user 0 "$name-plain" find / -xdev -perm /6000 -type f)" ''
  check 'check' docker exec "$name-plain" notify-bridge check
  check 'its labels' says "$(inspect '{{json .Config.Labels}}' "$name-plain")" 'image.version":"[0-9]'
  check 'its parts are listed' docker exec "$name-plain" test -s /usr/share/doc/notify-bridge/notify-bridge.spdx.json
  "${run[@]}" --name "$name-client" --entrypoint notify-bridge notify-bridge listen --user 42 --url "http://$name-plain:8080" >/dev/null
  check 'a client connects' within 15 shows "$name-client" connection_established
  sql "INSERT INTO notification (user_id, data) VALUES (42, '{\"title\": \"from Docker\"}')"
  check 'a row arrives' within 15 shows "$name-client" 'from Docker'
  docker pause "$name-db" >/dev/null
  check 'without its database it is not ready' within 20 fails 1 'not ready' docker exec "$name-plain" notify-bridge check --ready
  check 'and lives' docker exec "$name-plain" notify-bridge check --live
  docker unpause "$name-db" >/dev/null
  docker pause "$name-client" >/dev/null
  before=$SECONDS
  docker stop --time 20 "$name-plain" >/dev/null
  check 'it stops in time with a frozen client' test $((SECONDS - before)) -lt 15
  docker unpause "$name-client" >/dev/null
  check 'with status 0' is "$(inspect '{{.State.ExitCode}}' "$name-plain")" 0
  check 'each line of its log is JSON' is "$(docker logs "$name-plain" 2>&1 | grep -vc '^{')" 0
  check 'a secret that is a folder' fails 78 'NOTIFY_BRIDGE_AUTH_JWT_SECRET_FILE.*folder' docker run --rm -e DATABASE_URL=postgresql://x@127.0.0.1/x \
    -e NOTIFY_BRIDGE_AUTH_JWT_SECRET_FILE=/run/secret -v "$work/missing:/run/secret:ro" notify-bridge
  check 'without settings it says what is missing' fails 78 'DATABASE_URL is missing' docker run --rm notify-bridge
  docker ps --all --quiet --filter "name=^$name" | xargs -r docker rm --force --volumes >/dev/null
  docker network rm "$name" >/dev/null
}

compose() {
  local before bridge
  cd "$work/checkout"
  override
  before=$(volumes)
  Config/secrets.sh
  check 'compose: up --build --wait' docker compose up --build --wait
  db() { docker compose exec -T postgres psql -XqAt -U postgres app -c "$1"; }
  for each in roles migrate grants; do
    check "compose: $each has ended with 0" is "$(docker compose ps --all --format '{{.State}} {{.ExitCode}}' "$each")" 'exited 0'
  done
  check 'compose: check' docker compose exec -T bridge notify-bridge check
  bridge=$(docker compose ps --quiet bridge)
  check 'compose: nothing can be written' is "$(inspect '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}' "$bridge")" 'true [ALL]'
  docker compose exec -T bridge notify-bridge listen --user 42 >"$work/listen" 2>&1 &
  check 'compose: a client connects' within 15 grep -q connection_established "$work/listen"
  check 'compose: the writer inserts' docker compose exec -T -e PGPASSWORD="$(cat secrets/writer_password)" postgres \
    psql -X -h postgres -U notify_bridge_writer app -c "INSERT INTO notification (user_id, data) VALUES (42, '\"one\"') RETURNING id"
  check 'compose: the row arrives' within 15 grep -q '"one"' "$work/listen"
  check 'compose: up again' docker compose up --detach
  check 'compose: leaves the bridge as it is' is "$(docker compose ps --quiet bridge)" "$bridge"
  rm secrets/{owner,bridge,writer}_password
  Config/secrets.sh
  check 'compose: up with new passwords' docker compose up --detach
  docker compose restart postgres >/dev/null 2>&1
  check 'compose: is ready with the new passwords' within 30 answers http://127.0.0.1:8080/readyz 200
  check 'compose: down' docker compose down
  check 'compose: leaves the volume of the database alone' is "$(comm -13 <(sort <<<"$before") <(volumes | sort))" "${name}_database"
  check 'compose: up once more' docker compose up --wait
  check 'compose: has the rows' is "$(db 'SELECT count(*) FROM notification')" 1
  docker compose down --volumes >/dev/null 2>&1
  chmod 600 secrets/owner_url
  check 'compose: an unreadable secret stops it' fails 1 migrate docker compose up --detach
  check 'compose: an unreadable secret is named' says "$(docker compose logs --no-log-prefix migrate)" "owner_url.*can't be read"
  docker compose down --volumes >/dev/null 2>&1
  cd "$OLDPWD"
}

django() {
  local bridge before
  cd "$work/checkout/Clients/django/example"
  override site
  check 'django: up --build' docker compose up --build --detach
  check 'django: the first migrate warns of nothing' is "$(docker compose logs --no-log-prefix site-migrate | grep notify_bridge.W)" ''
  check 'django: the page' within 30 answers http://localhost:8000/log-in/ 200
  check 'django: a message arrives, and the log-out ends the socket' python3 "$work/checkout/Tests/Docker/example.py"
  bridge=$(docker compose ps --quiet bridge)
  check 'django: up again' docker compose up --detach
  check 'django: leaves the bridge as it is' is "$(docker compose ps --quiet bridge)" "$bridge"
  before=$SECONDS
  docker compose stop site >/dev/null 2>&1
  check 'django: the site stops at once' test $((SECONDS - before)) -lt 5
  docker compose down >/dev/null 2>&1
  docker compose up --detach >/dev/null 2>&1
  check 'django: down and up keep the rows' test "$(docker compose exec -T postgres psql -XqAt -U postgres example -c 'SELECT count(*) FROM inbox_notification')" -ge 1
  docker compose down --volumes >/dev/null 2>&1
  cd "$OLDPWD"
}

dev() {
  check 'dev: the image' docker build "${options[@]}" --target dev --tag notify-bridge-dev "$work/checkout"
  docker run --detach --name "$name-dev" -p 127.0.0.1:8080:8080 notify-bridge-dev >/dev/null
  check 'dev: the page' within 60 answers http://localhost:8080/ 200
  check 'dev: is healthy' within 60 healthy "$name-dev"
  check 'dev: names the page' shows "$name-dev" 'page   http://localhost:8080/'
  docker stop --time 30 "$name-dev" >/dev/null
  check 'dev: stops with status 0' is "$(inspect '{{.State.ExitCode}}' "$name-dev")" 0
}

check 'the image is built' docker build "${options[@]}" --tag notify-bridge "$work/checkout"
for part in "${parts[@]}"; do
  case $part in
    image | compose | django | dev) "$part" ;;
    *) echo "error: there is no part $part" >&2; exit 1 ;;
  esac
done
echo "docker: $passed checks passed"
