#!/usr/bin/env bash
# The command line: exit statuses, what is said on stdout and on stderr, help and what is made of the same tables.  Prints TAP.
set -uo pipefail
runner=$(realpath "${RUNNER:-${BUILD:-build}/runner}")
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
chmod 755 "$here"
cd "$here" || exit 1
export TMPDIR=$here LC_ALL=C
unset NO_COLOR FORCE_COLOR CLICOLOR_FORCE COLUMNS TEST_SHARD_INDEX TEST_TOTAL_SHARDS TEST_SHARD_STATUS_FILE CI_NODE_INDEX CI_NODE_TOTAL \
  XML_OUTPUT_FILE TESTBRIDGE_TEST_ONLY
points=0

point() {                        # OK NAME [DIAGNOSTIC]
  points=$((points + 1))
  if [ "$1" = 0 ]; then echo "ok $points - $2"; else echo "not ok $points - $2"; fi
  [ "$1" = 0 ] || [ -z "${3:-}" ] || sed 's/^/#   /' <<< "$3"
}

ran() {                          # runs runner with these arguments; leaves out, err and status behind
  timeout 60 "$runner" "$@" > out 2> err < /dev/null
  status=$?
}

# What differs from one run to the next, made the same.
constant() { sed -E "/^==[0-9]+==WARNING: ASan doesn't fully support/d; s/\([0-9]+ ms\)/(N ms)/; s|$here|HERE|g; s|runner-[A-Za-z0-9]{6}|runner-X|g; s|^(  to run it again: )[^ ]*|\1runner|"; }

says() {                         # NAME STATUS STDOUT STDERR: of the last run, exactly
  local want got
  want=$(printf 'status %s\n%s\n--- stderr\n%s' "$2" "$3" "$4")
  got=$(printf 'status %s\n%s\n--- stderr\n%s' "$status" "$(constant < out)" "$(constant < err)")
  if [ "$want" = "$got" ]; then point 0 "$1"; else point 1 "$1" "$(diff <(echo "$want") <(echo "$got"))"; fi
}

contains() {                     # NAME FILE TEXT
  if grep -qF -- "$3" "$2"; then point 0 "$1"; else point 1 "$1" "$2 lacks: $3"; fi
}

cat > good.yaml <<'YAML'
tests:
- name: holds
  tags: [quick]
  steps:
  - run: {command: [/bin/echo, hello], stdout: '^hello'}
- name: is skipped
  skip: not yet
  steps:
  - run: {command: [/bin/echo, hello], stdout: '^hello'}
YAML
cat > failing.yaml <<'YAML'
tests:
- name: does not hold
  steps:
  - run: {command: [/bin/echo, hello], exit: nonzero}
YAML
cat > wrong.yaml <<'YAML'
tests:
- name: x
  step: []
  steps:
  - {on: s, exec: SELECT 1}
YAML
mkdir -p dir/nested.yaml empty
cp good.yaml dir/b.yml
cp failing.yaml dir/a.yaml
cp good.yaml dir/notes.txt
cp good.yaml dir/.hidden.yaml

# ---- The command line itself

ran
says 'without arguments: usage' 2 '' 'usage: runner [run] [OPTIONS] FILE|DIR...
       runner check|list|plan FILE|DIR...
