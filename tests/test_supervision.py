#!/usr/bin/env python3
"""That nothing a run starts gets away, and that a run ends as it should however it is ended.  Prints TAP.

Real runs of command servers (tests/misbehave.c), which are then killed, interrupted, starved of disk, of descriptors.  All of a
run's processes have its $TMPDIR in their environment: by that they are found, whoever their parent is.

  RUNNER_TEST_KILLS=200 tests/test_supervision.py            how often the runner is killed (20)
  tests/test_supervision.py kill signals                     only the points whose name has one of these words

Times are asserted where they are promised: 250 ms, 10 ms, 1 s.  The machine may be busy with other tests, so of a few tries
the best counts, and of many kills all but one in twenty; that everything is gone in the end holds for all of them.
"""
import json, os, pty, random, re, select, shutil, signal, socket, subprocess, sys, tempfile, time
import xml.etree.ElementTree as xml

BUILD = os.environ.get("BUILD", "build")
RUNNER = os.path.realpath(os.environ.get("RUNNER", BUILD + "/runner"))
ROOT = os.geteuid() == 0
SERVE = "['{{env MISBEHAVE}}', --port, '{{port %s}}'%s]"

# ---- Runs and their processes


class Skip(Exception):
    pass


class Box:
    """A $TMPDIR with definitions, flags that commands of tests may leave, and all processes of the runs in it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="supervision-")
        os.chmod(self.dir, 0o755)
        self.tmp = self.dir + "/tmp"
        os.mkdir(self.tmp, 0o755)
        os.mkdir(self.dir + "/flags")
        os.chmod(self.dir + "/flags", 0o777)
        self.misbehave = self.dir + "/misbehave"
        shutil.copy(os.path.realpath(os.environ.get("MISBEHAVE", BUILD + "/tests/misbehave")), self.misbehave)
        os.chmod(self.misbehave, 0o755)
        self.env = {k: v for k, v in os.environ.items() if k in ("PATH", "ASAN_OPTIONS", "HOME")}
        self.env.update(TMPDIR=self.tmp, MISBEHAVE=self.misbehave, LC_ALL="C")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.processes():
            kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def define(self, text, name="x.yaml"):
        path = self.dir + "/" + name
        with open(path, "w") as file:
            file.write(text.replace("FLAGS", self.dir + "/flags"))
        return path

    def begin(self, *args, env=None, wrap=(), **more):
        out = open(self.dir + "/out", "wb")
        run = subprocess.Popen([*wrap, RUNNER, *args], stdin=subprocess.DEVNULL, stdout=more.pop("stdout", out),
                               stderr=more.pop("stderr", subprocess.STDOUT), env=env or self.env, cwd=self.dir, **more)
        out.close()
        return run

    def run(self, *args, limit=60, **more):
        """The exit status and what was printed."""
        run = self.begin(*args, **more)
        try:
            return run.wait(limit), self.said()
        except subprocess.TimeoutExpired:
            kill(run.pid, signal.SIGKILL)
            run.wait()
            raise AssertionError("hangs; it said:\n" + self.said())

    def said(self):
        with open(self.dir + "/out", "rb") as file:
            return file.read().decode("utf-8", "replace")

    def flag(self, name):
        return os.path.exists(self.dir + "/flags/" + name)

    def processes(self, of=b""):
        """Those that live, runner and workers included; of: part of their command line."""
        mark, found = b"TMPDIR=" + self.tmp.encode(), []
        below = self.tmp.encode() + b"/"
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                environ = read("/proc/%d/environ" % pid)
                if (mark in environ or below in environ) and of in read("/proc/%d/cmdline" % pid) and pid != os.getpid():
                    found.append(pid)
            except OSError:
                pass
        return found

    def gone(self, within=10, began=None):
        """How long it took until none lived, in seconds; None: some do."""
        began = began or time.monotonic()
        while time.monotonic() - began < within:
            looked = time.monotonic()
            if not self.processes():
                return looked - began
            time.sleep(0.001)
        return None

    def wait_for(self, what, condition, limit=30):
        end = time.monotonic() + limit
        while not condition():
            check(time.monotonic() < end, "%s: not in %d s; it said:\n%s" % (what, limit, self.said()))
            time.sleep(0.003)

    def workers(self, run):
        return [int(pid) for pid in read("/proc/%d/task/%d/children" % (run.pid, run.pid)).split()]

    def leftovers(self):
        """Files of runs that are still there."""
        return [name for name in os.listdir(self.tmp) if not re.fullmatch(r"runner-\d+", name)]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def kill(pid, signo):
    try:
        os.kill(pid, signo)
    except ProcessLookupError:
        pass


def check(holds, text):
    if not holds:
        raise AssertionError(text)


def events(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def server(name, *options, **more):
    lines = ["  - name: " + name, "    command: " + SERVE % (name, "".join(", '%s'" % o for o in options)),
             "    ready: {tcp: '{{port %s}}'}" % name]
    return "\n".join(lines + ["    %s: %s" % item for item in more.items()]) + "\n"


def a_test(steps, *servers, name="t", finally_="", more=""):
    return ("tests:\n" if not more else more) + "- name: %s\n  servers:\n%s  steps:\n%s%s" % (
        name, "".join(servers), steps, "  finally:\n" + finally_ if finally_ else "")


LONG = "  - sleep: 600s\n"
BUSY = """  - name: c
    command: [/bin/sh, -c, 'setsid /bin/sh -c "while :; do :; done" & exec "$0" --port "$1" --double-fork', '{{env MISBEHAVE}}', '{{port c}}']
    ready: {tcp: '{{port c}}'}
