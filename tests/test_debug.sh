#!/usr/bin/env bash
# Debuggers, driven by their own clients against real servers: breakpoints hit in tests that then pass, held for longer than any
# limit; whichever dies first, and Ctrl-C at each stage, leaves no process, port or directory.  Prints TAP.
set -uo pipefail
runner=$(realpath "${RUNNER:-${BUILD:-build}/runner}")
here=$(mktemp -d)
chmod 755 "$here"
cd "$here" || exit 1
export TMPDIR=$here
# Where tests/dolt/build.sh puts them.
PATH=$PATH:/var/cache/runner-tools:${XDG_CACHE_HOME:-${HOME:-/}/.cache}/runner-tools
unset RUNNER_DEBUG DOLT_SQL_SERVER_TEST_DEBUG
run=0 client=0
cleanup() {
  [ "$client" = 0 ] || kill -KILL "$client" 2>/dev/null
  [ "$run" = 0 ] || { kill -INT "$run" && sleep 1 && kill -INT "$run"; } 2>/dev/null
  wait
  rm -rf "$here"
}
trap cleanup EXIT

cat > debug.yaml <<'YAML'
tests:
- name: mariadb
  timeout: 2s
  servers:
  - {name: primary, engine: mariadb}
  - {name: replica, engine: mariadb, replica_of: primary}
  steps:
  - {on: primary, exec: CREATE TABLE t AS SELECT 1 AS i}
  - sync: {from: primary, to: replica}
  - {on: replica, query: SELECT i FROM t, value: 1, timeout: 1s}

- name: postgresql
  timeout: 2s
  servers:
  - {name: primary, engine: postgresql}
  - {name: standby, engine: postgresql, replica_of: primary}
  steps:
  - {on: primary, session: s, exec: CREATE TABLE t AS SELECT 1 AS i, timeout: 1s}
  - sync: {from: primary, to: standby}
  - {on: standby, query: SELECT i FROM t, value: 1}

- name: lldb by the definition
  timeout: 2s
  servers:
  - {name: db, engine: mariadb, debugger: lldb-server, debug_port: '{{get_port "lldb"}}'}
  steps:
  - {on: db, exec: CREATE TABLE t AS SELECT 1 AS i}
  - {on: db, query: SELECT i FROM t, value: 1}

- name: late postgresql
  timeout: 2s
  servers: [{name: db, engine: postgresql}]
  steps:
  - {on: db, session: s, query: SELECT 1, value: 1, stays: 4s}

- name: late lldb
  timeout: 2s
  servers: [{name: db, engine: mariadb, debugger: lldb-server}]
  steps:
  - {on: db, session: s, query: SELECT 1, value: 1, stays: 4s}

- name: late dlv
  timeout: 2s
  servers: [{name: db, engine: dolt}]
  steps:
  - {on: db, session: s, query: SELECT 1, value: 1, stays: 4s}

- name: clocks
  timeout: 300ms
  servers: [{name: s, command: [sleep, '1000'], ready: none}]
  steps:
  - {run: [sleep, '0.5'], timeout: 100ms}

- name: wrapped
  servers: [{name: s, command: [sh, -c, 'trap "echo told; exit 0" TERM; echo up; while :; do sleep 0.05; done'], ready: {log: ^up$}}]
  steps:
  - run: {command: ['true']}
YAML

