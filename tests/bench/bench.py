"""What a call of perchd costs, as it is built on this machine and as the static program that packages hold, beside bare hyper, which
answers the same bytes and checks nothing, and beside rmcp, the official SDK for Rust, which asks nobody to sign in.

    bench.py PERCHD STATIC BARE_HYPER RMCP [budgets | FIGURE...]

Figures: size, instructions, allocations, cpu, streams, start, idle. Instructions and allocations are counted by valgrind, as the
difference between many calls and twice as many, so that they do not depend on how busy the machine is; bytes are resident
memory; microseconds are the kernel's account of the server with 16 or 64 connections, and like the milliseconds say something
only beside each other.
With `budgets`, those of budgets.toml are held, and the static program and rmcp are left out.
"""

import base64
import hashlib
import json
import os
import platform
import re
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

HERE = Path(__file__).parent
CALLS = 1000
STREAMS = 200
REVISION = "2025-11-25"
REDIRECT = "http://localhost:3334/oauth/callback"
FIGURES = ["size", "instructions", "allocations", "cpu", "streams", "start", "idle"]
CONNECTIONS = [16, 64]
BURST, BURSTS = 1600, 40


class Wire:
    """One connection, over which one request follows the other."""

    def __init__(self, server, is_tls=False):
        self.host = f"localhost:{server.port}"
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        if is_tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, line, headers=(), body=None):
        self.socket.sendall(self.request(line, headers, body))

    def request(self, line, headers=(), body=None):
        head = f"{line} HTTP/1.1\r\nHost: {self.host}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers)
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + (body or b"")

    def head(self):
        """Status and headers of an answer, and what came behind them."""
        read = b""
        while b"\r\n\r\n" not in read:
            some = self.socket.recv(65536)
            if not some:
                raise ConnectionError("the server hung up")
            read += some
        head, rest = read.split(b"\r\n\r\n", 1)
        status, *lines = head.decode().split("\r\n")
        headers = [line.split(": ", 1) for line in lines]
        return int(status.split()[1]), {name.lower(): value for name, value in headers}, rest

    def ask(self, line, headers=(), body=None):
        self.send(line, headers, body)
        return self.answer()

    def answer(self):
        status, headers, rest = self.head()
        if headers.get("transfer-encoding") == "chunked":
            while not rest.endswith(b"0\r\n\r\n"):
                rest += self.socket.recv(65536)
            # The last event is the answer; none of these is as long as a chunk may be.
            return status, headers, re.findall(rb"^data: ?(\{.*)$", rest, re.M)[-1]
        while len(rest) < int(headers.get("content-length", 0)):
            rest += self.socket.recv(65536)
        return status, headers, rest

    def json(self, line, headers, message):
        self.post(line.removeprefix("POST "), headers, message)
        return self.answer()

    def post(self, path, headers, message):
        self.socket.sendall(self.posted(path, headers, message))

    def posted(self, path, headers, message):
        body = json.dumps(message, separators=(",", ":")).encode()
        return self.request(f"POST {path}", [("Content-Type", "application/json"), *headers], body)