runner --help explains more.'
ran --version
says 'the version' 0 "$(cat out)" ''
contains 'the version is one' out 'runner 0.'
ran --tset x good.yaml
says 'an unknown option' 2 '' "runner: unknown option '--tset': did you mean '--test'?"
ran --frobnicate=1 good.yaml
says 'an option like no other' 2 '' "runner: unknown option '--frobnicate'"
ran -x good.yaml
says 'an unknown letter' 2 '' "runner: unknown option '-x'"
ran --keep=yes good.yaml
says 'a value where none is' 2 '' 'runner: --keep has no value'
ran good.yaml --jobs
says 'no value where one is' 2 '' 'runner: --jobs: a value is wanted: N'
ran good.yaml -j
says 'no value for a letter' 2 '' 'runner: --jobs: a value is wanted: N'
ran -j 0 good.yaml
says 'a number out of range' 2 '' "runner: --jobs '0': a whole number from 1 to 4096 is wanted"
ran --timeout-scale nan good.yaml
says 'a factor that is none' 2 '' "runner: --timeout-scale 'nan': a number from 0.01 to 1000 is wanted"
ran --color sometimes good.yaml
says 'a word that is none of the words' 2 '' "runner: --color 'sometimes': one of auto|always|never is wanted"
ran check --keep good.yaml
says 'an option of another command' 2 '' "runner: --keep is no option of 'runner check'"
ran check
says 'a command without its files' 2 '' "runner: 'runner check' wants FILE|DIR..."
ran cleanup x
says 'a command with too many' 2 '' "runner: 'runner cleanup' takes no arguments: 'x'"
ran --report html=x good.yaml
says 'an unknown report' 2 '' "runner: --report 'html=x': there is no report 'html', but tap, junit and jsonl"
ran --report tab=x good.yaml
says 'a report that was meant' 2 '' "runner: --report 'tab=x': there is no report 'tab': did you mean 'tap'?"
ran --report tap good.yaml
says 'a report without a file' 2 '' "runner: --report 'tap': NAME=FILE is wanted"
ran --report tap=- --report junit=- good.yaml
says 'two reports to one place' 2 '' "runner: --report 'junit=-': another report goes there"
ran --shard 3/2 good.yaml
says 'a shard that is not' 2 '' "runner: --shard '3/2': shards count from 1 to 2"
ran -t '/(/' good.yaml
[ "$status" = 2 ]; point $? 'an expression that does not compile'
ran chekc good.yaml
says 'a command that was meant' 2 '' "runner: open 'chekc': No such file or directory; did you mean 'runner check'?"
ran -v run good.yaml
says 'a command after options' 2 '' "runner: the command stands before its options: open 'run': No such file or directory"
ran "$(printf 'no\xff.yaml')"
says 'file names are bytes' 2 '' "runner: open '$(printf 'no\xff.yaml')': No such file or directory"
ran empty
says 'a directory without definitions' 2 '' "runner: the directory 'empty' has no definitions (*.yaml, *.yml)"

# ---- Definitions

ran check good.yaml failing.yaml
says 'check: nothing wrong' 0 '2 files, 3 tests, 0 errors, 0 warnings' ''
ran check wrong.yaml good.yaml
says 'check: all that is wrong, and a count' 2 "wrong.yaml:3:3: unknown key 'step' in a test
  in test 'x'
  hint: did you mean 'steps'?
wrong.yaml:5:10: no server is called 's'
  in step 1 of test 'x'
2 files, 3 tests, 2 errors, 0 warnings" ''
ran good.yaml wrong.yaml
says 'run: nothing is started when one file is wrong' 2 '' "wrong.yaml:3:3: unknown key 'step' in a test
  in test 'x'
  hint: did you mean 'steps'?
wrong.yaml:5:10: no server is called 's'
  in step 1 of test 'x'
runner: 2 errors in the definitions: nothing was started"
ran list dir dir/a.yaml
says 'a directory: its definitions, sorted, each once' 0 'dir/a.yaml:2: does not hold
dir/b.yml:2: holds  (tags: quick)
dir/b.yml:6: is skipped  (skipped: not yet)' ''
ran list --shard 2/2 --skip-tag none dir
says 'list: a shard' 0 'dir/b.yml:2: holds  (tags: quick)' ''
ran list -t hold dir
says 'nothing selected' 4 '' "runner: no test is selected: a name matches as a whole, so perhaps -t '*hold*'"
ran list --tag nothing dir
says 'nothing selected by tag' 4 '' 'runner: no test is selected'
ran list --shard 4/4 dir
says 'nothing in a shard' 4 '' 'runner: no test is selected in shard 4/4'
ran plan failing.yaml
says 'plan' 0 'failing.yaml:2: does not hold
  steps
    1. run /bin/echo hello
         exit status not 0' ''
