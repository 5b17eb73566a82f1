#!/bin/sh
# Writes the secrets that compose.yaml reads, with new passwords, and overwrites none.
# The folder is closed; in it the files are open, because each container reads them as its own user.
set -eu
cd "$(dirname "$0")"
if [ -e secrets ]; then
  echo "There are secrets already, in $PWD/secrets; a new Postgres password would lock you out of the volume 'postgres'." >&2
  exit 1
fi
new() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
postgres=$(new) valkey=$(new)
mkdir -m 700 secrets
umask 022
printf %s "$postgres" >secrets/postgres_password
echo "requirepass $valkey" >secrets/valkey.conf
cat >secrets/earshot.toml <<END
# Settings that are secret: docs/reference/settings.md. compose.yaml sets the others.
database_url = "postgresql://earshot:$postgres@postgres/earshot"
broker = "redis://:$valkey@valkey:6379/0"
page_token = "$(new)"
END
echo "Wrote $PWD/secrets. The page at http://127.0.0.1:3001 asks for the token: grep page_token secrets/earshot.toml"