class Server:
    """A server that runs, under valgrind or by itself."""

    def __init__(self, command, wrap=(), config=None):
        self.folder = tempfile.TemporaryDirectory(prefix="perchd-bench-")
        self.port, self.token = free_port(), None
        here = {"port": self.port, "state": self.folder.name, "config": f"{self.folder.name}/perchd.toml"}
        if config is not None:
            Path(here["config"]).write_text(config)
        # A log that is written and not read would stand still some time; one that goes to a file is written as usual.
        self.log = open(f"{self.folder.name}/log", "wb")
        arguments = [*wrap, *(word.format(**here) for word in command)]
        began = time.perf_counter()
        self.process = subprocess.Popen(arguments, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.wait()
        self.start_ms = (time.perf_counter() - began) * 1000

    def wait(self):
        """Waits for the first answer, whatever it is; over TLS, for the end of the connection."""
        for _ in range(60_000):
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=60) as wire:
                    wire.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    wire.recv(1)
                return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"it ended: {self.said()}") from None
                time.sleep(0.001)
        raise RuntimeError("it does not listen")

    def said(self):
        return Path(self.log.name).read_text(errors="replace")

    def resident(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def cpu_ns(self):
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        said = self.said()
        self.log.close()
        self.folder.cleanup()
        return said


class Perchd:
    """perchd, with sign-in."""

    name = "perchd"

    def __init__(self, binary):
        self.binary = binary

    def start(self, wrap=(), is_tls=False):
        config = '[tls]\nmode = "own"\n' if is_tls else ""
        listen = ["--listen", "127.0.0.1:{port}", "--state", "{state}", "--auth", "demo", "--config", "{config}"]
        return Server([self.binary, "serve", *listen], wrap, config)

    def headers(self, server, is_tls=False):
        bearer = self.bearer(server, is_tls)
        _, headers, _ = introduce(Wire(server, is_tls), [bearer])
        return [bearer, ("MCP-Protocol-Version", REVISION), ("Mcp-Session-Id", headers["mcp-session-id"])]

    def stream_headers(self, server, is_tls=False):
        return [self.bearer(server, is_tls)]

    def bearer(self, server, is_tls):
        # Signed in to once: the server has no more than a few sign-ins of one address a minute.
        if server.token is None:
            server.token = sign_in(Wire(server, is_tls), is_tls)
        return ("Authorization", f"Bearer {server.token}")

    def stream(self, server, headers, is_tls):
        return stream(server, "/sse", headers, is_tls)


class Static(Perchd):
    """perchd as packages hold it."""

    name = "perchd static"


class BareHyper:
    """The same HTTP library and nothing else."""

    name = "bare hyper"

    def __init__(self, binary):
        self.binary = binary

    def start(self, wrap=(), is_tls=False):
        return Server([self.binary, "{port}"], wrap)

    def headers(self, server, is_tls=False):
        return [("MCP-Protocol-Version", REVISION)]

    def stream_headers(self, server, is_tls=False):
        return []

    def stream(self, server, headers, is_tls):
        return stream(server, "/sse", headers, is_tls)


class Rmcp:
    """The same tool by rmcp, with sessions and events, as it does by itself."""

    name = "rmcp"

    def __init__(self, binary):
        self.binary = binary

    def start(self, wrap=(), is_tls=False):
        return Server([self.binary, "{port}"], wrap)

    def headers(self, server, is_tls=False):
        wire = Wire(server)
        _, headers, _ = introduce(wire, [])
        session = [("MCP-Protocol-Version", REVISION), ("Mcp-Session-Id", headers["mcp-session-id"])]
        wire.json("POST /mcp", [accept(), *session], {"jsonrpc": "2.0", "method": "notifications/initialized"})
        return session

    def stream_headers(self, server, is_tls=False):
        return []

    def stream(self, server, headers, is_tls):
        # A session has one stream.
        return stream(server, "/mcp", self.headers(server), is_tls)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sign_in(wire, is_tls):
    """The way of a client and a browser from nothing to an access token."""
    origin = f"{'https' if is_tls else 'http'}://{wire.host}"
    client = json.loads(wire.json("POST /register", [], {"client_name": "bench", "redirect_uris": [REDIRECT]})[2])["client_id"]
    verifier = "a-verifier-of-at-least-forty-three-characters-0"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    ask = {"response_type": "code", "client_id": client, "redirect_uri": REDIRECT, "code_challenge": challenge}
    ask |= {"code_challenge_method": "S256", "state": "s"}
    _, headers, page = wire.ask(f"GET /authorize?{urlencode(ask)}", [("Accept", "text/html")])
    browser = [("Accept", "text/html"), ("Origin", origin), ("Sec-Fetch-Site", "same-origin")]
    browser += [("Cookie", headers["set-cookie"].split(";")[0]), ("Content-Type", "application/x-www-form-urlencoded")]
    fields = [("email", "ada@example.org"), ("password", "x"), ("action", "sign_in")]
    _, headers, page = wire.ask("POST /authorize", browser, form(page, fields))
    if "set-cookie" in headers:
        browser[3] = ("Cookie", headers["set-cookie"].split(";")[0])
    fields = [("scope", "math"), ("scope", "system:read"), ("action", "approve")]
    _, headers, _ = wire.ask("POST /consent", browser, form(page, fields))
    code = parse_qs(urlsplit(headers["location"]).query)["code"][0]
    trade = {"grant_type": "authorization_code", "client_id": client, "code": code}
    trade |= {"redirect_uri": REDIRECT, "code_verifier": verifier}
    kind = [("Content-Type", "application/x-www-form-urlencoded")]
    return json.loads(wire.ask("POST /token", kind, urlencode(trade).encode())[2])["access_token"]


def form(page, fields):
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.decode())
    return urlencode([(name, unescape(value)) for name, value in hidden] + fields).encode()


