#!/usr/bin/env bash
# How PostgreSQL replicas of a test come about: copied from an upstream that has not run yet, or, once its `init` has, by
# a backup. pg_basebackup leaves backup_label.old behind, so a replica tells which it was.  Prints TAP.
set -uo pipefail
runner=$(realpath "${RUNNER:-${BUILD:-build}/runner}")
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
chmod 755 "$here"
cd "$here" || exit 1
export TMPDIR=$here

cat > clone.yaml <<'YAML'
tests:
- name: copied before the first start, in a chain too
  servers:
  - {name: leaf, engine: postgresql, replica_of: middle}
  - {name: middle, engine: postgresql, replica_of: primary}
  - name: primary
    engine: postgresql
    with_files: [{name: note, contents: from the primary}]
    settings: {work_mem: 7MB}
  steps:
  - {on: primary, exec: CREATE TABLE t AS SELECT 1 AS i}
  - sync: {from: primary, to: [middle, leaf]}
  - {on: [middle, leaf], query: SELECT i FROM t, value: 1}
  - {on: [middle, leaf], query: SHOW work_mem, value: 4MB}
  - run: {server: middle, command: [cat, '{{dir middle}}/note'], stdout: '^from the primary$'}
  - run: {server: leaf, command: [cat, '{{dir leaf}}/note'], stdout: '^from the primary$'}
  - run: {server: middle, command: [ls, '{{dir middle}}/backup_label.old'], exit: 2}
  - run: {server: leaf, command: [ls, '{{dir leaf}}/backup_label.old'], exit: 2}
  - {on: leaf, query: "SELECT count(*) FROM pg_stat_wal_receiver WHERE sender_port = {{port middle}}", value: 1}

- name: after init by a backup
  servers:
  - {name: primary, engine: postgresql, init: [CREATE TABLE t AS SELECT 1 AS i]}
  - {name: standby, engine: postgresql, replica_of: primary}
  - {name: behind, engine: postgresql, replica_of: standby}
  steps:
  # Without a sync: what init wrote is there from the beginning.
  - {on: [standby, behind], query: SELECT i FROM t, value: 1}
  - run: {server: standby, command: [ls, '{{dir standby}}/backup_label.old']}
  - {on: primary, exec: INSERT INTO t VALUES (2)}
  - sync: {from: primary, to: behind}
  - {on: behind, query: SELECT count(*) FROM t, value: 2}

- name: an upstream that cannot be made ends the test with its own reason
  servers:
  - {name: primary, engine: postgresql, create_args: [--no-such-option]}
  - {name: standby, engine: postgresql, replica_of: primary}
  steps:
  - {on: standby, query: SELECT 1, value: 1}

- name: a replica that cannot be made does too
  servers:
  - {name: primary, engine: postgresql}
  - {name: standby, engine: postgresql, replica_of: primary, prepare: [[/bin/sh, -c, exit 3]]}
  steps:
  - {on: standby, query: SELECT 1, value: 1}
YAML

echo 1..6
n=0
point() {                        # NAME OK
  n=$((n + 1))
  if [ "$2" = 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; sed 's/^/#   /' out; fi
}
run() { timeout 120 "$runner" "$@" clone.yaml > out 2>&1 < /dev/null; status=$?; }

run --test 'copied before*'
point 'a copy of what has not run yet' "$status"
run --test 'after init*'
point 'a backup of what init wrote' "$status"
run --test 'an upstream that*'
[ "$status" = 1 ] || [ "$status" = 3 ]; point 'an upstream that cannot be made: status' $?
grep -q "create server 'primary'" out; point 'an upstream that cannot be made: its reason' $?
run --test 'a replica that*'
[ "$status" = 1 ] || [ "$status" = 3 ]; point 'a replica that cannot be made: status' $?
grep -q "prepare server 'standby'" out; point 'a replica that cannot be made: its reason' $?
