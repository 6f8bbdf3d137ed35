#!/bin/sh
# /usr/local/bin/touchstone: the command line as the service's user, with the service's environment.
set -eu
set -a
. /etc/touchstone/environment
set +a
export HOME=/var/lib/touchstone
cd "$HOME"
if [ "$(id -un)" = touchstone ]; then
  exec /opt/touchstone/.venv/bin/touchstone "$@"
fi
exec runuser -u touchstone -- /opt/touchstone/.venv/bin/touchstone "$@"