cat > sql.yaml <<'YAML'
tests:
- name: rows
  needs: {programs: [psql]}
  exclusive: true
  servers:
  - {name: s, command: [sleep, '{{port s}}'], args: [it is], envs: [A=b c], with_files: [{name: f, contents: abc}], log_matches: x+}
  - {name: p, engine: postgresql, settings: {fsync: null, work_mem: 1MB}}
  - {name: r, engine: postgresql, replica_of: p, start: false}
  steps:
  - loop:
      times: 2
      steps:
      - {run: {command: [/bin/true], stdout: a, stderr: [b, c], capture: v}, within: 2s}
  - together:
    - [{kill: s}]
    - [{start: s, when: s is running}]
  - {log: {server: s, matches: a, not_matches: b}, stays: 1s}
  - on: p
    queries:
    - {query: SELECT 1, value: 1}
    - {query: SELECT 2, value: {re: "^2"}}
    - {exec: INSERT, error_code: ["25006", ok], error_match: read.only, times: 3}
    - {query: SELECT a FROM t, result: {columns: [a, b], rows: {or: [[[1, null]], [[x, {approx: [3.14, 0.01]}]]]}, ordered: false}, capture: {v: a}}
    - {exec: DELETE, affected: 2, notices: []}
  - {on: p, session: x, query: SELECT 4, result: {row_count: 3}, timeout: 5s}
  - {on: r, connect_error: {code: "28000", match: no entry}}
  - equal: {on: [p, r], query: SELECT 1}
  - {on: p, exec: SELECT 2, background: z}
  finally:
  - {await: z}
YAML
ran plan sql.yaml
# what the profile says of itself is not this test's
sed -i -E '/^    setting   (fsync = .rem|work_mem)/!{/^    setting|initdb|upstream/d}' out
says 'plan: servers, files, steps within steps, expectations' 0 "$(cat <<'PLAN'
sql.yaml:2: rows
  runs alone on the machine
  needs program psql
  server s
    file      f (3 bytes)
    env       A = 'b c'
    command   sleep '{{port s}}' 'it is'
    log matches /x+/
  server p, postgresql
    setting   fsync = (removed)
    setting   work_mem = 1MB
    command   postgres -D '{{dir "self"}}'
  server r, postgresql, replica of p, started by a step
    create    by postgresql's recipe, from p
    command   postgres -D '{{dir "self"}}'
  steps
    1. loop 2 times
      1.1. run /bin/true, within 2 s
           stdout /a/
           stderr /b/
           stderr /c/
           captures v
    2. together
      2.1.1. kill s
      2.2.1. start s, when s is running
    3. log of s, stays 1 s
         matches /a/
         does not match /b/
    4. query on p: SELECT 1 (and 4 more)
         query: SELECT 1
           value 1
         query: SELECT 2
           value /^2/
         exec: INSERT
           3 times
           error /read.only/
           error code 25006, ok
         query: SELECT a FROM t
           columns a, b
           1 row
             (1, NULL)
           or 1 row
             (x, ~3.14 +- 0.01)
           in any order
           captures v from column a
         exec: DELETE
           no notices
           affected 2
    5. query on p: SELECT 4, timeout 5 s
         row count 3
    6. SQL on r
         the session must not come about
         error /no entry/
         error code 28000
    7. equal p, r
         query: SELECT 1
    8. exec on p: SELECT 2, in the background as z
  finally
    1. await z
PLAN
)" ''

# ---- Runs