cat > dolt.yaml <<'YAML'
tests:
- name: dolt cluster
  multi_repos:
  - name: server1
    with_files:
    - name: server.yaml
      contents: |
        listener: {host: 127.0.0.1, port: {{get_port "server1"}}}
        cluster:
          standby_remotes: [{name: standby, remote_url_template: 'http://localhost:{{get_port "server2_cluster"}}/{database}'}]
          bootstrap_role: primary
          bootstrap_epoch: 1
          remotesapi: {port: {{get_port "server1_cluster"}}}
    server: {args: [--config, server.yaml], dynamic_port: server1, debug_port: 27999}
  - name: server2
    with_files:
    - name: server.yaml
      contents: |
        listener: {host: 127.0.0.1, port: {{get_port "server2"}}}
        cluster:
          standby_remotes: [{name: standby, remote_url_template: 'http://localhost:{{get_port "server1_cluster"}}/{database}'}]
          bootstrap_role: standby
          bootstrap_epoch: 1
          remotesapi: {port: {{get_port "server2_cluster"}}}
    server: {args: [--config, server.yaml], dynamic_port: server2}
  connections:
  - on: server1
    queries:
    - exec: CREATE DATABASE repo1
    - exec: CREATE TABLE repo1.t (i INT PRIMARY KEY)
    - query: SELECT COUNT(*) FROM repo1.t
      result: {columns: ['COUNT(*)'], rows: [['0']]}
  - on: server2
    queries:
    - query: SELECT COUNT(*) FROM repo1.t
      result: {columns: ['COUNT(*)'], rows: [['0']]}
      retry_attempts: 200
YAML

points=0
point() {                        # NAME OK
  points=$((points + 1))
  if [ "$2" = 0 ]; then echo "ok $points - $1"; return; fi
  echo "not ok $points - $1"
  sed 's/^/#   /' out; [ ! -e client.out ] || tail -n 40 client.out | sed 's/^/#   | /'
}
skip() { points=$((points + 1)); echo "ok $points - $1 # SKIP $2 was not found"; }
has() { for program; do [ -n "$(PATH=$PATH:/usr/sbin type -P "$program")" ] || { missing=$program; return 1; }; done; }
has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || has postgres; }

# Begins runner and waits until it has said how to attach: $attach is the command, $port, $dir of the run's files.
begin() {
  rm -f out client.out; : > out
  "$runner" --color never "$@" > out 2>&1 < /dev/null &
  run=$!
  for _ in $(seq 400); do
    attach=$(sed -n 's/^  attach: //p' out | tail -n 1)
    [ -z "$attach" ] || break
    kill -0 $run 2>/dev/null || break
    sleep 0.05
  done
  port=$(sed -n 's/^debug .*127\.0\.0\.1:\([0-9]*\)$/\1/p' out | tail -n 1)
  dir=$(sed -n 's/^  for editors: \(.*\)\/launch\.json,.*/\1/p' out | tail -n 1)
}

# Sets $status; a run that does not end in time is a failure of its own.
finish() {
  for _ in $(seq $((20 * ${1:-30}))); do kill -0 $run 2>/dev/null || break; sleep 0.05; done
  if kill -0 $run 2>/dev/null; then echo 'the run did not end' >> out; kill -INT $run; sleep 2; kill -INT $run 2>/dev/null; fi
  wait $run; status=$?
  run=0
}

# Who works in, or was told of, this directory, but for this script.
left_in() {
  local proc
  for proc in /proc/[0-9]*; do
    [ "$proc" != "/proc/$$" ] || continue
    case "$(readlink "$proc/cwd" 2>/dev/null) $(tr '\0' ' ' < "$proc/cmdline" 2>/dev/null)" in *"$1"*) echo "$proc" ;; esac
  done 2>/dev/null
}

listens() { ss -Hltn "sport = :$1" 2>/dev/null | grep -q .; }

