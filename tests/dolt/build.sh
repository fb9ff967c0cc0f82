#!/usr/bin/env bash
# build.sh [DIR] - builds dolt and dlv into DIR, unless what is there was built from this go.mod and go.sum.
# DIR defaults to the user's cache; root's home is closed to the user that servers run as, so root's default lies in
# /var/cache. Prints DIR. Needs a Go toolchain (1.21 or later, which fetches the right one); the first time takes minutes.
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}
[ "$(id -u)" -ne 0 ] || cache=/var/cache
dir=$(realpath -m "${1:-$cache/runner-tools}")
cd "$(dirname "$0")"
stamp=$(cat go.mod go.sum | sha256sum | cut -d' ' -f1)
if [ "$(cat "$dir/stamp" 2>/dev/null)" != "$stamp" ]; then
  command -v go >/dev/null || { echo "build.sh: go is not installed" >&2; exit 1; }
  echo "building dolt and dlv into $dir" >&2
  mkdir -p "$dir"
  # Without the tag Dolt wants the headers of ICU.
  go build -tags gms_pure_go -o "$dir/" github.com/dolthub/dolt/go/cmd/dolt github.com/go-delve/delve/cmd/dlv >&2
  echo "$stamp" > "$dir/stamp"
fi
# Servers run as an unprivileged user, who must be able to reach the programs.
chmod 755 "$dir" "$dir/dolt" "$dir/dlv"
echo "$dir"
