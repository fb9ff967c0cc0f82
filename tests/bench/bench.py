#!/usr/bin/env python3
"""bench.py [--runs N] [--only WORD] - what the runner costs, each figure beside what it is measured against.

Wants BUILD, the directory of a built runner and tests/bench_statement.  Runs of both sides alternate, so that a busy
machine slows both; medians count.  Says at the end what went above its limit, and exits 1 then."""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import by_hand

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = os.path.realpath(os.environ.get("BUILD", "build/release"))
exceeded = []


def row(what, figure, against, ratio, note=""):
    print(f"{what:<46} {figure:>16} {against:>34} {ratio:>6}  {note}", flush=True)


def spread(values):
    return f"{statistics.median(values):.2f} s ({min(values):.2f}-{max(values):.2f})"


def check(what, value, limit):
    if value > limit:
        exceeded.append(f"{what}: {value:.3g}, limit {limit:.3g}")


def took(act):
    began = time.monotonic()
    act()
    return time.monotonic() - began


class Bench:
    def __init__(self, base):
        self.base = base
        self.env = {**os.environ, "TMPDIR": base, "XDG_CACHE_HOME": os.path.join(base, "cache")}

    def runner(self, name, *options):
        result = subprocess.run([BUILD + "/runner", "run", *options, f"{HERE}/{name}.yaml"], env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        # The one named for us is for locks and stays.
        left = [entry for entry in os.listdir(self.base) if entry.startswith("runner-") and entry != f"runner-{os.getuid()}"]
        if result.returncode != 0 or left or self.processes():
            sys.exit(f"{name}: exit status {result.returncode}, left: {left} {self.processes()}\n{result.stdout}")

    def processes(self):
        """Of the servers that work or worked below our directory."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/cwd").startswith(self.base + "/"):
                    found.append(pid)
            except OSError:
                continue
        return found

    def three_nodes(self, hand, runs, limit):
        name = hand.name + "_three"
        self.runner(name)                      # warms the cache
        ours, theirs = [], []
        for _ in range(runs):
            theirs.append(took(hand.scenario))
            ours.append(took(lambda: self.runner(name)))
        median = statistics.median(ours)
        row(f"three {hand.name} nodes, to the prompt", spread(ours), "by hand " + spread(theirs),
            f"{median / statistics.median(theirs):.2f}", f"limit {limit} s")
        check(name, median, limit)

    def sync_rep(self, runs):
        self.runner("postgresql_sync_rep")
        ours = [took(lambda: self.runner("postgresql_sync_rep")) for _ in range(runs)]
        row("the scenario of 007_sync_rep, 11 checks", spread(ours), "PostgreSQL's TAP test, said: 3.8 s", f"{statistics.median(ours) / 3.8:.2f}")
        check("sync_rep", statistics.median(ours), 3.8)

    def statements(self):
        out = subprocess.run([BUILD + "/tests/bench_statement"], stdout=subprocess.PIPE, text=True, check=True).stdout
        for line in out.splitlines():
            name, ours, bare, ratio, least, most = line.split()
            library = "libpq" if name == "postgresql" else "Connector/C"
            row(f"SELECT 1, {name}, one CPU", f"{ours} us", f"{library} {bare} us", ratio, f"limit 1.10; rounds {least}-{most}")
            check(f"statement {name}", float(ratio), 1.10)

    def forty(self):
        self.runner("postgresql_three")
        single = statistics.median(took(lambda: self.runner("postgresql_three")) for _ in range(3))
        for label, options in (("as many as it likes", ()), ("-j 1", ("-j", "1")), ("-j 8", ("-j", "8"))):
            seconds = took(lambda: self.runner("postgresql_forty", *options))
            row(f"40 tests of three nodes, {label}", f"{seconds:.1f} s", f"40 times one: {40 * single:.1f} s", f"{seconds / (40 * single):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", default="", help="statement, three, sync_rep or forty")
    args = parser.parse_args()
    print("load %.1f %.1f %.1f on %d CPUs" % (*os.getloadavg(), os.cpu_count()))
    row("what", "median (range)", "measured against", "ratio")
    with tempfile.TemporaryDirectory(prefix="bench-") as base:
        os.chmod(base, 0o755)
        bench = Bench(base)
        if args.only in ("", "statement"):
            bench.statements()
        if args.only in ("", "three"):
            bench.three_nodes(by_hand.PostgreSQL(base), args.runs, 1.2)
            bench.three_nodes(by_hand.MariaDB(base), args.runs, 1.2)
        if args.only in ("", "sync_rep"):
            bench.sync_rep(args.runs)
        if args.only in ("", "forty"):
            bench.forty()
    print("load %.1f %.1f %.1f at the end" % os.getloadavg())
    for line in exceeded:
        print("above its limit: " + line)
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