# No process, no listener, no directory but the one that is named as kept.
nothing_left() {
  local top=${dir%/*/debug} bad=0 kept
  kept=$(sed -n 's/^  servers. output, files and configuration kept in: //p' out)
  [ -z "$kept" ] || rm -r "$kept"
  [ -n "$dir" ] || { echo 'nothing was announced' >> out; return 1; }
  [ ! -e "$dir" ] || { echo "left: $dir" >> out; bad=1; }
  [ -z "$(left_in "$top")" ] || { echo "left: $(left_in "$top")" >> out; bad=1; }
  ! listens "$port" || { echo "left: a listener on $port" >> out; bad=1; }
  return $bad
}

passes() { [ "$status" = 0 ] && grep -q "^PASS  $1" out && nothing_left; }
# gdb does this, and then nothing until it is ended.
hold_with() {
  eval "exec timeout -k 1 60 $attach -nx -q -batch $* -ex 'shell sleep 60'" > client.out 2>&1 < /dev/null &
  client=$!
}
let_go() { [ "$client" = 0 ] || { kill "$client"; wait "$client"; } 2>/dev/null; client=0; }
gdb_batch() { eval "timeout 60 $attach -nx -q -batch $*" > client.out 2>&1 < /dev/null; }

# ---- Breakpoints, held for longer than any limit of the test

if has mariadbd gdb gdbserver; then
  begin -t mariadb --debug replica debug.yaml
  python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$dir/launch.json"; point 'launch.json is JSON' $?
  grep -q '"type": "cppdbg".*"program": "/.*mariadbd"' "$dir/launch.json" && grep -q "\"miDebuggerServerAddress\": \"127.0.0.1:$port\"" "$dir/launch.json"
  point 'launch.json has cppdbg with this port' $?
  grep -q "JetBrains: .*127.0.0.1:$port" "$dir/README" && grep -q 'nvim-dap: ' "$dir/README"; point 'README has words for JetBrains and nvim-dap' $?
  ! ss -Hltn | awk '{print $4}' | grep ":$port\$" | grep -qv '^127.0.0.1:'; point 'gdbserver: on the loopback alone' $?
  gdb_batch -ex "'break handle_slave_sql'" -ex continue -ex "'shell sleep 4'" -ex delete -ex continue
  finish
  grep -q 'hit Breakpoint 1.*handle_slave_sql' client.out; point 'gdb, MariaDB replica: breakpoint hit' $?
  passes mariadb; point 'gdb, MariaDB replica: held for 4 s, the test of 2 s passes' $?
else
  for what in json cppdbg words loopback hit passes; do skip "gdb, MariaDB replica: $what" "$missing"; done
fi

if has_postgresql && has gdb gdbserver; then
  begin -t postgresql --debug primary debug.yaml
  gdb_batch -ex "'break standard_ExecutorRun'" -ex continue -ex "'shell sleep 4'" -ex "'bt 1'" -ex delete -ex continue
  finish
  grep -q '^Breakpoint 1, .*standard_ExecutorRun' client.out; point 'gdb, PostgreSQL primary: breakpoint hit in the session’s backend' $?
  passes postgresql; point 'gdb, PostgreSQL primary: held for 4 s, the test of 2 s passes' $?
  begin -t 'late postgresql' --debug-attach db debug.yaml
  sleep 0.5
  gdb_batch -ex "'break standard_ExecutorRun'" -ex continue -ex delete -ex detach
  finish
  grep -q '^Breakpoint 1, .*standard_ExecutorRun' client.out; point 'gdb attached later, PostgreSQL: breakpoint hit' $?
  passes 'late postgresql'; point 'gdb attached later, PostgreSQL: the test passes' $?
else
  for what in 'hit' 'passes' 'later, hit' 'later, passes'; do skip "gdb, PostgreSQL: $what" "${missing:-postgres}"; done
fi

if has mariadbd lldb lldb-server; then
  begin -t 'lldb by the definition' debug.yaml
  grep -q "\"gdb-remote 127.0.0.1:$port\"" "$dir/launch.json"; point 'launch.json has CodeLLDB with this port' $?
  eval "timeout 60 $attach -b -o 'breakpoint set -n mysql_execute_command' -o continue -o 'breakpoint delete -f' -o continue" > client.out 2>&1 < /dev/null
  finish
  grep -q 'stop reason = breakpoint 1' client.out; point 'lldb, MariaDB: breakpoint hit' $?
  passes 'lldb by the definition'; point 'lldb, MariaDB: the test passes' $?
  begin -t 'late lldb' --debug-attach db debug.yaml
  sleep 0.5
  eval "timeout 60 $attach -b -o 'breakpoint set -n mysql_execute_command' -o continue -o 'breakpoint delete -f' -o detach" > client.out 2>&1 < /dev/null
  finish
  grep -q 'stop reason = breakpoint 1' client.out; point 'lldb attached later: breakpoint hit' $?
  passes 'late lldb'; point 'lldb attached later: the test passes' $?
else
  for what in json hit passes 'later, hit' 'later, passes'; do skip "lldb, MariaDB: $what" "$missing"; done
fi

if has dolt dlv; then
  printf '%s\n' 'break sqle.(*Engine).QueryWithBindings' continue clearall 'exit -c' > hit.dlv
  begin dolt.yaml
  [ "$port" = 27999 ]; point 'dlv: the definition’s debug_port' $?
  grep -q '"type": "go", "request": "attach", "mode": "remote", "host": "127.0.0.1", "port": 27999' "$dir/launch.json"; point 'launch.json has Go with this port' $?
  ! ss -Hltn | awk '{print $4}' | grep ":$port\$" | grep -qv '^127.0.0.1:'; point 'dlv: on the loopback alone' $?
  eval "timeout 60 $attach --init hit.dlv" > client.out 2>&1 < /dev/null
  finish
  grep -q 'Breakpoint 1.*QueryWithBindings' client.out; point 'dlv, Dolt server of a cluster: breakpoint hit' $?
  passes 'dolt cluster'; point 'dlv, Dolt server of a cluster: the test passes' $?
  printf '%s\n' 'break sqle.(*Engine).QueryWithBindings' continue clearall exit > hit.dlv
  begin -t 'late dlv' --debug-attach db debug.yaml
  sleep 0.5
  eval "timeout 60 $attach --init hit.dlv" > client.out 2>&1 <<< n
  finish
  grep -q 'Breakpoint 1.*QueryWithBindings' client.out; point 'dlv attached later: breakpoint hit' $?
  passes 'late dlv'; point 'dlv attached later: the test passes' $?
else
  for what in port json loopback hit passes 'later, hit' 'later, passes'; do skip "dlv, Dolt: $what" "$missing"; done
fi

# ---- Whichever dies first

listener_below() { pgrep -u "$(stat -c %U "$dir" 2>/dev/null || id -un)" -f "$1" | while read -r pid; do
  [ "$(readlink "/proc/$pid/cwd" | grep -c "^${dir%/debug}")" = 0 ] || echo "$pid"; done | head -n 1; }

if has mariadbd gdb gdbserver; then
  begin -t mariadb --debug replica debug.yaml
  hold_with -ex "'break handle_slave_sql'" -ex continue
  for _ in $(seq 200); do grep -q 'hit Breakpoint 1' client.out 2>/dev/null && break; sleep 0.05; done
  kill -KILL "$(listener_below '^[^ ]*gdbserver --once')"
  finish
  let_go
  [ "$status" = 1 ] && grep -q "the debugger of server 'replica' (gdbserver) was killed by signal 9 (SIGKILL), and the server with it" out
  point 'gdbserver killed: the verdict says so' $?
  nothing_left; point 'gdbserver killed: the server is gone, too' $?
else
  for what in says gone; do skip "gdbserver killed: $what" "$missing"; done
fi

if has dolt dlv; then
  begin dolt.yaml
  kill -KILL "$(listener_below 'dlv --listen')"
  finish
  [ "$status" = 1 ] && grep -q "the debugger of server 'server1' (dlv) was killed by signal 9 (SIGKILL), and the server with it" out
  point 'dlv killed: the verdict says so' $?
  nothing_left; point 'dlv killed: the server is gone, too' $?
else
  for what in says gone; do skip "dlv killed: $what" "$missing"; done
fi

# ---- Ctrl-C

interrupted() {                  # WHAT
  kill -INT $run
  finish 10
  let_go
  [ "$status" = 130 ] && ! grep -q 'did not end' out && nothing_left; point "Ctrl-C: $1" $?
}

if has mariadbd gdb gdbserver; then
  begin -t mariadb --debug replica debug.yaml
  sleep 3
  kill -0 $run; point 'no client comes: the test of 2 s waits' $?
  interrupted 'no client has come to gdbserver'
  begin -t mariadb --debug replica debug.yaml
  hold_with
  for _ in $(seq 200); do grep -q '_start' client.out 2>/dev/null && break; sleep 0.05; done
  interrupted 'held at its entry'
  begin -t mariadb --debug replica debug.yaml
  hold_with -ex "'break handle_slave_sql'" -ex continue
  for _ in $(seq 200); do grep -q 'hit Breakpoint 1' client.out 2>/dev/null && break; sleep 0.05; done
  interrupted 'held at a breakpoint'
else
  for what in waits 'no client' entry breakpoint; do skip "Ctrl-C: $what" "$missing"; done
fi
if has_postgresql && has gdb gdbserver; then
  begin -t postgresql --debug primary debug.yaml
  interrupted 'a session waits for gdb'
  begin -t postgresql --debug primary debug.yaml
  hold_with -ex "'break standard_ExecutorRun'" -ex continue
  for _ in $(seq 200); do grep -q '^Breakpoint 1, ' client.out 2>/dev/null && break; sleep 0.05; done
  interrupted 'a backend is held at a breakpoint'
else
  for what in session backend; do skip "Ctrl-C: $what" "${missing:-postgres}"; done
fi
if has dolt dlv; then
  begin dolt.yaml
  interrupted 'no client has come to dlv'
else
  skip 'Ctrl-C: dlv' "$missing"
fi

# ---- Without a debugger

rm -f client.out
"$runner" --color never -t clocks debug.yaml > out 2>&1; [ $? = 1 ]; point 'a limit counts' $?
RUNNER_DEBUG=1 "$runner" --color never -t clocks debug.yaml > out 2>&1; point 'RUNNER_DEBUG=1: no limit counts' $?
RUNNER_DEBUG=0 "$runner" --color never -t clocks debug.yaml > out 2>&1; [ $? = 1 ]; point 'RUNNER_DEBUG=0: limits count' $?
DOLT_SQL_SERVER_TEST_DEBUG=1 "$runner" --color never -t clocks debug.yaml > out 2>&1; [ $? = 1 ]; point 'Dolt’s variable is for its dialect alone' $?
"$runner" --color never --keep -t wrapped --wrap "s=setsid --fork --wait" debug.yaml > out 2>&1
[ $? = 0 ] && grep -q '^told$' "$(find . -path '*wrapped*' -name s.log)"; point '--wrap: the server is signalled, not the wrapper' $?
refused() { "$runner" "${@:3}" > out 2>&1; [ $? = 2 ] && grep -qF -- "$2" out; point "$1" $?; }
refused 'no such server' "'nobody' cannot be debugged or wrapped: no selected test starts a server of this name" --debug nobody debug.yaml
refused 'no such port' "--debug 's:70000': '70000' is no port" --debug s:70000 debug.yaml
refused 'one port for all' "--debug 'all:7000': all servers cannot have one port" --debug all:7000 debug.yaml
refused 'no command' "--wrap 's=': SERVER=COMMAND is wanted" --wrap s= debug.yaml
"$runner" --color never -t wrapped --wrap s=no-such-program-here debug.yaml > out 2>&1
[ $? != 0 ] && grep -q "program 'no-such-program-here' was not found" out; point 'a wrapper that is missing' $?
"$runner" --color never -t wrapped --debug s debug.yaml > out 2>&1
[ $? != 0 ] && grep -q "server 's' cannot be debugged: neither it nor its engine names a 'debugger'" out; point 'a server without a debugger' $?
"$runner" --color never -t clocks --wrap 's=env A=b' --seed 7 debug.yaml > out 2>&1
[ $? = 1 ] && grep -qxF "  to run it again: $runner -t 'clocks' --wrap 's=env A=b' --seed 7 'debug.yaml'" out
point 'a failure says how to have it again, wrapper and seed included' $?
"$runner" --color never -t wrapped --repeat 3 --until-fail debug.yaml > out 2>&1
[ $? = 0 ] && grep -qE '^wrapped: 3 rounds of [0-9.]+ m?s to [0-9.]+ m?s, half of them within [0-9.]+ m?s$' out
point 'how long the rounds took is said' $?
echo "1..$points"
