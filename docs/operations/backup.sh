#!/bin/sh
# backup.sh TARGET: the database, then what names files, then the files, into the new folder TARGET; the service may run on.
#
# The database comes first: whatever it records has its files by then. Pointers (CURRENT, CHAMPION) come before the folders
# that they name, which are never changed, and which stay for a day after newer ones took their place.
set -eu
target=${1:?Usage: backup.sh TARGET}
: "${TOUCHSTONE_HOME:?TOUCHSTONE_HOME is not set. Give the folder of the workspace.}"
umask 077
mkdir "$target" "$target/workspace"

copy_sqlite() { # A snapshot of a database that others write to; its -wal and -shm files belong to the original.
  python3 -c 'import sqlite3, sys
source, copy = (sqlite3.connect(name, timeout=60) for name in sys.argv[1:])
source.backup(copy)' "$1" "$2"
}

case ${TOUCHSTONE_DATABASE_URL:-} in
  postgresql*) pg_dump --format=custom --file="$target/database.dump" \
    "$(printf %s "$TOUCHSTONE_DATABASE_URL" | sed 's/^postgresql+psycopg:/postgresql:/')" ;;
esac
cd "$TOUCHSTONE_HOME"
for database in *.db; do
  if [ -f "$database" ]; then copy_sqlite "$database" "$target/workspace/$database"; fi
done
find . -type f \( -name CURRENT -o -name CHAMPION \) -print0 |
  tar --create --null --files-from=- --file=- | tar --extract --file=- --directory="$target/workspace"
# Caches, locks, and what a killed run left are made anew. GNU tar exits 1 where a file changed meanwhile: logs, hand-ins.
tar --create --file=- --warning=no-file-changed --warning=no-file-removed \
  --exclude='*.db' --exclude='*.db-wal' --exclude='*.db-shm' --exclude=CURRENT --exclude=CHAMPION \
  --exclude=./service --exclude='./.spill' --exclude='./.ingest' --exclude='*.lock' . |
  tar --extract --file=- --directory="$target/workspace"
for pointer in $(cd "$target/workspace" && find . -type f \( -name CURRENT -o -name CHAMPION \)); do
  named="$target/workspace/$(dirname "$pointer")/$(cat "$target/workspace/$pointer")"
  if [ ! -e "$named" ]; then
    echo "$named was replaced while it was copied. Delete $target and back up when no night is running." >&2
    exit 1
  fi
done