def introduce(wire, headers):
    return wire.json("POST /mcp", [accept(), *headers], hello())


def hello():
    client = {"name": "bench", "version": "1"}
    params = {"protocolVersion": REVISION, "capabilities": {}, "clientInfo": client}
    return {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}


def accept():
    return ("Accept", "application/json, text/event-stream")


def add(number):
    params = {"name": "add", "arguments": {"a": 2, "b": 3}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


class Call:
    """A call that is ready to be sent: who writes each anew is slower than what he measures."""

    def __init__(self, wire, path, headers):
        self.socket, self.bytes = wire.socket, wire.posted(path, headers, add(10_000_000))

    def send(self, number):
        # Ids of one length: a call is like the other.
        self.socket.sendall(self.bytes.replace(b"10000000", b"%d" % number))


def check(number, status, expected, answer):
    if (status, answer["id"], answer["result"]["content"]) != (expected, number, [{"type": "text", "text": "5"}]):
        raise RuntimeError(f"a wrong answer: {status} {answer!r}")


class Mcp:
    """Calls by Streamable HTTP."""

    def __init__(self, server, peer):
        self.wire = Wire(server)
        self.call = Call(self.wire, "/mcp", [accept(), *peer.headers(server)])

    def send(self, number):
        self.call.send(number)

    def receive(self, number):
        status, _, body = self.wire.answer()
        check(number, status, 200, json.loads(body))


class Sse:
    """Calls by HTTP with SSE: a post, and its answer on a stream."""

    def __init__(self, server, peer):
        self.headers, self.wire = peer.stream_headers(server), Wire(server)
        self.stream = Wire(server)
        self.stream.send("GET /sse", [("Accept", "text/event-stream"), *self.headers])
        self.read = self.stream.head()[2]
        self.path = self.event(rb"event: endpoint\ndata: (\S+)\n").decode()
        if isinstance(peer, Perchd):
            self.wire.post(self.path, self.headers, hello())
            self.wire.answer()
            self.event(rb"data: (.+)\n")
        self.call = Call(self.wire, self.path, self.headers)

    def event(self, form):
        while not (found := re.search(form, self.read)):
            some = self.stream.socket.recv(65536)
            if not some:
                raise ConnectionError("the stream ended")
            self.read += some
        self.read = self.read[found.end() :]
        return found[1]

    def send(self, number):
        self.call.send(number)

    def receive(self, number):
        status, _, _ = self.wire.answer()
        check(number, status, 202, json.loads(self.event(rb"data: (.+)\n")))


def after_calls(peer, calls, wrap, way=Mcp):
    """What the server says at its end, after so many calls on one connection."""
    server = peer.start(wrap)
    client = way(server, peer)
    for number in range(10_000_000, 10_000_000 + calls):
        client.send(number)
        client.receive(number)
    return server.stop()


class Crowd:
    """A server and as many clients that call at once, so that it does not sleep between them."""

    def __init__(self, peer, way, connections):
        self.name, self.server = peer.name, peer.start()
        self.clients = [way(self.server, peer) for _ in range(connections)]
        self.took, self.waits = [], []
        self.burst()
        self.took.clear()
        self.waits.clear()

    def burst(self):
        """Some calls of each: notes what the server took for one in microseconds, and how long each waited in seconds."""
        rounds = max(1, BURST // len(self.clients))
        before = self.server.cpu_ns()
        for number in range(10_000_000, 10_000_000 + rounds):
            sent = []
            for client in self.clients:
                client.send(number)
                sent.append(time.perf_counter())
            for client, at in zip(self.clients, sent):
                client.receive(number)
                self.waits.append(time.perf_counter() - at)
        self.took.append((self.server.cpu_ns() - before) / 1000 / (rounds * len(self.clients)))


def cpu(peers, way, connections):
    """By peer: processor time of one call in microseconds; how many times that of bare hyper it is; and how long the slowest of a
    hundred calls waits for its answer, in milliseconds.

    How fast the machine is changes from second to second. So the peers are called in turns, in short bursts, each of which
    is set against bare hyper's beside it; medians are told."""
    crowds = [Crowd(peer, way, connections) for peer in peers]
    for turn in range(BURSTS):
        for crowd in crowds if turn % 2 else reversed(crowds):
            crowd.burst()
    bare = next(crowd for crowd in crowds if crowd.name == BareHyper.name)
    for crowd in crowds:
        crowd.server.stop()
        times = [one / other for one, other in zip(crowd.took, bare.took)]
        yield crowd.name, statistics.median(crowd.took), statistics.median(times), sorted(crowd.waits)[len(crowd.waits) * 99 // 100] * 1000


def cpu_figures(peers):
    """Name, peer and value of each figure about processor time."""
    for way, of in [(Mcp, ""), (Sse, "_sse")]:
        for connections in CONNECTIONS:
            # rmcp has no HTTP with SSE.
            those = [peer for peer in peers if way is Mcp or not isinstance(peer, Rmcp)]
            for name, took, times, wait in cpu(those, way, connections):
                yield f"cpu_us_per{of}_call_of_{connections}", name, took
                yield f"cpu{of}_of_{connections}_to_bare", name, times
                if way is Mcp:
                    yield f"p99_ms_of_{connections}", name, wait


def start_ms(peer):
    """From exec to the first answer, the best of five: what is slower was something else."""

    def started():
        server = peer.start()
        server.stop()
        return server.start_ms

    return min(started() for _ in range(5))


def instructions(peer, way):
    """Instructions of one call, in user space."""

    def counted(calls):
        with tempfile.NamedTemporaryFile() as out:
            after_calls(peer, calls, ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", "-q"], way)
            return int(re.search(rb"^(?:summary|totals): (\d+)", Path(out.name).read_bytes(), re.M)[1])

    return (counted(2 * CALLS) - counted(CALLS)) / CALLS


def allocations(peer):
    """Blocks and bytes that one call takes from the heap."""

    def counted(calls):
        said = after_calls(peer, calls, ["valgrind", "--leak-check=no", "--run-libc-freeres=no"])
        blocks, size = re.search(r"total heap usage: ([\d,]+) allocs, [\d,]+ frees, ([\d,]+) bytes", said).groups()
        return int(blocks.replace(",", "")), int(size.replace(",", ""))

    few, many = counted(CALLS), counted(2 * CALLS)
    return tuple((after - before) / CALLS for before, after in zip(few, many))


def stream_bytes(peer, is_tls):
    """Resident memory of one idle stream."""
    server = peer.start(is_tls=is_tls)
    headers = peer.stream_headers(server, is_tls)

    def opened(count):
        # One after the other: what a connection needs before it is a stream is free for the next.
        return [peer.stream(server, headers, is_tls) for _ in range(count)]

    # The first ones pay for what all share.
    held = opened(20)
    before = server.resident()
    held += opened(STREAMS)
    # Their first event is on its way.
    time.sleep(0.5)
    size = (server.resident() - before) / STREAMS
    server.stop()
    return size


def stream(server, path, headers, is_tls):
    wire = Wire(server, is_tls)
    wire.send(f"GET {path}", [("Accept", "text/event-stream"), *headers])
    if wire.head()[0] != 200:
        raise RuntimeError("no stream was opened")
    return wire


def idle_bytes(peer, is_tls):
    """Resident memory of a server that nobody has asked anything but the way in."""
    server = peer.start(is_tls=is_tls)
    peer.headers(server, is_tls)
    time.sleep(0.5)
    size = server.resident()
    server.stop()
    return size


def figures(peer, wanted):
    """Name and value of each figure of this peer by itself."""
    is_perchd, has_sse = isinstance(peer, Perchd), not isinstance(peer, Rmcp)
    if "size" in wanted:
        yield "binary_bytes", os.stat(peer.binary).st_size
    if "instructions" in wanted:
        yield "instructions_per_call", instructions(peer, Mcp)
        if has_sse:
            yield "instructions_per_sse_call", instructions(peer, Sse)
    # valgrind does not see what a static program takes from its heap.
    if "allocations" in wanted and not isinstance(peer, Static):
        blocks, size = allocations(peer)
        yield "allocations_per_call", blocks
        yield "allocated_bytes_per_call", size
    if "streams" in wanted:
        yield "bytes_per_stream", stream_bytes(peer, False)
        if is_perchd:
            yield "bytes_per_tls_stream", stream_bytes(peer, True)
    if "start" in wanted:
        yield "start_ms", start_ms(peer)
    if "idle" in wanted:
        yield "idle_bytes", idle_bytes(peer, False)
        if is_perchd:
            yield "idle_tls_bytes", idle_bytes(peer, True)


def exceeded(measured):
    """What is above its budget. Budgets are of one kind of machine, as elsewhere other instructions do the same, and of what its compiler knows
    of where time goes (cross/rustc)."""
    compiler = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    is_trained = compiler == (HERE / "../../cross/trained/rustc").read_text()
    machine = platform.machine() + ("" if is_trained else "-untrained")
    budgets = tomllib.loads((HERE / "budgets.toml").read_text()).get(machine)
    if budgets is None:
        print(f"no budgets for {machine}: nothing was held")
        return []
    slack = 1 + budgets.pop("slack_percent") / 100
    return [name for name, most in budgets.items() if name in measured and measured[name] > most * slack]


def main():
    perchd, static, bare, rmcp, *wanted = sys.argv[1:]
    holds = "budgets" in wanted
    wanted = [name for name in wanted if name != "budgets"] or FIGURES
    peers = [Perchd(perchd), BareHyper(bare), *([] if holds else [Static(static), Rmcp(rmcp)])]
    table = {}
    for peer in peers:
        for name, value in figures(peer, wanted):
            table.setdefault(name, {})[peer.name] = value
    if "cpu" in wanted:
        for name, peer, value in cpu_figures(peers):
            table.setdefault(name, {})[peer] = value
    print(f"{'':28}" + "".join(f"{peer.name:>14}" for peer in peers))
    for name, values in table.items():
        print(f"{name:28}" + "".join(f"{values[peer.name]:>14,.{2 if name.endswith('_to_bare') else 1}f}" if peer.name in values else " " * 14 for peer in peers))
    if "instructions_per_call" in table:
        print(f"perchd takes {table['instructions_per_call']['perchd']:,.0f} instructions per call")
    if holds:
        over = exceeded({name: values["perchd"] for name, values in table.items()})
        if over:
            sys.exit(f"above its budget in tests/bench/budgets.toml: {', '.join(over)}. Who exceeds one changes it and says why. What was learnt of an older program may be the reason: tests/bench/train")


if __name__ == "__main__":
    main()