"""
THREE = a_test("  - run: [touch, FLAGS/up]\n  - loop: {times: 1000, steps: [{restart: a}, {kill: b}, {start: b}]}\n",
             server("a"), server("b", "--setsid-child"), BUSY)

# ---- Killed


def test_kill_runner():
    """kill -9 of the runner: all it started is gone within 250 ms"""
    kills, took, most = int(os.environ.get("RUNNER_TEST_KILLS", "20")), [], 0
    with Box() as box:
        path = box.define(THREE)
        for i in range(kills):
            run = box.begin("run", path)
            box.wait_for("a worker", lambda: box.workers(run))
            time.sleep(random.uniform(0, 1.2))
            if i % 2:
                for worker in box.workers(run):
                    kill(worker, signal.SIGSTOP)
            most = max(most, len(box.processes()))
            began = time.monotonic()
            kill(run.pid, signal.SIGKILL)
            run.wait()
            gone = box.gone(began=began)
            check(gone is not None, "kill %d: %d processes live on" % (i, len(box.processes())))
            took.append(gone)
            for name in box.leftovers():
                shutil.rmtree(box.tmp + "/" + name)
    took.sort()
    text = "worst %.0f ms, median %.0f ms" % (took[-1] * 1000, took[len(took) // 2] * 1000)
    if kills >= 100:
        text += ", 99 %% within %.0f ms" % (took[kills * 99 // 100 - 1] * 1000)
    print("# %s, up to %d processes" % (text, most))
    check(most >= 7, "there were at most %d processes to kill" % most)
    check(took[(kills * 19 + 19) // 20 - 1] <= 0.25, text)


def kill_both(box):
    run = box.begin("run", box.define(THREE))
    box.wait_for("the servers", lambda: box.flag("up"))
    workers = box.workers(run)
    for worker in workers:
        kill(worker, signal.SIGSTOP)      # it may not do its work before it dies
    kill(run.pid, signal.SIGKILL)
    for worker in workers:
        kill(worker, signal.SIGKILL)
    run.wait()
    plain = lambda pid: not re.search(rb"--setsid-child|--double-fork|while :", read("/proc/%d/cmdline" % pid))
    box.wait_for("the servers die with their parent", lambda: not [pid for pid in box.processes() if plain(pid)])
    check(box.processes(b"while :"), "nothing survived: there is nothing to clean up")
    (directory,) = box.leftovers()
    return directory


def test_cleanup():
    """kill -9 of runner and worker: runner cleanup ends what survived and names the directory"""
    with Box() as box:
        directory = kill_both(box)
        status, said = box.run("cleanup")
        check(status == 0 and directory in said, "status %d: %s" % (status, said))
        check(box.gone(1) is not None, "%d processes live on after: %s" % (len(box.processes()), said))


def test_next_run_cleans_up():
    """kill -9 of runner and worker: the next run ends what survived and names the directory"""
    with Box() as box:
        directory = kill_both(box)
        status, said = box.run("run", box.define("tests:\n- name: t\n  steps: [{run: /bin/true}]\n"))
        check(status == 0 and "an earlier run was killed" in said and directory in said, "status %d: %s" % (status, said))
        check(box.gone(1) is not None, "%d processes live on after: %s" % (len(box.processes()), said))


def test_worker_dies():
    """kill -9 of a worker: its test is an error, its servers are ended, the others go on"""
    with Box() as box:
        path = box.define(a_test("  - run: [touch, FLAGS/up]\n" + LONG, server("a"), BUSY) +
                          "- name: other\n  steps: [{run: {command: [/bin/sh, -c, 'while [ ! -e FLAGS/go ]; do sleep 0.05; done']}}]\n")
        run = box.begin("run", "-j", "2", path)
        box.wait_for("the servers", lambda: box.flag("up"))
        busy = box.processes(b"while :; do :; done")
        worker = next(w for w in box.workers(run) if os.path.exists("/proc/%d" % w) and
                      any(int(read("/proc/%d/stat" % p).rsplit(b")", 1)[1].split()[1]) == w for p in box.processes(b"misbehave")))
        kill(worker, signal.SIGKILL)
        box.wait_for("its servers' end", lambda: not box.processes(b"misbehave") and not set(busy) & set(box.processes()))
        open(box.dir + "/flags/go", "w").close()
        status = run.wait(30)
        said = box.said()
        check(status == 1 and "1 passed, 1 failed" in said, "status %d: %s" % (status, said))
        check("the worker process of this test was killed by signal 9 (SIGKILL) before it had a verdict" in said, said)


# ---- Signals


def reports(box):
    return ["--report", "junit=%s/r.xml" % box.dir, "--report", "tap=%s/r.tap" % box.dir, "--report", "jsonl=%s/r.jsonl" % box.dir]


def check_reports(box, signo):
    check(xml.parse(box.dir + "/r.xml").getroot().tag == "testsuites", "the JUnit report")
    tap = open(box.dir + "/r.tap").read()
    check(re.search(r"^1\.\.1$", tap, re.M) and "not ok 1" in tap, "the TAP report:\n" + tap)
    last = events(box.dir + "/r.jsonl")[-1]
    check(last["e"] == "run_ended" and last.get("signal") == signo, "the last event: %s" % last)


# phase: definition, when it is reached, how many signals it takes
PHASES = {
    "starting servers": (a_test(LONG, server("s"), server("u", "--never", "--setsid-child")),
                         lambda box: len(box.processes(b"--never")) >= 2, 1),
    "in a step": (a_test("  - run: [touch, FLAGS/up]\n" + LONG, server("s")), lambda box: box.flag("up"), 1),
    "in a command": (a_test("  - run: [/bin/sh, -c, 'touch FLAGS/up; sleep 600']\n    timeout: 600s\n", server("s")), lambda box: box.flag("up"), 1),
    "in within": (a_test("  - run: [/bin/sh, -c, 'touch FLAGS/up; exit 1']\n    within: 600s\n", server("s")), lambda box: box.flag("up"), 1),
    "in finally": (a_test("  - run: /bin/true\n", server("s"), finally_="  - run: [touch, FLAGS/up]\n" + LONG), lambda box: box.flag("up"), 1),
    "stopping a deaf server": (a_test("  - run: /bin/true\n", """  - name: s
    command: [/bin/sh, -c, 'trap "touch FLAGS/up" TERM; echo up; while :; do sleep 0.05; done']
    ready: {log: up}
    stop: [{signal: TERM, within: 600s}]
