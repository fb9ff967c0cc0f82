#!/usr/bin/python3
"""mutate.py - does a suite notice when what it expects is changed?

    tests/mutate.py [--runner build/runner] [--jobs N] [--test GLOB] [--list] FILE...

Takes definitions that pass (both dialects), changes one expected thing at a time - a cell, a column, a row taken away or
added, a value, a code, a pattern, an exit status - and runs each such mutant. Every one must fail, and what the runner says
must name the changed thing. Survivors are listed with file, line and column; the exit status is 1 when there are any.

A mutant is the file's own text with one place replaced, so all else stays as it was written. Tests that do not pass
unchanged are left out, and named.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import yaml

WORD = "mutant-7"
CODE = "9Z9Z9"
# Below these nothing is expected of a server.
NOT_EXPECTED = {"settings", "envs", "with_files", "vars", "matrix", "args", "params", "driver_params", "capture", "ready"}
PATTERNS = {"error_match", "log_matches", "error_matches", "matches", "stdout", "stderr", "match", "fails"}
Mutant = collections.namedtuple("Mutant", "file test line column what text names")


def is_scalar(node):
    return isinstance(node, yaml.ScalarNode)


def is_map(node):
    return isinstance(node, yaml.MappingNode)


def is_list(node):
    return isinstance(node, yaml.SequenceNode)


def items(node):
    """The pairs of a mapping, merge keys resolved as far as they stand here."""
    for key, value in node.value:
        if key.value == "<<":
            for merged in value.value if is_list(value) else [value]:
                yield from items(merged)
        else:
            yield key, value


def get(node, name):
    return next((value for key, value in node.value if key.value == name), None)


def flow(node):
    """A node in YAML's flow style, meaning the same."""
    if is_scalar(node):
        plain = node.style is None and node.tag != "tag:yaml.org,2002:str"
        return node.value or "null" if plain else json.dumps(node.value)
    if is_list(node):
        return "[" + ", ".join(flow(item) for item in node.value) + "]"
    return "{" + ", ".join(flow(key) + ": " + flow(value) for key, value in items(node)) + "}"


def quoted_list(words):
    return "[" + ", ".join(json.dumps(word) for word in words) + "]"


