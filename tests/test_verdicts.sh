#!/usr/bin/env bash
# What `runner run` says of definitions that hold and of definitions that do not, from end to end.  Prints TAP.
#
#   tests/verdicts/NAME.yaml      a definition; {{env MISBEHAVE}} is the program of tests/misbehave.c
#   tests/verdicts/NAME.expected  what `runner run -j 1 NAME.yaml` prints on its terminal, stderr after stdout, then `exit N`
#   tests/verdicts/NAME.options   further options of that run, when there are any; words, as in a shell
#   tests/verdicts/NAME.mask      a sed script for what only this file has and no two runs have the same
#
# Pairs are run $JOBS at a time (twice as many as there are cores: they mostly wait), each for at most $LIMIT seconds (120),
# each in a directory of its own, which has to be empty when all passed.  A pair whose tests were skipped for a program that
# is not installed is skipped.
#   tests/test_verdicts.sh NAME...              only these
#   UPDATE=1 tests/test_verdicts.sh [NAME...]   writes the .expected files anew, for review
set -uo pipefail
runner=$(realpath "${RUNNER:-${BUILD:-build}/runner}")
misbehave=$(realpath "${MISBEHAVE:-${BUILD:-build}/tests/misbehave}")
cd "$(dirname "$0")/verdicts" || exit 1
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
chmod 755 "$here"
install -m 755 "$misbehave" "$here/misbehave"        # where the servers' user can reach it
ulimit -c 0                                           # a message tells when a core was dumped
export MISBEHAVE=$here/misbehave LC_ALL=C COLUMNS=120
unset NO_COLOR FORCE_COLOR CLICOLOR_FORCE XDG_RUNTIME_DIR
missing="^SKIP .*program '.* was not found"
jobs=${JOBS:-$((2 * $(nproc)))} limit=${LIMIT:-120}

# What differs from one run to the next, made the same: directories, times, pids, ports.  Columns that were padded end as one.
constant() {
  sed -E "s|$here/tmp\.$1|TMP|g; s|$here|HERE|g; s|runner-[A-Za-z0-9]{6}\b|runner-X|g
          s|^(  to run it again: )[^ ]*|\1runner|; s| --seed [0-9]+||
          s/\(([0-9.]+ (ms|s|min)|[0-9]+:[0-9]+ min)(, [0-9]+ attempts)?\)/(TIME\3)/g
          s/[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{5,8}(\.[0-9]+)?/DATE/g
          s/\b[0-9]+(\.[0-9]+)? (ms|s)\b/TIME/g
          s/\btried [0-9]+ times/tried N times/; s/\bfrom byte [1-9][0-9]*/from byte N/
          s/\b([Pp]id|[Pp]ort) [0-9]+/\1 N/g; s/(127\.0\.0\.1|localhost):[0-9]+/\1:N/g
          s/ {3,}([^ ]*\.yaml:[0-9:]+)$/   \1/"
}

run_one() {
  local name=$1 tmp=$here/tmp.$1 status
  local -a options=()
  mkdir -m 755 "$tmp"
  [ ! -e "$name.options" ] || read -r -a options < "$name.options"
  TMPDIR=$tmp timeout --kill-after=20 "$limit" "$runner" run -j 1 "${options[@]}" "$name.yaml" > "$here/$name.out" 2> "$here/$name.err" < /dev/null
  status=$?
  sed -i "/^==[0-9]*==WARNING: ASan doesn't fully support/d" "$here/$name.err"
  { cat "$here/$name.out"
    [ ! -s "$here/$name.err" ] || { echo '--- stderr'; cat "$here/$name.err"; }
    echo "exit $status"
    [ "$status" != 0 ] || (cd "$tmp" && find . -mindepth 1 ! -path './runner-[0-9]*' | sed 's/^/left behind: /')
  } | constant "$name" | if [ -e "$name.mask" ]; then sed -E -f "$name.mask"; else cat; fi > "$here/$name.got"
  rm -rf "$tmp"
  : > "$here/$name.done"
}

judge() {
  local name=$1
  if [ -n "${UPDATE:-}" ]; then cp "$here/$name.got" "$name.expected"; fi
  if diff "$name.expected" "$here/$name.got" > "$here/diff" 2>&1; then
    echo "ok $2 - $name"
  elif grep -qE "$missing" "$here/$name.got" && ! grep -qsE "$missing" "$name.expected"; then
    echo "ok $2 - $name # SKIP $(grep -oE "program '[^']*'.* was not found" "$here/$name.got" | head -n 1)"
  else
    echo "not ok $2 - $name"
    sed 's/^/#   /' "$here/diff"
    failed=1
  fi
}

names=("$@")
[ $# -gt 0 ] || for file in *.yaml; do names+=("${file%.yaml}"); done
failed=0 n=0
for name in "${names[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
  run_one "$name" &
done
wait
for name in "${names[@]}"; do
  n=$((n + 1))
  judge "$name" "$n"
done
echo "1..$n"
exit "$failed"
