#!/usr/bin/env bash
# run.sh PROGRAM... - runs test programs that print TAP, $JOBS at a time, each for at most $LIMIT seconds. What a failing one
# printed is shown whole. The last line counts test points: `N passed, N failed, N skipped`.
set -uo pipefail
limit=${LIMIT:-300}
jobs=${JOBS:-$(nproc)}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
passed=0 failed=0 skipped=0

run_one() {
  timeout --kill-after=10 "$limit" "$1" > "$out/$2" 2>&1 < /dev/null
  echo $? > "$out/$2.status"
}

# A point that fails, a plan that is not kept, and a bad exit without either are failures.
judge() {
  local program=$1 log=$out/$2 status ok not_ok skip planned bad
  status=$(cat "$log.status" 2>/dev/null || echo none)
  skip=$(grep -ciE '^ok\b.*# *SKIP' "$log")
  ok=$(( $(grep -cE '^ok\b' "$log") - skip ))
  not_ok=$(grep -cE '^not ok\b' "$log")
  planned=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$log" | tail -n 1)
  bad=$not_ok
  if [ "$bad" -eq 0 ] && { [ "$status" != 0 ] || [ "${planned:-none}" != $((ok + skip)) ]; }; then bad=1; fi
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
  if [ "$bad" -eq 0 ]; then
    printf '%-44s %d passed%s\n' "$program" "$ok" "$([ "$skip" -eq 0 ] || echo ", $skip skipped")"
    return
  fi
  printf '%-44s FAILED: exit status %s, %d of %s points\n' "$program" "$status" "$((ok + not_ok + skip))" "${planned:-no planned}"
  [ "$status" != 124 ] || echo "  it was ended after $limit seconds"
  sed 's/^/    /' "$log"
}

n=0
for program in "$@"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
  n=$((n + 1))
  run_one "$program" "$n" 2>/dev/null &
done
wait
n=0
for program in "$@"; do
  n=$((n + 1))
  judge "$program" "$n"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
