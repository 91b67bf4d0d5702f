#!/usr/bin/env bash
# Installs the package in a fresh Debian 12 (a folder of its own), tries it there, removes and purges it.
set -euo pipefail
cd "$(dirname "$0")/.."

# Mounts belong to a namespace of their own, so none is left behind.
if [ -z "${PACKAGE_TEST_NAMESPACE:-}" ]; then
  run=()
  [ "$(id -u)" -eq 0 ] || run=(sudo)
  exec "${run[@]}" env PACKAGE_TEST_NAMESPACE=1 unshare --mount "$0" "$@"
fi

# shellcheck source=Tests/Support/private_cluster.sh
. Tests/Support/private_cluster.sh

deb=(.build/package/notify-bridge_*.deb)
[ "${#deb[@]}" -eq 1 ] && [ -f "${deb[0]}" ] || {
  echo 'error: there is no package: make package' >&2
  exit 1
}

work=$(mktemp -d)
root=$work/root
bridge=
finish() {
  [ -z "$bridge" ] || kill "$bridge" 2>/dev/null || true
  private_cluster_remove
  mountpoint -q "$root/proc" && umount "$root/proc"
  rm -rf "$work"
}
trap finish EXIT

passed=0
check() {
  local name=$1
  shift
  "$@" || {
    echo "package: FAILED: $name" >&2
    exit 1
  }
  passed=$((passed + 1))
  echo "package: $name"
}

inside() {
  chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
service=(chroot --userspec=notify-bridge:notify-bridge "$root" env -i PATH=/usr/bin:/bin)

# exits STATUS PATTERN COMMAND…: the command ends with this status, and says this.
exits() {
  local status=0 wanted=$1 pattern=$2
  shift 2
  "$@" >"$work/output" 2>&1 || status=$?
  [ "$status" -eq "$wanted" ] && [[ $(<"$work/output") =~ $pattern ]] || {
    echo "exit status $status:" >&2
    cat "$work/output" >&2
    return 1
  }
}

# appears PATTERN FILE: a line comes within 20 seconds.
appears() {
  timeout 20 grep -qm1 -E "$1" < <(exec tail -n +1 -f --pid=$$ "$2") || {
    cat "$2" >&2
    return 1
  }
}

# Files but those of dpkg, apt and their like, which remember what was there.
files() {
  local skipped
  skipped=$(printf -- "-path $root/%s -o " proc run tmp var/cache var/log var/lib/apt var/lib/dpkg)
  # shellcheck disable=SC2086
  find "$root" -xdev \( $skipped -name '*.deb' \) -prune -o -print | sort
}

lint() { lintian --allow-root --fail-on error,warning "${deb[0]}"; }
check 'lintian finds neither errors nor warnings' lint

echo 'package: making a Debian 12'
debootstrap --variant=minbase bookworm "$root" >"$work/debootstrap.log" 2>&1 || {
  tail -n 20 "$work/debootstrap.log" >&2
  exit 1
}
mount -t proc proc "$root/proc"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
cp "${deb[0]}" "$root/notify-bridge.deb"

inside apt-get update -q >/dev/null
# What the package depends on first, so that a comparison shows the package's own files.
depends=$(dpkg-deb -f "${deb[0]}" Depends | tr ',' '\n' | sed 's/|.*//; s/(.*//; s/ //g')
# shellcheck disable=SC2086
inside apt-get install -y -q --no-install-recommends $depends >"$work/apt.log" 2>&1
files >"$work/before"
inside apt-get install -y -q --no-install-recommends /notify-bridge.deb >"$work/install.log" 2>&1 || {
  tail -n 20 "$work/install.log" >&2
  exit 1
}

check 'installing says what to do next' grep -q 'systemctl start notify-bridge' "$work/install.log"
check 'the service is enabled' test -L "$root/etc/systemd/system/multi-user.target.wants/notify-bridge.service"
check 'its user exists' exits 0 'notify-bridge:' inside getent passwd notify-bridge
check 'only root reads the file with secrets' test "$(stat -c '%a %U' "$root/etc/default/notify-bridge")" = '640 root'
check 'its unit is valid' exits 0 '.*' inside systemd-analyze verify --man=no notify-bridge.service
check 'its unit is as confined as systemd calls OK' exits 0 '(1|0)\.[0-9] OK' inside systemd-analyze security --offline=true --threshold=20 --no-pager notify-bridge.service
check 'its parts are listed' zgrep -q '"spdxVersion": "SPDX-2.3"' "$root/usr/share/doc/notify-bridge/notify-bridge.spdx.json.gz"
check 'it runs without a toolchain' exits 0 'notify-bridge [0-9]' "${service[@]}" notify-bridge --version

serve=(notify-bridge serve --config /etc/notify-bridge/notify-bridge.yaml)
check 'as installed it has no configuration (78)' exits 78 'DATABASE_URL' "${service[@]}" "${serve[@]}"
check 'a check without a database fails (1)' exits 1 '127.0.0.1' \
  "${service[@]}" DATABASE_URL=postgresql://postgres@127.0.0.1:1/nowhere NOTIFY_BRIDGE_AUTH_JWT_SECRET=secret notify-bridge check

private_cluster_start
: >"$work/serve.log" >"$work/listen.log"
settings=(DATABASE_URL="$PRIVATE_CLUSTER_URL" NOTIFY_BRIDGE_AUTH_JWT_SECRET=package-tests-package-tests-package-tests)
check 'migrate fills a database' exits 0 '.*' "${service[@]}" "${settings[@]}" notify-bridge migrate
"${service[@]}" "${settings[@]}" NOTIFY_BRIDGE_HTTP_PORT=0 "${serve[@]}" >"$work/serve.log" 2>&1 &
bridge=$!
check 'it listens' appears '^listening on http://' "$work/serve.log"
address=$(sed -n 's/^listening on http/ws/p' "$work/serve.log")
"${service[@]}" "${settings[@]}" notify-bridge listen --user 1 --url "$address/ws/notifications/" >"$work/listen.log" 2>&1 &
listener=$!
check 'a client is connected' appears 'connection_established' "$work/listen.log"
check 'a row is inserted' exits 0 '.*' "${service[@]}" "${settings[@]}" notify-bridge send --user 1 --data '"from the package"'
check 'the row arrives' appears 'from the package' "$work/listen.log"
kill "$bridge"
stopped() { wait "$bridge"; }
check 'SIGTERM ends it with status 0' stopped
bridge=
kill "$listener" 2>/dev/null || true

inside apt-get remove -y -q notify-bridge >"$work/remove.log" 2>&1
check 'removing keeps the configuration' test -f "$root/etc/default/notify-bridge"
check 'removing removes the program' test ! -e "$root/usr/bin/notify-bridge"
inside apt-get purge -y -q notify-bridge >"$work/purge.log" 2>&1
files >"$work/after"
check 'purging leaves no file' diff "$work/before" "$work/after"
no_user() { ! inside getent passwd notify-bridge; }
check 'purging removes the user' no_user

echo "package: $passed checks passed"