ran good.yaml
LC_ALL=C sort -o out out
says 'all passed' 0 '
1 passed, 0 failed, 1 skipped
PASS  holds (N ms)
SKIP  is skipped: not yet' ''
ran run -j 1 failing.yaml
says 'one failed' 1 "$(constant < out)" ''
contains 'the failing name stands before the summary' out 'FAIL  does not hold'
[ "$(tail -n 1 out)" = '0 passed, 1 failed' ]; point $? 'the summary is the last line, alone'
ran --report tap=- --report junit=r.xml --report jsonl=r.jsonl good.yaml
tail -n 1 err > last
mv last err
says 'a report takes stdout, the rest goes to stderr' 0 "$(cat out)" '1 passed, 0 failed, 1 skipped'
contains 'TAP on stdout' out '    ok 2 - is skipped # SKIP not yet'
contains 'JUnit in its file' r.xml '<testcase name="holds" classname="good"'
contains 'events in their file' r.jsonl '"e":"run_ended"'
ran report --report tap=later.tap r.jsonl
says 'report: nothing said when it writes files' 0 '' ''
ran --report tap=now.tap --report jsonl=again.jsonl good.yaml
ran report --report tap=- again.jsonl
cmp -s out now.tap; point $? 'the same report, made later'
ran report r.jsonl again.jsonl
[ "$(tail -n 1 out)" = '2 passed, 0 failed, 2 skipped' ]; point $? 'several runs merged'
head -c -20 again.jsonl > cut.jsonl
ran report cut.jsonl
says 'a torn last line is passed over and told' 0 "$(constant < out)" 'runner: 1 line passed over: cut off, or no events'
ran report good.yaml
says 'report: of something else' 2 '' 'runner: these files have no events of a run'
ran --report tap=/nowhere/x.tap good.yaml
says 'a report that cannot be written' 3 "$(constant < out)" "runner: the tap report: write '/nowhere/x.tap': No such file or directory"
"$runner" list dir > /dev/full 2> err
status=$?
: > out
says 'stdout is full' 3 '' 'runner: write to stdout: No space left on device'
"$runner" good.yaml > /dev/full 2> /dev/null
[ $? = 3 ]; point $? 'stdout is full in a run'

ran --set work_mem=1MB good.yaml
says 'a setting of no engine' 2 '' "runner: --set 'work_mem=1MB': ENGINE.KEY=VALUE is wanted"
ran --set postgresql.=1MB sql.yaml
says 'a setting without a name' 2 '' "runner: --set 'postgresql.=1MB': ENGINE.KEY=VALUE is wanted"
ran --set mariadb.x=1 sql.yaml
says 'a setting that reaches no server' 2 '' \
  "runner: --set 'mariadb.x=1': no selected test has a server of an engine 'mariadb' that takes settings"
ran --user nobody-of-this-name good.yaml
says 'a user who is not' 2 '' "runner: --user 'nobody-of-this-name': there is no user 'nobody-of-this-name'"

# A test that fails the first time.
mkdir -m 777 state
cat > flaky.yaml <<YAML
tests:
- name: fails once
  steps:
  - {run: {command: [/bin/sh, -c, 'test -e $here/state/flag || { touch $here/state/flag; exit 1; }']}}
- name: lacks a program
  needs: {programs: [no-such-program]}
  steps:
  - {run: {command: [/bin/true]}}
YAML
ran --retries 2 -t 'fails*' flaky.yaml
contains 'a retry is told' out "RETRY fails once (attempt 1 failed): step 1: '/bin/sh' exited with status 1"
[ "$status" = 0 ] && [ "$(tail -n 2 out)" = "$(printf '1 flaky (among the passed)\n1 passed, 0 failed')" ]
point $? 'a pass after a failure is flaky, and passes' "$(cat out)"
rm state/flag
ran -j 1 --until-fail -t 'fails*' flaky.yaml
[ "$status" = 1 ] && [ "$(tail -n 2 out)" = "$(printf '999 not run\n0 passed, 1 failed')" ]
point $? 'until-fail ends at a failure' "$(tail out)"
ran --until-fail --repeat 3 -t 'fails*' flaky.yaml
[ "$status" = 0 ] && [ "$(tail -n 1 out)" = '3 passed, 0 failed' ]; point $? 'until-fail ends at the last round' "$(tail out)"
ran -t 'lacks*' flaky.yaml
says 'a missing program skips' 0 "SKIP  lacks a program: program 'no-such-program' was not found in PATH

0 passed, 0 failed, 1 skipped" ''
ran --require-all -t 'lacks*' flaky.yaml
[ "$status" = 1 ] && [ "$(tail -n 1 out)" = '0 passed, 1 failed' ]; point $? 'with --require-all it fails' "$(cat out)"

# A run that a signal ends stops what it started, writes its reports, and ends by that signal.
mkfifo -m 666 began
cat > long.yaml <<YAML
tests:
- name: takes long
  steps:
  - {run: {command: [/bin/sh, -c, 'echo \$\$ > $here/began; exec sleep 1000']}, timeout: 900s}
- name: comes later
  steps:
  - {run: {command: [/bin/true]}}