class File:
    """One definition: its text, and the mutants of its tests."""

    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as stream:
            self.text = stream.read()
        self.root = yaml.compose(self.text, Loader=yaml.SafeLoader)
        self.mutants = []
        self.seen = set()
        self.test = None
        for test in get(self.root, "tests").value if is_map(self.root) and get(self.root, "tests") else []:
            if get(test, "skip") is None:
                self.test = get(test, "name").value
                self.visit(test)

    def add(self, node, what, replacement, names=()):
        begin, end = node.start_mark.index, node.end_mark.index
        key = (begin, end, replacement)
        if key in self.seen:
            return
        self.seen.add(key)
        old = self.text[begin:end]
        # The end of a block lies behind its last line break.
        tail = old[len(old.rstrip()):]
        anchor = re.match(r"&\S+\s", old)
        text = self.text[:begin] + (anchor.group() if anchor else "") + replacement + tail + self.text[end:]
        mark = node.start_mark
        self.mutants.append(Mutant(self.path, self.test, mark.line + 1, mark.column + 1, what, text, names))

    # Each expectation, by its key.

    def visit(self, node):
        if is_list(node):
            for item in node.value:
                self.visit(item)
        if not is_map(node):
            return
        for key, value in items(node):
            name = key.value
            if name == "result" and is_map(value):
                self.result(value)
            elif name == "result" and is_list(value):
                self.rows(value, 1)
            elif name in ("value", "affected"):
                self.cell(value, name)
            elif name in PATTERNS:
                self.patterns(name, value)
            elif name in ("log_not_matches", "not_matches"):
                self.add(value, name, '["."]')
            elif name in ("error_code", "code"):
                self.add(value, name, json.dumps(CODE), (CODE,))
            elif name in ("warnings", "notices"):
                self.notices(name, value)
            elif name == "exit":
                self.add(value, "exit status", "0" if value.value != "0" else "7")
            elif name not in NOT_EXPECTED:
                self.visit(value)

    def cell(self, node, what):
        if is_scalar(node):
            self.add(node, what, json.dumps(WORD), (WORD,))
        elif is_map(node) and get(node, "re") is not None:
            self.add(get(node, "re"), what + "'s pattern", json.dumps(WORD), (WORD,))

    def patterns(self, name, value):
        for node in value.value if is_list(value) else [value]:
            if is_scalar(node):
                self.add(node, name, json.dumps(WORD), (WORD,))

    def notices(self, name, value):
        if is_list(value) and not value.value:
            self.add(value, name + " added", quoted_list([WORD]), (WORD,))
        for node in value.value if is_list(value) else [value]:
            self.cell(node, name)

    def result(self, node):
        columns, rows, pick = get(node, "columns"), get(node, "rows"), get(node, "pick")
        count = get(node, "row_count")
        for names in (columns, pick):
            for column in names.value if names is not None and is_list(names) else []:
                self.add(column, "column", json.dumps(WORD), (WORD,))
        if columns is not None and columns.value:
            words = [column.value for column in columns.value]
            self.add(columns, "column added", quoted_list(words + [WORD]), (WORD,))
            self.add(columns, "column taken away", quoted_list(words[:-1]), (words[-1],))
        if count is not None:
            changed = str(int(count.value) + 1)
            self.add(count, "row count", changed, (changed,))
        if rows is not None:
            width = len((columns or pick).value) if columns or pick else 1
            self.either(rows, width) if is_map(rows) else self.rows(rows, width)

    def rows(self, rows, width):
        for row in rows.value:
            for cell in row.value if is_list(row) else [row]:
                self.cell(cell, "cell")
        parts = [flow(row) for row in rows.value]
        if rows.value and is_list(rows.value[0]):
            width = len(rows.value[0].value)
        self.add(rows, "row added", "[" + ", ".join(parts + [quoted_list([WORD] * width)]) + "]", (WORD,))
        for i, row in enumerate(rows.value):
            left = "[" + ", ".join(parts[:i] + parts[i + 1:]) + "]"
            words = [cell.value for cell in (row.value if is_list(row) else [row]) if is_scalar(cell)]
            # Only what a server prints as it is written here.
            printed = [word for word in words if "{{" not in word and word not in ("true", "false", "null", "~")]
            self.add(rows, "row %d taken away" % (i + 1), left, tuple(printed[:1]))

    def either(self, rows, width):
        """All alternatives change alike, else another one would rightly hold."""
        alternatives = get(rows, "or")
        changed = {"row added": [], "row taken away": [], "cell": []}
        for alternative in alternatives.value:
            parts = [flow(row) for row in alternative.value]
            added = quoted_list([WORD] * (len(alternative.value[0].value) if alternative.value else width))
            changed["row added"].append(parts + [added])
            changed["row taken away"].append(parts[:-1] if parts else [added])
            first = [json.dumps(WORD)] + [flow(cell) for cell in alternative.value[0].value[1:]] if parts else []
            changed["cell"].append((["[" + ", ".join(first) + "]"] if parts else [added]) + parts[1:])
        for what, lists in changed.items():
            text = "{or: [" + ", ".join("[" + ", ".join(rows) + "]" for rows in lists) + "]}"
            self.add(rows, what + " in each alternative", text, () if what == "row taken away" else (WORD,))


