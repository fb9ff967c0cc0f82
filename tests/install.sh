#!/usr/bin/env bash
# install.sh - installs by apt-get what building and testing need and this machine lacks. Says what it installs, starts no
# service, and does nothing when all is there. Names are those of Debian 12 and of Ubuntu 22.04 and later.
set -euo pipefail

# what to look for: a command, a path, pc:MODULE of pkg-config, py:MODULE of /usr/bin/python3; then the package that has it
wanted() {
  cat <<'END'
cc                                    gcc
make                                  make
pkg-config                            pkg-config
pc:glib-2.0                           libglib2.0-dev
pc:libsystemd                         libsystemd-dev
pc:yaml-0.1                           libyaml-dev
pc:libpcre2-8                         libpcre2-dev
pc:libpq                              libpq-dev
pc:libmariadb                         libmariadb-dev
pc:json-glib-1.0                      libjson-glib-dev
pc:libcurl                            libcurl4-openssl-dev
/usr/lib/postgresql/*/bin/initdb      postgresql
mariadbd                              mariadb-server
gdb                                   gdb
gdbserver                             gdbserver
lldb                                  lldb
ss                                    iproute2
openssl                               openssl
/usr/bin/python3                      python3
py:yaml                               python3-yaml
py:jsonschema                         python3-jsonschema
END
}

there() {
  case $1 in
    pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
    py:*) /usr/bin/python3 -c "import ${1#py:}" 2>/dev/null ;;
    /*) compgen -G "$1" >/dev/null ;;
    *) PATH=$PATH:/usr/sbin command -v "$1" >/dev/null ;;
  esac
}

missing() {
  wanted | while read -r what package; do
    there "$what" || echo "$package"
  done
}

# As root. policy-rc.d is how a package's scripts are told to start no service; one that was there comes back.
install_packages() {
  local policy=/usr/sbin/policy-rc.d
  saved=
  if [ -e "$policy" ] || [ -L "$policy" ]; then
    saved=$policy.saved-by-install
    mv "$policy" "$saved"
  fi
  trap 'rm -f /usr/sbin/policy-rc.d; [ -z "$saved" ] || mv "$saved" /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get install -q -y --no-install-recommends "$@"
}

if [ "${1:-}" = --packages ]; then
  shift
  install_packages "$@"
  exit
fi

mapfile -t packages < <(missing)
[ "${#packages[@]}" -gt 0 ] || exit 0
if ! command -v apt-get >/dev/null; then
  echo "install.sh: missing here, and there is no apt-get to install it: ${packages[*]}" >&2
  exit 1
fi
echo "installing ${packages[*]}"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
"${as_root[@]}" "$(realpath "$0")" --packages "${packages[@]}"
mapfile -t packages < <(missing)
if [ "${#packages[@]}" -gt 0 ]; then
  echo "install.sh: still missing: ${packages[*]}" >&2
  exit 1
fi