"""), lambda box: box.flag("up"), 2),
}


def check_signal(phase, signo):
    definition, reached, times = PHASES[phase]
    with Box() as box:
        run = box.begin("run", *reports(box), box.define(definition))
        box.wait_for(phase, lambda: reached(box))
        for i in range(times):
            if i:
                box.wait_for("the first signal is taken", lambda: "stopped by" in box.said())
            kill(run.pid, signo)
        began = time.monotonic()
        status = run.wait(30)
        took = time.monotonic() - began
        name = signal.Signals(signo).name
        said = box.said()
        check(status == -signo, "%s %s: ended with %d: %s" % (name, phase, status, said))
        check("stopped by %s: ending the servers (again: without grace)" % name in said, "%s %s: %s" % (name, phase, said))
        check(box.gone(1) is not None, "%s %s: %d processes live on" % (name, phase, len(box.processes())))
        check_reports(box, signo)
        check(not box.leftovers(), "%s %s: left behind: %s" % (name, phase, box.leftovers()))
        check(took < 10, "%s %s: it took %.1f s" % (name, phase, took))


def test_signals():
    """SIGINT, SIGTERM and SIGHUP in every phase: all stopped, reports written, died of that signal"""
    for phase in PHASES:
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            check_signal(phase, signo)


def test_signal_while_loading():
    """a signal while a big definition is read: nothing was started, died of that signal"""
    with Box() as box:
        path = box.define("tests:\n" + "".join("- name: t%d\n  steps: [{run: [touch, FLAGS/up]}]\n" % i for i in range(50000)))
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            run = box.begin("run", path)
            time.sleep(0.05)
            kill(run.pid, signo)
            check(run.wait(10) == -signo and not box.flag("up"), "ended with %d: %s" % (run.returncode, box.said()[:2000]))
            check(not box.processes() and not box.leftovers(), "left behind: %s" % box.leftovers())


def test_two_signals():
    """the first SIGINT is answered within 100 ms, the second ends a deaf server within 1 s"""
    message, end = [], []
    for _ in range(5):
        with Box() as box:
            path = box.define(a_test("  - run: [touch, FLAGS/up]\n" + LONG, server("s", "--deaf", stop="[{signal: TERM, within: 600s}]")))
            run = box.begin("run", path)
            box.wait_for("the step", lambda: box.flag("up"))
            began = time.monotonic()
            kill(run.pid, signal.SIGINT)
            box.wait_for("the message", lambda: "stopped by SIGINT" in box.said())
            message.append(time.monotonic() - began)
            began = time.monotonic()
            kill(run.pid, signal.SIGINT)
            check(run.wait(30) == -signal.SIGINT, "ended with %d" % run.returncode)
            end.append(time.monotonic() - began)
            check("killing what still runs" in box.said(), box.said())
            check(box.gone(1) is not None, "%d processes live on" % len(box.processes()))
        if message[-1] <= 0.1 and end[-1] <= 1:
            break
    text = "message after %.0f ms, end after %.0f ms" % (min(message) * 1000, min(end) * 1000)
    print("# " + text)
    check(min(message) <= 0.1 and min(end) <= 1, text)


def test_terminal():
    """Ctrl-C on a terminal: the servers are not told by the kernel, but stopped by their ladders"""
    with Box() as box:
        path = box.define(a_test("  - run: [touch, FLAGS/up]\n" + LONG, """  - name: s
    command: [/bin/sh, -c, 'trap "touch FLAGS/int" INT; trap "touch FLAGS/term; exit 0" TERM; echo up; while :; do sleep 0.05; done']
    ready: {log: up}
