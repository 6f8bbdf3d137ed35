#!/bin/bash
# backup.sh TARGET: the database, then what names files, then the files, into the new folder TARGET. The service may run on.
#
# The database comes first: whatever it records has its files by then. Pointers (CURRENT, CHAMPION) come before the folders
# that they name, and these are never changed. Of what is handed in the files of single hand-ins come before compacted ones, which
# take their place. Hidden files are locks, and what killed runs left.
set -euo pipefail
target=$(realpath "${1:?Usage: backup.sh TARGET}")
: "${TOUCHSTONE_HOME:?TOUCHSTONE_HOME is not set. Give the folder of the workspace.}"
umask 077
mkdir "$target" "$target/workspace"

copy_sqlite() { # A snapshot of a database that others write to; its -wal and -shm files belong to the original.
  python3 -c 'import sqlite3, sys
source, copy = (sqlite3.connect(name, timeout=60) for name in sys.argv[1:])
source.backup(copy)' "$1" "$2"
}

copy_files() { # tar exits with 1, and goes on, where a file changed or went meanwhile.
  { tar --create --warning=no-file-changed --warning=no-file-removed "$@" || [ $? = 1 ]; } |
    tar --extract --directory="$target/workspace"
}

case ${TOUCHSTONE_DATABASE_URL:-} in
  postgresql*) pg_dump --format=custom --file="$target/database.dump" "${TOUCHSTONE_DATABASE_URL/#postgresql+psycopg:/postgresql:}" ;;
esac
cd "$TOUCHSTONE_HOME"
shopt -s nullglob
for database in *.db; do copy_sqlite "$database" "$target/workspace/$database"; done
pointers=(*/CURRENT */CHAMPION)
[ ${#pointers[@]} = 0 ] || copy_files "${pointers[@]}"
copy_files --exclude='.[!/]*' --exclude='*.db' --exclude='*.db-wal' --exclude='*.db-shm' --exclude=CURRENT --exclude=CHAMPION \
  --exclude=./service --exclude=./results --exclude=./handed_in .
for kind in r c; do
  files=(results/$kind-*.parquet handed_in/*/$kind-*.parquet)
  [ ${#files[@]} = 0 ] || copy_files --ignore-failed-read --warning=no-failed-read "${files[@]}"
done
for pointer in "${pointers[@]}"; do
  named="$target/workspace/${pointer%/*}/$(cat "$target/workspace/$pointer")"
  if [ ! -e "$named" ]; then
    echo "$named was replaced while it was copied. Delete $target, and back up when no night is at work." >&2
    exit 1
  fi
done
