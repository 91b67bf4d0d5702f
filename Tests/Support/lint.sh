#!/usr/bin/env bash
# Checks of form. Each has a known-bad case that it must catch: a check that can't fail is none.
set -uo pipefail
cd "$(dirname "$0")/../.."

passed=0
status=0
bad=$(mktemp -d)
trap 'rm -rf "$bad"' EXIT

# check NAME KNOWN_BAD_FILE COMMAND: the command gets files and must accept ours and refuse the bad one.
check() {
  local name=$1 known_bad=$2 command=$3
  shift 3
  if "$command" "$known_bad" >/dev/null 2>&1; then
    echo "lint: $name accepts its known-bad case" >&2
    status=1
  elif "$command" "$@"; then
    passed=$((passed + 1))
  else
    echo "lint: $name failed" >&2
    status=1
  fi
}

swift_form() { swift format lint --strict --configuration .swift-format --recursive "$@"; }
c_form() { clang-format-14 --style=file:.clang-format --dry-run -Werror "$@"; }
python_form() { Tests/EndToEndTests/.venv/bin/ruff check -q --no-cache "$@"; }
compose_form() { Tests/EndToEndTests/.venv/bin/check-jsonschema -q --builtin-schema vendor.compose-spec "$@"; }
image_form() { Tests/EndToEndTests/.venv/bin/hadolint "$@"; }
# What each folder's kustomization makes, against the schemas of Kubernetes, the oldest supported version first. Of
# ServiceMonitor there is none.
kubernetes_form() {
  local folder version bin=Tests/EndToEndTests/.venv/bin
  for folder in "$@"; do
    "$bin/kubectl" kustomize "$folder" >"$bad/manifests.yaml" || return 1
    for version in 1.30 1.37; do
      "$bin/kubernetes-validate" --strict --quiet --no-warn --kubernetes-version "$version" "$bad/manifests.yaml" || return 1
    done
  done
}
no_leftovers() { ! grep -rnE '\b(TODO|FIXME|XXX|HACK)\b' "$@"; }
no_traps() { ! grep -rnE '\bfatalError\(|\btry!|\bas! ' "$@"; }
no_foundation() { ! grep -rnE '\bimport (struct |class |func |enum )?Foundation' "$@"; }
one_way() { ! grep -rnE 'CNotifyStore|libpq-fe' "$@"; }
# Nested names that Swift and NIO prescribe or every reader expects; any other type has a name of its own.
conventional='Action|CodingKeys|InboundIn|InboundOut|OutboundIn|OutboundOut|State'
one_name_each() {
  local shared
  shared=$(grep -rhoP --include='*.swift' \
    '^\s*(?:@?\w+(?:\([^)]*\))?\s+)*?(?:struct|class|actor|enum|protocol|typealias)\s+(?!func\b|var\b)\K\w+' "$@" |
    grep -vxE "$conventional" | sort | uniq -d)
  [ -z "$shared" ] || { printf 'more than one type is called %s\n' $shared >&2; false; }
}
no_sleeping() { ! grep -rnE 'Task\.sleep|Thread\.sleep|\busleep\(' "$@"; }
references() { Tests/Support/references.py "$@"; }
# The fuzz targets are a package of their own: what it uses is what the bridge uses.
same_versions() {
  local used
  used=$(grep -hE '\.package\(' "$@") && ! grep -vxFf <(grep -E '\.package\(' Package.swift) <<<"$used"
}
figures() { Documentation/images/draw.py --check "$1"; }
# short LIMIT KIND PATH…: no file of that kind has more lines. The generated sql/current.sql may.
short() {
  local limit=$1 kind=$2 long
  shift 2
  long=$(find "$@" -type f -name "*.$kind" -not -path '*/.*/*' -not -path '*/build/*' \
    -not -path sql/current.sql -exec awk -v limit="$limit" 'FNR == limit + 1 { print FILENAME ": more than " limit " lines" }' {} +)
  [ -z "$long" ] || { printf '%s\n' "$long" >&2; false; }
}
short_code() { short 400 "$kind" "$@"; }
short_sql() { short 300 sql "$@"; }

# A server whose encoding lacks a character refuses the whole statement, comments included.
ascii() { ! LC_ALL=C grep -rnP '[^\x00-\x7F]' "$@"; }

