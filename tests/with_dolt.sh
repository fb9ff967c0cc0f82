#!/usr/bin/env bash
# with_dolt.sh COMMAND... - runs the command with Dolt in its PATH: the one that is there, else one built by tests/dolt.
# Where that is not possible it says so, and Dolt's tests are skipped (with --require-all they fail).
set -euo pipefail
here=$(dirname "$(realpath "$0")")
if [ -n "${DOLT_BIN_PATH:-}" ]; then
  PATH="$PATH:$(dirname "$DOLT_BIN_PATH")"
elif ! command -v dolt >/dev/null; then
  if ! command -v go >/dev/null; then
    echo "no dolt and no go here: Dolt's tests are skipped" >&2
  elif tools=$("$here/dolt/build.sh"); then
    export PATH="$PATH:$tools"
  else
    echo "dolt could not be built: its tests are skipped" >&2
  fi
fi
exec "$@"
