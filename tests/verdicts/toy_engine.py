"""A key-value store that speaks PostgreSQL's simple query protocol, for toy_engine.yaml: journal, replicas, promotion."""
import json, os, selectors, signal, socket, struct, sys

config = json.load(open(sys.argv[1]))
journal_path = config["journal"]
upstream_path = os.path.join(os.path.dirname(journal_path), "upstream")
journal = open(journal_path).read().splitlines()
values = dict(line.split(" ", 1) for line in journal)
upstream = int(open(upstream_path).read()) if os.path.exists(upstream_path) else 0
held = False
selector = selectors.DefaultSelector()


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def write(line):
    journal.append(line)
    values.update([line.split(" ", 1)])
    with open(journal_path, "a") as out:
        out.write(line + "\n")


def set_upstream(port):
    global upstream
    upstream = port
    with open(upstream_path, "w") as out:
        out.write(str(port))


def ask(port, text):
    """One question to another of us; what it answered, line by line."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as peer:
        stream = peer.makefile("rwb")
        words = b"user\0toy\0database\0toy\0\0"
        stream.write(struct.pack("!ii", len(words) + 8, 196608) + words + message(b"Q", text.encode() + b"\0"))
        stream.flush()
        rows, idle = [], 0
        while idle < 2:
            kind = stream.read(1)
            body = stream.read(struct.unpack("!i", stream.read(4))[0] - 4)
            idle += kind == b"Z"
            if kind == b"D":
                rows.append(body[6:].decode())
        return rows


def pull():
    """What a replica does whenever it is asked something: fetches what it has not."""
    if not upstream or held:
        return bool(upstream)
    try:
        for line in ask(upstream, f"since {len(journal)}"):
            write(line)
        return True
    except OSError:
        return False


def answer(text):
    global held
    verb, *args = text.split()
    attached = pull()
    if verb == "set" and upstream:
        raise ValueError("I only follow")
    if verb == "set":
        write(" ".join(args))
    elif verb == "get":
        return [values[args[0]]] if args[0] in values else []
    elif verb == "since":
        return journal[int(args[0]):]
    elif verb == "hold":
        held = True
    elif verb == "promote":
        set_upstream(0)
    elif verb == "follow":
        set_upstream(int(args[0]))
    else:
        return [{
            "role": lambda: "replica" if upstream else "primary",
            "position": lambda: str(len(journal)),
            "attached": lambda: "t" if attached else "f",
            "applied": lambda: "t" if len(journal) >= int(args[0]) else "f",
            "follows": lambda: str(upstream) if upstream else "",
            "state": lambda: f"{len(journal)} lines" + (", held" if held else ""),
        }[verb]()]
    return None


def reply(text):
    try:
        rows = answer(text)
    except (ValueError, KeyError) as error:
        return message(b"E", b"SERROR\0C25006\0M" + str(error).encode() + b"\0\0")
    out = b""
    if rows is not None:
        out = message(b"T", struct.pack("!h", 1) + b"answer\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0))
        for row in rows:
            out += message(b"D", struct.pack("!hi", 1, len(row.encode())) + row.encode())
    return out + message(b"C", b"SELECT\0")


class Session:
    """One client's bytes, taken apart as they come."""

    def __init__(self, connection):
        self.connection, self.buffer, self.begun = connection, b"", False

    def ready(self):
        got = self.connection.recv(65536)
        self.buffer += got
        while self.take():
            pass
        if not got:
            selector.unregister(self.connection)
            self.connection.close()

    def take(self):
        head = 1 if self.begun else 0
        if len(self.buffer) < head + 4:
            return False
        size = head + struct.unpack_from("!i", self.buffer, head)[0]
        if len(self.buffer) < size:
            return False
        packet, self.buffer = self.buffer[:size], self.buffer[size:]
        if not self.begun and struct.unpack_from("!i", packet, 4)[0] != 196608:
            self.connection.sendall(b"N")                      # no TLS, no GSSAPI
        elif not self.begun:
            self.begun = True
            greeting = [(b"server_version", b"15.0"), (b"client_encoding", b"UTF8"), (b"standard_conforming_strings", b"on")]
            self.connection.sendall(message(b"R", struct.pack("!i", 0)) + b"".join(message(b"S", k + b"\0" + v + b"\0") for k, v in greeting)
                                    + message(b"K", struct.pack("!ii", 1, 1)) + message(b"Z", b"I"))
        elif packet[:1] == b"Q":
            self.connection.sendall(reply(packet[5:-1].decode()) + message(b"Z", b"I"))
        return True


def accept(listener):
    connection, _ = listener.accept()
    selector.register(connection, selectors.EVENT_READ, Session(connection).ready)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
listener = socket.create_server(("127.0.0.1", config["port"]))
selector.register(listener, selectors.EVENT_READ, lambda: accept(listener))
while True:
    for key, _ in selector.select():
        try:
            key.data()
        except OSError:
            selector.unregister(key.fileobj)
            key.fileobj.close()