class Runner:
    """Runs tests of many files at once; results by file and test, from the JUnit report."""

    def __init__(self, program, options):
        self.program = os.path.abspath(program)
        self.options = options

    def refused(self, paths):
        checked = [path for path in paths if subprocess.run([self.program, "check", path], capture_output=True).returncode != 0]
        return set(checked)

    def run(self, paths, test, directory):
        report = os.path.join(directory, "report.xml")
        name = "/^" + re.sub(r"([^\w ])", r"\\\1", test) + r"( \[.*\])?$/"
        command = [self.program, "run", *self.options, "--report", "junit=" + report, "-t", name, *paths]
        # Failed tests keep their directories; these go with ours.
        with tempfile.TemporaryDirectory(prefix="mutate-") as kept:
            os.chmod(kept, 0o755)
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", env={**os.environ, "TMPDIR": kept})
        if done.returncode not in (0, 1) or not os.path.exists(report):
            sys.exit("mutate.py: %s\n%s%s" % (" ".join(command), done.stdout, done.stderr))
        results = {}
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            said = [element for element in case if element.tag in ("failure", "error")]
            text = "\n".join((element.get("message") or "") + "\n" + (element.text or "") for element in said)
            passed = not said and case.find("skipped") is None
            before = results.get(case.get("classname"), (False, ""))
            results[case.get("classname")] = (passed or before[0], text + before[1])
        os.unlink(report)
        return results


def beside(path, directory):
    """What the definition names by relative paths is found beside its mutants too."""
    home = os.path.dirname(os.path.abspath(path))
    for name in os.listdir(home):
        link = os.path.join(directory, name)
        if not os.path.lexists(link) and os.path.join(home, name) != os.path.abspath(path):
            os.symlink(os.path.join(home, name), link)


def judge(runner, mutants, directory, tally):
    """The mutants of one test: written, checked, run together."""
    paths = {}
    for i, mutant in enumerate(mutants):
        path = os.path.join(directory, "mutant%04d.yaml" % i)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(mutant.text)
        paths[path] = mutant
    refused = runner.refused(paths)
    alive = [path for path in paths if path not in refused]
    results = runner.run(alive, mutants[0].test, directory) if alive else {}
    for path, mutant in paths.items():
        place = "%s:%d:%d: %s of test '%s'" % (mutant.file, mutant.line, mutant.column, mutant.what, mutant.test)
        if path in refused:
            tally["refused at load"] += 1
        else:
            passed, said = results.get(os.path.basename(path)[:-len(".yaml")], (True, ""))
            missing = [name for name in mutant.names if name not in said]
            verdict = "survived" if passed else "failed without a word of it" if missing else "caught"
            tally[verdict] += 1
            if verdict != "caught":
                print("%s: %s%s" % (place, verdict, ": " + repr(missing[0]) if missing and not passed else ""), flush=True)
        os.unlink(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runner", default="build/runner")
    parser.add_argument("--jobs", "-j")
    parser.add_argument("--test", "-t", help="only tests whose name has this in it")
    parser.add_argument("--list", action="store_true", help="only say what would be changed")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    runner = Runner(options.runner, ["-j", options.jobs] if options.jobs else [])
    tally = collections.Counter()
    for path in options.files:
        by_test = collections.OrderedDict()
        for mutant in File(path).mutants:
            if not options.test or options.test in mutant.test:
                by_test.setdefault(mutant.test, []).append(mutant)
        with tempfile.TemporaryDirectory(prefix="mutate-") as directory:
            beside(path, directory)
            for test, mutants in by_test.items():
                if options.list:
                    for mutant in mutants:
                        print("%s:%d:%d: %s" % (mutant.file, mutant.line, mutant.column, mutant.what))
                    continue
                stem = os.path.splitext(os.path.basename(path))[0]
                if not runner.run([path], test, directory).get(stem, (False,))[0]:
                    print("%s: test '%s' does not pass unchanged" % (path, test), flush=True)
                    tally["left out"] += len(mutants)
                    continue
                judge(runner, mutants, directory, tally)
    if not options.list:
        total = sum(tally.values())
        print("%d mutants: %s" % (total, ", ".join("%d %s" % (n, verdict) for verdict, n in sorted(tally.items()))))
    sys.exit(1 if tally["survived"] or tally["failed without a word of it"] or tally["left out"] else 0)


if __name__ == "__main__":
    main()