"""))
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(box.dir)
            os.execve(RUNNER, [RUNNER, "run", path], dict(box.env, TERM="xterm"))
        said, sent, end = b"", False, time.monotonic() + 30
        while time.monotonic() < end:
            if not sent and box.flag("up"):
                os.write(fd, b"\x03")
                sent = True
            if select.select([fd], [], [], 0.02)[0]:
                try:
                    said += os.read(fd, 65536)
                except OSError:          # the terminal's last user is gone
                    break
        _, status = os.waitpid(pid, 0)
        os.close(fd)
        check(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT, "status %#x: %r" % (status, said))
        check(b"stopped by SIGINT" in said, "it said: %r" % said)
        check(box.flag("term") and not box.flag("int"), "how the server was told: %s" % os.listdir(box.dir + "/flags"))
        check(box.gone(1) is not None, "%d processes live on" % len(box.processes()))


# ---- While it runs


def test_server_dies():
    """a server that is killed ends the step that waits within 250 ms"""
    took = []
    for _ in range(5):
        with Box() as box:
            path = box.define(a_test("  - run: [touch, FLAGS/up]\n  - log: {server: s, matches: what never comes}\n    within: 600s\n", server("s"), server("u")))
            run = box.begin("run", "--report", "jsonl=%s/r.jsonl" % box.dir, path)
            box.wait_for("the step", lambda: box.flag("up"))
            time.sleep(0.2)
            victim = next(p for p in box.processes(b"misbehave") if p not in box.workers(run) and p != run.pid)
            began = time.time()
            kill(victim, signal.SIGKILL)
            check(run.wait(30) == 1 and "was killed by signal 9 (SIGKILL), and no step asked for it" in box.said(), box.said())
            (verdict,) = [e for e in events(box.dir + "/r.jsonl") if e["e"] == "verdict"]
            took.append(verdict["t"] / 1e6 - began)
        if took[-1] <= 0.25:
            break
    print("# %.0f ms" % (min(took) * 1000))
    check(min(took) <= 0.25, "it took %.0f ms" % (min(took) * 1000))


def test_loop_turns():
    """no turn of a worker's loop is longer than 10 ms"""
    longest = []
    for _ in range(5):
        with Box() as box:
            path = box.define(a_test("  - restart: a\n  - run: {command: [/bin/cat], stdin: hello, stdout: hello}\n  - log: {server: a, since: start, matches: flood over}\n    within: 30s\n  - kill: a\n  - start: a\n",
                                   server("a", "--flood", "3000000", "--setsid-child"), server("b")).replace("  steps:", "  steps:\n  - pause: b\n  - resume: b", 1))
            status, said = box.run("run", "--report", "jsonl=%s/r.jsonl" % box.dir, path)
            (verdict,) = [e for e in events(box.dir + "/r.jsonl") if e["e"] == "verdict"]
            check(verdict["verdict"] in ("passed", "leaked"), said)
            longest.append(verdict["longest_turn_us"])
        if longest[-1] <= 10000:
            break
    print("# %.1f ms" % (min(longest) / 1000))
    check(min(longest) <= 10000, "the longest turns took %s us" % longest)


