#!/usr/bin/env bash
# Makes a Debian package with the Swift runtime in it: .build/package/notify-bridge_VERSION_ARCHITECTURE.deb
set -euo pipefail
cd "$(dirname "$0")/.."

swift build -c release --product notify-bridge --explicit-target-dependency-import-check error
program=$(swift build -c release --show-bin-path)/notify-bridge

version=$("$program" --version)
version=${version#notify-bridge }
packaged=$(dpkg-parsechangelog -l Packaging/debian/changelog -S Version)
[ "${packaged%-*}" = "$version" ] || {
  echo "error: Packaging/debian/changelog begins with $packaged, the program is $version" >&2
  exit 1
}

package=.build/package
stage=$package/notify-bridge-$version
rm -rf "$package"
mkdir -p "$stage/lib"
cp -R Packaging/debian CHANGELOG.md "$stage"
# Without an address in it: the service must not start with the example's.
sed 's/^  url: /  # url: /' Config/notify-bridge.yaml >"$stage/notify-bridge.yaml"

Packaging/sbom.py "$version" >"$stage/notify-bridge.spdx.json"

cp "$program" "$stage"
# In place of the toolchain's path: where the package has the runtime.
chrpath -r /usr/lib/notify-bridge "$stage/notify-bridge" >/dev/null
# The runtime is all that is linked and comes from no package of Debian's.
runtime=$(swiftc -print-target-info | python3 -c 'import json, sys; print(json.load(sys.stdin)["paths"]["runtimeLibraryPaths"][0])')
ldd "$program" | awk -v runtime="$runtime/" 'index($3, runtime) == 1 { print $3 }' | xargs cp -t "$stage/lib"
chmod 0644 "$stage"/lib/*

(cd "$stage" && dpkg-buildpackage --build=binary --no-sign --no-pre-clean)
ls "$package"/*.deb