YAML
"$runner" -j 1 --report tap=stopped.tap --report jsonl=stopped.jsonl long.yaml > out 2> err < /dev/null &
pid=$!
read -r -t 60 sleeper <> began
kill -TERM "$pid"
wait "$pid"
[ $? = 143 ]; point $? 'a run ends by the signal that ended it' "$(cat out err)"
[ "$sleeper" -gt 1 ] && ! kill -0 "$sleeper" 2> /dev/null; point $? 'what it started is gone'
contains 'its report is written' stopped.tap 'not ok 1 - long.yaml'
contains 'its events tell the signal' stopped.jsonl '"signal":15'
contains 'what was not run is counted' out 'not run, stopped by SIGTERM'

# ---- CI systems

TEST_SHARD_INDEX=4 TEST_TOTAL_SHARDS=5 TEST_SHARD_STATUS_FILE=$here/touched ran --shard auto dir
says 'Bazel: an empty shard passes' 0 '' 'runner: no test is in shard 5/5'
[ -e touched ]; point $? 'Bazel: its shard file is touched'
XML_OUTPUT_FILE=bazel.xml TESTBRIDGE_TEST_ONLY='is *' ran run --shard auto good.yaml
says 'Bazel: its filter' 0 'SKIP  is skipped: not yet

0 passed, 0 failed, 1 skipped' ''
contains 'Bazel: its report' bazel.xml '<testcase name="is skipped" classname="good"'
XML_OUTPUT_FILE=unasked.xml TESTBRIDGE_TEST_ONLY='is *' ran list good.yaml
says 'Bazel: not asked for' 0 'good.yaml:2: holds  (tags: quick)
good.yaml:6: is skipped  (skipped: not yet)' ''
CI_NODE_INDEX=2 CI_NODE_TOTAL=2 ran list --shard auto dir
says 'GitLab: the second half' 0 'dir/b.yml:2: holds  (tags: quick)' ''

# ---- Help, the manual page and completions know the same options

ran --help
says 'help goes to stdout' 0 "$(cat out)" ''
grep -oE -- '--[a-z-]+' out | sort -u > of-help
for command in check list plan report cleanup help; do
  ran "$command" --help
  grep -oE -- '^ +(-[a-zA-Z], )?--[a-z-]+' out | grep -oE -- '--[a-z-]+' >> of-help
  contains "help of $command" out "usage: runner $command [OPTIONS]"
done
sort -u -o of-help of-help
ran help --man
cp out runner.1
sed 's/\\-/-/g' runner.1 | grep -oE '^\\fB(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u > of-man
diff of-help of-man > difference; point $? 'the manual page has the options that help has' "$(cat difference)"
if command -v man > /dev/null && command -v groff > /dev/null; then
  LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -l runner.1 > page 2> warnings
  [ ! -s warnings ]; point $? 'the manual page has no faults' "$(cat warnings)"
  for section in 'EXIT STATUS' ENVIRONMENT FILES EXAMPLES; do contains "the manual page: $section" page "$section"; done
fi
for shell in bash fish; do
  ran help --completion "$shell"
  cp out "completion.$shell"
  grep -oE -- '--[a-z-]+| -l [a-z-]+' out | sed 's/ -l /--/' | sort -u | grep -vxE -- '--' > of-shell
  [ -z "$(comm -23 of-help of-shell)" ]; point $? "$shell completes all options" "$(comm -23 of-help of-shell)"
done
bash -n completion.bash; point $? 'the completion is good bash'
complete_words() {
  bash -c "source completion.bash; COMP_WORDS=($1); COMP_CWORD=\$(( \${#COMP_WORDS[@]} - 1 )); _runner; printf '%s\n' \"\${COMPREPLY[@]}\"" | sort | tr '\n' ' '
}
[ "$(complete_words 'runner che')" = 'check ' ]; point $? 'bash completes a command'
[ "$(complete_words 'runner list --s')" = '--shard --skip-tag ' ]; point $? 'bash completes options of the command'
[ "$(complete_words 'runner --color a')" = 'always auto ' ]; point $? 'bash completes words of an option'
[ "$(complete_words 'runner check goo')" = 'good.yaml ' ]; point $? 'bash completes files'
ran help chekc
says 'help of no command' 2 '' "runner: unknown command 'chekc': did you mean 'check'?"

echo "1..$points"