def test_one_thread():
    """runner and workers have one thread"""
    with Box() as box:
        run = box.begin("run", box.define(THREE))
        box.wait_for("the servers", lambda: box.flag("up"))
        for _ in range(50):
            for pid in [run.pid] + box.workers(run):
                check(len(os.listdir("/proc/%d/task" % pid)) == 1, "process %d has more threads" % pid)
        kill(run.pid, signal.SIGTERM)
        check(run.wait(30) == -signal.SIGTERM and box.gone(1) is not None, box.said())


def test_memory():
    """output of 500 MB leaves the memory of runner and worker as it was"""
    if "asan" in BUILD:
        raise Skip("the sanitizer's memory is not the program's")
    with Box() as box:
        path = box.define(a_test("  - run: [touch, FLAGS/up]\n  - log: {server: s, since: start, matches: flood over}\n    within: 60s\n",
                               server("s", "--flood", "500000000", log_matches="'misbehave: stopping'")))
        run, most = box.begin("run", path), 0
        while run.poll() is None:
            for pid in [run.pid] + (box.workers(run) if os.path.exists("/proc/%d/task" % run.pid) else []):
                try:
                    most = max([most] + [int(kib) for kib in re.findall(rb"VmHWM:\s+(\d+)", read("/proc/%d/status" % pid))])
                except OSError:
                    pass
            time.sleep(0.01)
        print("# at most %d MiB each" % (most >> 10))
        check(run.returncode == 0 and 0 < most < 64 << 10, "status %d, %d KiB: %s" % (run.returncode, most, box.said()))


def test_user_and_environment():
    """servers run as an unprivileged user, with the environment of the allow-list only"""
    with Box() as box:
        hostile = dict(box.env, PGHOST="nowhere", PGOPTIONS="-c x=y", MYSQL_PWD="secret", LANG="tr_TR.UTF-8", LC_ALL="tr_TR.UTF-8",
                       TZ="Asia/Tokyo", SECRET_TOKEN="123", GODEBUG="x=1")
        path = box.define(a_test("  - run: [touch, FLAGS/up]\n" + LONG, server("s", "--env", "HOME", envs="{OWN: '{{port s}}'}")))
        run = box.begin("run", path, env=hostile)
        box.wait_for("the server", lambda: box.flag("up"))
        (pid,) = [p for p in box.processes(b"misbehave") if p not in [run.pid] + box.workers(run)]
        names = {entry.split(b"=")[0].decode(): entry.split(b"=", 1)[1].decode() for entry in read("/proc/%d/environ" % pid).split(b"\0") if entry}
        check(set(names) == {"PATH", "HOME", "LC_ALL", "TZ", "OWN", "RUNNER_SERVER"}, "its environment: %s" % names)
        check(names["LC_ALL"] == "C" and names["TZ"] == "UTC" and names["HOME"].startswith(box.tmp), "its environment: %s" % names)
        status = read("/proc/%d/status" % pid).decode()
        uids = re.search(r"^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", status, re.M).groups()
        check(not ROOT or (len(set(uids)) == 1 and uids[0] != "0"), "its users: %s" % (uids,))
        check(re.search(r"^SigBlk:\s+0*4000$", status, re.M), "its blocked signals (misbehave blocks SIGTERM only): %s" % status)
        fds = sorted(os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid) if int(fd) < 3 or "socket" not in os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        check(len([f for f in fds if f not in ("/dev/null",) and not f.endswith(".log") and "signalfd" not in f]) == 0, "its descriptors: %s" % fds)
        kill(run.pid, signal.SIGTERM)
        run.wait(30)


