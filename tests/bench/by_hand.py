"""The servers' own part of the three-node scenarios: what is left when nobody plans, watches, records or checks.

Copies of a template made beforehand, started, one table over, stopped, removed. Waiting is by asking again at once.
Servers listen on loopback and are killed when their starter dies."""
import ctypes
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess

NULL = subprocess.DEVNULL
libc = ctypes.CDLL(None)


def unprivileged():
    """Whom servers run as: PostgreSQL refuses root."""
    return pwd.getpwnam("postgres") if os.getuid() == 0 else None


def become(user):
    def child():
        if user:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        libc.prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG
    return child


def run(user, *argv, **more):
    return subprocess.run(argv, preexec_fn=become(user), check=True, stdout=subprocess.PIPE, stderr=NULL, **more).stdout


def serve(user, *argv):
    return subprocess.Popen(argv, preexec_fn=become(user), stdin=NULL, stdout=NULL, stderr=NULL)


def free_port():
    for port in range(21000 + os.getpid() % 5000, 32000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def own(path, user):
    if user:
        os.chown(path, user.pw_uid, user.pw_gid)


def make_dir(base, name, user):
    """Its subdirectories lie apart, where the file system has that (the runner's do too)."""
    path = os.path.join(base, name)
    os.mkdir(path, 0o755)
    own(path, user)
    subprocess.run(["chattr", "+T", path], stdout=NULL, stderr=NULL)
    return path


def copy_all(user, template, paths):
    copies = [serve(user, "cp", "-a", template, path) for path in paths]
    if any(copy.wait() for copy in copies):
        raise RuntimeError("cp failed")


def stop(server, signo):
    server.send_signal(signo)
    return server


class PostgreSQL:
    name = "postgresql"

    def __init__(self, base):
        self.base, self.user = base, unprivileged()
        found = shutil.which("initdb") or sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1]
        self.bin = os.path.dirname(os.path.realpath(found))
        self.template = os.path.join(make_dir(base, "pg-template", self.user), "data")
        run(self.user, self.bin + "/initdb", "-D", self.template, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
            "--no-sync")

    def write(self, path, name, text):
        with open(os.path.join(path, name), "w") as file:
            file.write(text)
        own(os.path.join(path, name), self.user)

    def start(self, path, port, settings=()):
        words = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
                 "shared_buffers": "8MB", "dynamic_shared_memory_type": "mmap", **dict(settings)}
        return serve(self.user, self.bin + "/postgres", "-D", path, *[f"-c{key}={value}" for key, value in words.items()])

    def ask(self, port, sql):
        while True:
            try:
                return run(None, self.bin + "/psql", "-XAtq", "-h127.0.0.1", f"-p{port}", "-Upostgres", "-c", sql).decode().strip()
            except subprocess.CalledProcessError:
                continue

    def scenario(self):
        top = make_dir(self.base, "pg", self.user)
        paths = [os.path.join(top, name) for name in ("primary", "left", "right")]
        copy_all(self.user, self.template, paths)
        ports = []
        for path in paths:
            ports.append(free_port() if not ports else ports[-1] + 1)
        for path in paths[1:]:
            self.write(path, "standby.signal", "")
        upstream = {"primary_conninfo": f"host=127.0.0.1 port={ports[0]} user=postgres"}
        servers = [self.start(paths[0], ports[0])]
        at = self.ask(ports[0], "CREATE TABLE t AS SELECT generate_series(1, 3) AS i") or self.ask(ports[0], "SELECT pg_current_wal_lsn()")
        servers += [self.start(path, port, upstream.items()) for path, port in zip(paths[1:], ports[1:])]
        for port in ports[1:]:
            while self.ask(port, f"SELECT pg_last_wal_replay_lsn() >= '{at}'") != "t":
                continue
            if self.ask(port, "SELECT sum(i) FROM t") != "6":
                raise RuntimeError("rows are missing")
        for server in [stop(server, signal.SIGINT) for server in servers[1:]]:
            server.wait()
        stop(servers[0], signal.SIGINT).wait()
        shutil.rmtree(top)


class MariaDB:
    name = "mariadb"
    settings = ["--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0",
                "--innodb-doublewrite=OFF", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--innodb-fast-shutdown=2",
                "--innodb-temp-data-file-path=ibtmp1:5M:autoextend", "--performance-schema=OFF", "--log-bin=binlog",
                "--relay-log=relay", "--log-slave-updates", "--gtid-strict-mode=ON", "--pid-file=pid"]

    def __init__(self, base):
        self.base, self.user = base, unprivileged()
        self.template = os.path.join(make_dir(base, "my-template", self.user), "data")
        os.mkdir(self.template)
        own(self.template, self.user)
        run(self.user, "mariadb-install-db", "--no-defaults", "--datadir=" + self.template, "--auth-root-authentication-method=normal",
            "--cross-bootstrap", "--innodb-log-file-size=4M")

    def start(self, path, port):
        return serve(self.user, shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", "--datadir=" + path,
                     "--tmpdir=" + path, f"--port={port}", f"--socket={path}/s", f"--server-id={port}", *self.settings)

    def ask(self, port, sql):
        while True:
            try:
                return run(None, "mariadb", "--no-defaults", "-BN", "-h127.0.0.1", f"-P{port}", "-uroot", "test", "-e", sql).decode().strip()
            except subprocess.CalledProcessError:
                continue

    def scenario(self):
        top = make_dir(self.base, "my", self.user)
        paths = [os.path.join(top, name) for name in ("primary", "left", "right")]
        copy_all(self.user, self.template, paths)
        first = free_port()
        ports = [first, first + 1, first + 2]
        servers = [self.start(path, port) for path, port in zip(paths, ports)]
        at = self.ask(ports[0], "CREATE TABLE t AS SELECT seq AS i FROM seq_1_to_3; SELECT @@gtid_binlog_pos")
        for port in ports[1:]:
            self.ask(port, f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={ports[0]}, MASTER_USER='root', "
                           "MASTER_USE_GTID=slave_pos; START SLAVE")
        for port in ports[1:]:
            if self.ask(port, f"SELECT MASTER_GTID_WAIT('{at}', 10); SELECT SUM(i) FROM t") != "0\n6":
                raise RuntimeError("rows are missing")
        for server in [stop(server, signal.SIGTERM) for server in servers]:
            server.wait()
        shutil.rmtree(top)
