#!/usr/bin/env bash
# Makes the secrets of compose.yaml, those that are missing: random passwords, and the URLs that contain them.
# The folder is closed to others. Its files are readable because users of the containers read them.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p secrets
chmod 700 secrets
for name in postgres_password owner_password bridge_password writer_password jwt_secret; do
  [ -s "secrets/$name" ] || head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"secrets/$name"
done
printf 'postgresql://notify_bridge_owner:%s@postgres/app\n' "$(cat secrets/owner_password)" >secrets/owner_url
printf 'postgresql://notify_bridge:%s@postgres/app\n' "$(cat secrets/bridge_password)" >secrets/bridge_url
chmod 644 secrets/*