def test_unprivileged():
    """who is not root can run tests, too"""
    if not ROOT or not shutil.which("setpriv"):
        raise Skip("not root, so all other points were run by such a user")
    with Box() as box:
        os.chmod(box.tmp, 0o777)
        status, said = box.run("run", box.define(a_test("  - restart: s\n", server("s"), server("u"))), wrap=("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"))
        check(status == 0 and "1 passed" in said, "status %d: %s" % (status, said))
        check(not box.leftovers() and not box.processes(), "left behind: %s" % box.leftovers())


# ---- What the machine does not have


def test_closed_stdout():
    """stdout is closed by who reads it: the tests go on, and the exit status says so"""
    with Box() as box:
        path = box.define("tests:\n" + "".join("- name: t%02d\n  steps: [{run: [touch, FLAGS/%d]}]\n" % (i, i) for i in range(30)))
        out, end = os.pipe()
        run = box.begin("run", "-v", "-j", "1", path, stdout=end, stderr=subprocess.DEVNULL)
        os.close(end)
        os.read(out, 1)
        os.close(out)
        check(run.wait(60) == 3, "exit status %d" % run.returncode)
        check(all(box.flag(str(i)) for i in range(30)), "only these were run: %s" % os.listdir(box.dir + "/flags"))
        check(not box.processes() and not box.leftovers(), "left behind: %s" % box.leftovers())


def test_disk_full():
    """a full disk: one clear error, exit status 3, nothing left"""
    if not ROOT or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        raise Skip("mounting is not allowed here")
    with Box() as box:
        path = box.define(a_test("  - run: [touch, FLAGS/up]\n  - run: [/bin/sh, -c, 'head -c 20000000 /dev/zero > \"$HOME/../big\" || true']\n"
                               "  - loop: {times: 200, steps: [{run: /bin/true}]}\n", server("s")))
        mount = "mount -t tmpfs -o size=2m,mode=755 none '%s' && exec \"$@\"" % box.tmp
        status, said = box.run("run", path, wrap=("unshare", "-m", "/bin/sh", "-c", mount, "sh"))
        check(status == 3 and "No space left on device" in said, "status %d: %s" % (status, said))
        check(said.count("No space left on device") <= 2, "it repeats itself: " + said)
        check(box.gone(1) is not None, "%d processes live on" % len(box.processes()))


def test_no_descriptors():
    """no descriptors left: a clear error, exit status 3, no hang"""
    with Box() as box:
        path = box.define(a_test("  - run: /bin/true\n", *[server("s%d" % i) for i in range(12)]))
        seen = set()
        for limit in (4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32):
            status, said = box.run("run", path, limit=90, wrap=("/bin/sh", "-c", "ulimit -n %d; exec \"$@\"" % limit, "sh"))
            seen.add(status)
            check(status in (0, 1, 2, 3), "%d descriptors: status %d: %s" % (limit, status, said))
            check(status != 1 or "ERROR" in said, "%d descriptors: a verdict on the servers: %s" % (limit, said))
            check(status == 0 or "Too many open files" in said or "descriptors" in said, "%d descriptors: status %d: %s" % (limit, status, said))
            check(box.gone(1) is not None, "%d descriptors: %d processes live on" % (limit, len(box.processes())))
        check(3 in seen, "exit statuses: %s" % seen)