printf 'let x = 1;\n\tlet  y=2\n' >"$bad/form.swift"
printf 'int  f ( void ){return 0 ;}\n' >"$bad/form.c"
printf '// %s later\nlet a = try%s f()\n// import CNotify%s\nTask.%s(for: .seconds(1))\n' TODO '!' Store sleep >"$bad/text.swift"
printf '/// Text.\ninternal import FoundationEssentials\n' >"$bad/core.swift"
printf 'struct Row {}\nextension Table {\n  private final class Row {}\n}\n' >"$bad/names.swift"
printf 'import os, sys\nx = l = 1\n' >"$bad/form.py"
printf 'services:\n  web:\n    imaeg: debian\n' >"$bad/compose.yaml"
printf 'FROM debian\nRUN cd /tmp && apt-get install curl\n' >"$bad/Dockerfile"
mkdir "$bad/kubernetes"
printf 'resources: [service.yaml]\n' >"$bad/kubernetes/kustomization.yaml"
printf 'apiVersion: v1\nkind: Service\nmetadata: { name: bad }\nspec: { portz: [] }\n' >"$bad/kubernetes/service.yaml"
yes '--' | head -n 301 >"$bad/long.sql"
printf -- '-- \303\244\n' >"$bad/text.sql"

printf '/// `architecture.md`, "Order and\n/// nothing", has no such section.\n' >"$bad/reference.swift"
printf 'A [link](#nothing) to no heading.\n' >"$bad/link.md"
printf '    .package(url: "https://github.com/apple/swift-nio", exact: "2.0.0"),\n' >"$bad/Package.swift"
mkdir "$bad/figures"

mapfile -t c_files < <(git ls-files '*.c' '*.h')
mapfile -t statements < <(git grep -lE '\.(query|retryLocked)\(' -- 'Sources/*.swift')
mapfile -t layers < <(git ls-files Sources | grep -E '\.swift$' | grep -v '^Sources/NotifyStore/')
check 'Swift format' "$bad/form.swift" swift_form Sources Tests Benchmarks/Micro Fuzzing/Targets Fuzzing/Package.swift Package.swift
check 'C format' "$bad/form.c" c_form "${c_files[@]}"
check 'image' "$bad/Dockerfile" image_form Dockerfile Clients/django/example/Dockerfile
check 'compose files' "$bad/compose.yaml" compose_form compose.yaml Clients/django/example/compose.yaml
check 'Kubernetes' "$bad/kubernetes" kubernetes_form Config/kubernetes/base Config/kubernetes/migrate
check 'Python form' "$bad/form.py" python_form Clients/django
check 'no leftovers' "$bad/text.swift" no_leftovers Sources Tests/*Tests/*.swift sql Benchmarks/src Benchmarks/Micro Benchmarks/MicroSupport Clients/django/src
check 'no traps' "$bad/text.swift" no_traps Sources Benchmarks/Micro
check 'core without Foundation' "$bad/core.swift" no_foundation Sources/NotifyCore
check 'one name for each type' "$bad/names.swift" one_name_each Sources
check 'same versions' "$bad/Package.swift" same_versions Fuzzing/Package.swift
check 'one way' "$bad/text.swift" one_way "${layers[@]}"
check 'tests wait for events' "$bad/text.swift" no_sleeping Tests/*/*.swift
mapfile -t documents < <(git ls-files '*.md')
mapfile -t sources < <(git ls-files Sources sql Tests Benchmarks Clients Config Examples Packaging Makefile Package.swift compose.yaml Dockerfile |
  grep -vE '\.(md|svg|png|json)$|/lint\.sh$')
check 'links of documents' "$bad/link.md" references "${documents[@]}"
check 'references to documents' "$bad/reference.swift" references "${sources[@]}"
check 'figures' "$bad/figures" figures Documentation/images
check 'short SQL files' "$bad/long.sql" short_sql sql Config
check 'SQL in ASCII' "$bad/text.sql" ascii sql/schema sql/functions sql/finish.sql sql/current.sql Config/postgresql Sources/CNotifyStore Sources/NotifyStore "${statements[@]}"
for kind in swift c h py js sh; do
  yes '//' | head -n 401 >"$bad/long.$kind"
  check "short .$kind files" "$bad/long.$kind" short_code Sources Tests Benchmarks Fuzzing/Targets Fuzzing/C Clients Documentation Packaging sql
done

[ "$status" -eq 0 ] && echo "lint: $passed checks passed"
exit "$status"
