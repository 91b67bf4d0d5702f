# shellcheck shell=bash
# Which Pythons and Djangos the package is tested with. Source this file, then:
#
#   django_environments           prints a line for each: its name, its Python, its packages
#   django_environments_install   makes those that are missing, in Clients/django/.venvs

django_environments__folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.venvs

# Prints the first of these Pythons that is there and can make an environment.
django_environments__python() {
  local version found
  for version in "$@"; do
    for found in "$(command -v "python$version")" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python3; do
      if [ -x "$found" ] && "$found" -c 'import ensurepip, sys; sys.exit(f"%d.%d" % sys.version_info[:2] != "'"$version"'")' \
        2>/dev/null; then
        echo "$found"
        return 0
      fi
    done
  done
  return 1
}

django_environments() {
  local python
  python=$(django_environments__python 3.10 3.11 3.12) && echo "oldest $python Django==4.2.30 psycopg2-binary==2.9.13"
  if python=$(django_environments__python 3.13 3.12 3.14); then
    echo "newest $python Django==6.1.3 psycopg[binary]==3.3.9"
  else # an older Python ends at the version with long support
    echo "newest $(command -v python3) Django==5.2.19 psycopg[binary]==3.3.9"
  fi
}

django_environments_install() {
  local name python packages folder
  while read -r name python packages; do
    folder=$django_environments__folder/$name
    [ "$(cat "$folder/installed.txt" 2>/dev/null)" = "$packages" ] && continue
    rm -rf "$folder"
    "$python" -m venv "$folder" || return 1
    # shellcheck disable=SC2086  # a list of words
    "$folder/bin/pip" install -q --disable-pip-version-check $packages pytest==9.2.0 pytest-django==4.14.0 || return 1
    printf '%s' "$packages" >"$folder/installed.txt"
  done < <(django_environments)
}