def test_tmpdir():
    """$TMPDIR is a link, cannot be written to, is not there, is too deep for sockets"""
    with Box() as box:
        path = box.define("tests:\n- name: t\n  servers:\n  - {name: s, command: ['{{env MISBEHAVE}}', --print, '{{socket s}}'], ready: {log: ready}}\n")
        os.symlink(box.tmp, box.dir + "/link")
        status, said = box.run("run", path, env=dict(box.env, TMPDIR=box.dir + "/link"))
        check(status == 0, "a link: status %d: %s" % (status, said))
        status, said = box.run("run", path, env=dict(box.env, TMPDIR=box.dir + "/none"))
        check(status == 3 and box.dir + "/none" in said, "not there: status %d: %s" % (status, said))
        status, said = box.run("run", path, env=dict(box.env, TMPDIR=path))
        check(status == 3 and path in said, "no directory: status %d: %s" % (status, said))
        deep = box.tmp + "/" + "d" * 80
        os.mkdir(deep, 0o755)
        status, said = box.run("run", path, env=dict(box.env, TMPDIR=deep))
        check(status == 1 and "bytes long, the system takes 107: set TMPDIR to a shorter directory" in said, "too deep: status %d: %s" % (status, said))
        if ROOT and shutil.which("setpriv"):
            status, said = box.run("run", path, wrap=("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"))
            check(status == 3 and box.tmp in said and "Permission denied" in said, "not ours: status %d: %s" % (status, said))


# ---- Beside each other


def test_two_runners():
    """two runs of one definition at once do not know of each other"""
    with Box() as box:
        path = box.define(a_test("  - restart: a\n", server("a"), server("b")))
        runs = [box.begin("run", path, stdout=subprocess.PIPE) for _ in range(2)]
        for run in runs:
            said = run.communicate(timeout=60)[0].decode()
            check(run.returncode == 0, "status %d: %s" % (run.returncode, said))
        check(not box.processes() and not box.leftovers(), "left behind: %s" % box.leftovers())


def test_port_churn():
    """16 runs at once beside a program that takes and gives back ports: no port is given twice"""
    with Box() as box:
        path = box.define(a_test("  - restart: a\n", server("a"), server("b"), server("c")))
        runs = [box.begin("run", "--repeat", "2", path, stdout=subprocess.PIPE) for _ in range(16)]
        end, held = time.monotonic() + 120, []
        while any(run.poll() is None for run in runs) and time.monotonic() < end:
            held.append(socket.socket())
            held[-1].bind(("127.0.0.1", 0))
            if len(held) > 200:
                held.pop(0).close()
            time.sleep(0.0005)
        for run in runs:
            said = run.communicate(timeout=60)[0].decode()
            check(run.returncode == 0, "status %s: %s" % (run.returncode, said))
        check(not box.processes() and not box.leftovers(), "left behind: %s" % box.leftovers())


def test_fixed_port():
    """a fixed port that a stranger has: the error names the port and who has it"""
    with Box() as box, socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        path = box.define("tests:\n- name: t\n  servers:\n  - {name: s, port: %d, command: ['{{env MISBEHAVE}}', --port, '%d'], ready: {tcp: '%d'}}\n" % (port, port, port))
        status, said = box.run("run", path)
        check(status == 1 and re.search(r"port %d is taken: pid %d \(.*\) listens there" % (port, os.getpid()), said), "status %d: %s" % (status, said))


def test_repeats():
    """50 times, eight at once, on one processor: each time the same"""
    with Box() as box:
        path = box.define(a_test("  - restart: a\n  - kill: b\n  - start: b\n  - log: {server: a, since: start, matches: ready on port}\n", server("a"), server("b")))
        cpu = str(min(os.sched_getaffinity(0)))
        status, said = box.run("run", "--repeat", "50", "-j", "8", path, limit=200, wrap=("taskset", "-c", cpu) if shutil.which("taskset") else ())
        check(status == 0 and "50 passed, 0 failed" in said, "status %d: %s" % (status, said[-3000:]))
        check(not box.processes() and not box.leftovers(), "left behind: %s" % box.leftovers())


# ---- TAP


def main():
    tests = [f for name, f in globals().items() if name.startswith("test_")]
    if sys.argv[1:]:
        tests = [f for f in tests if any(word in f.__name__ for word in sys.argv[1:])]
    failed = 0
    for number, function in enumerate(tests, 1):
        began = time.monotonic()
        try:
            function()
            print("ok %d - %s" % (number, function.__doc__))
        except Skip as why:
            print("ok %d - %s # SKIP %s" % (number, function.__doc__, why))
        except Exception as problem:
            failed += 1
            print("not ok %d - %s" % (number, function.__doc__))
            print("\n".join("#   " + line for line in ("%s: %s" % (type(problem).__name__, problem)).split("\n")))
        if os.environ.get("VERBOSE"):
            print("# %.1f s" % (time.monotonic() - began))
        sys.stdout.flush()
    print("1..%d" % len(tests))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
