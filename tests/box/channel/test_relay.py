"""The owner's end of the channel, as a process of its own: its sockets, its verbs, its web addresses, its end.  The box is made up."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from lab.box.channel import relay
from lab.box.channel.access import Access
from lab.box.core.processes import Process
from lab.box.errors import BoxNotRunning
from lab.box.guest import mux
from lab.box.guest.mux import Mux, Stream, pipe_both_ways
from tests.support.loop import run, until

AGENT = str(Path(mux.__file__).with_name("agent.py"))
FAILURE = re.compile(r"^(?!asyncio\.exceptions\.CancelledError)[\w.]*Error\b", re.MULTILINE)
"""An error in a log, but for the one that `test_it_ends_without_a_word` is about."""
GUARD = b"Basic " + base64.b64encode(b"box:secret")
BUSY_S = 30.0
"""For a relay that has much to do on a computer that has, too."""
SETTINGS = "import asyncio, json, sys; from pathlib import Path; from lab.box.channel import relay; relay.GREETING_S = 0.2; "
SERVE = "asyncio.run(relay.serve(Path(sys.argv[1]), json.loads(sys.argv[2])))"


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a short name, for sockets."""
    with tempfile.TemporaryDirectory(prefix="c-") as name:
        yield Path(name)


async def serve(stream: Stream, target: str) -> None:
    """A box: ports are this computer's own, `refused` is not there, and everything else repeats what it hears after its own name."""
    kind, _, where = target.partition(":")
    if kind == "tcp":
        await pipe_both_ways(stream, *await asyncio.open_connection("127.0.0.1", int(where)))
    elif kind == "refused":
        raise ConnectionRefusedError("nobody is there")
    else:
        await stream.write(f"{target}\n".encode())
        while data := await stream.read():
            await stream.write(data)
        stream.write_eof()


@dataclass
class Relayed:
    """A relay that runs, and the box that it is connected with."""

    process: subprocess.Popen[bytes]
    access: Access
    channels: list[asyncio.StreamWriter] = field(default_factory=list)

    async def ask(self, request: str) -> str:
        return await asyncio.to_thread(self.access.ask, request)

    async def talk(self, socket_name: str, request: bytes) -> bytes:
        """All that comes back over one of the relay's sockets."""
        reader, writer = await asyncio.open_unix_connection(self.access.directory / socket_name)
        return await exchange(reader, writer, request)


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *pieces: bytes) -> bytes:
    """Say it, end it, and hear everything."""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]
"""Serves one attempt to connect, and returns what it heard and has not answered."""


@asynccontextmanager
async def relayed(directory: Path, *before: Answer, box_comes_s: float = 0.0, never: re.Pattern[str] = FAILURE) -> AsyncIterator[Relayed]:
    """Start a relay on a made-up box, end the box, and see how the relay does.

    Args:
        directory: for the sockets.
        before: serve the relay's first attempts to connect, before the box does, which then answers what they have not: a slow virtual
            machine does.
        box_comes_s: that much later than the relay.
        never: what the relay must not have said by then.
    """
    attempts = list(before)
    channels: list[asyncio.StreamWriter] = []
    unanswered: list[bytes] = []
    channel = Mux(lambda data: channels[-1].write(data) if channels else None, serve, dialled=False)  # runs before the relay does

    async def box(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if attempts:
            unanswered.append(await attempts.pop(0)(reader, writer))
            return
        await until(lambda: len(unanswered) == len(before))
        channels.append(writer)
        channel.feed(b"".join(unanswered))
        await asyncio.sleep(0.05)  # so that the relay reads this before what follows
        try:
            while data := await reader.read(1 << 16):
                channel.feed(data)
        finally:
            channel.lost("the owner has gone")
            writer.close()

    with start(directory, {"unix": str(directory / "agent.sock")}) as process:
        await asyncio.sleep(box_comes_s)
        async with await asyncio.start_unix_server(box, directory / "agent.sock"):
            await until(lambda: answers(directory) or process.poll() is not None)
            yield Relayed(process, Access(directory), channels)
            channels[0].close()
            code = await asyncio.to_thread(process.wait, 5)
        assert process.stderr
        said = process.stderr.read().decode()
        assert code == 0
        assert not never.search(said), said


@contextmanager
def start(directory: Path, transport: dict[str, object], more_settings: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A relay, which is killed at the end of the ``with`` block."""
    script = SETTINGS + more_settings + SERVE
    with subprocess.Popen([sys.executable, "-c", script, directory, json.dumps(transport)], stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def answers(directory: Path) -> bool:
    """Are the relay's sockets open?"""
    try:
        return bool(Access(directory).ask("pid"))
    except BoxNotRunning:
        return False


def test_the_docker_and_ssh_sockets_lead_into_the_box(directory: Path) -> None:
    async def main() -> None:
        async with relayed(directory) as box:
            assert await box.talk("docker.sock", b"GET /_ping") == b"unix:/run/docker.sock\nGET /_ping"
            assert await box.talk("ssh.sock", b"SSH-2.0") == b"sshd\nSSH-2.0"

    run(main())


def test_dial_goes_on_as_a_connection(directory: Path) -> None:
    async def main() -> None:
        async with relayed(directory) as box:
            data = os.urandom(1_000_000)
            assert await box.talk("dial.sock", b"dial unix:/a\n" + data) == b"unix:/a\n" + data
            assert await box.talk("dial.sock", b"dial refused:\n") == b""

    run(main())


def test_listen_makes_one_more_socket_as_often_as_asked(directory: Path) -> None:
    async def main() -> None:
        async with relayed(directory) as box:
            for target in ("unix:/a", "unix:/b"):
                assert await box.ask(f"listen {directory}/more {target}") == f"{directory}/more"
                assert await box.talk("more", b"!") == f"{target}\n!".encode()

    run(main())


def test_pid_and_url_answer_in_a_line(directory: Path) -> None:
    async def main() -> None:
        async with relayed(directory) as box:
            assert await box.ask("pid") == str(box.process.pid)
            one, same, other = [urlsplit(await box.ask(f"url {port}")) for port in (8080, 8080, 8081)]
            assert one == same
            assert (one.scheme, one.username, one.hostname) == ("http", "box", "127.0.0.1")
            assert len(one.password or "") >= 20
            assert (one.port, one.password) != (other.port, other.password)
            listening = psutil.Process(box.process.pid).net_connections("tcp")
            assert {(found.laddr.ip, found.laddr.port) for found in listening} == {("127.0.0.1", one.port), ("127.0.0.1", other.port)}

    run(main())


def test_nonsense_ends_in_nothing(directory: Path) -> None:
    async def main() -> None:
        async with relayed(directory) as box:
            for request in (b"", b"\n", b"dial\n", b"url http\n", b"\xff\n", b"moon 1 2 3\n"):
                assert await box.talk("dial.sock", request) == b""
            assert await box.ask("pid") == str(box.process.pid)

    run(main())


def test_it_ends_without_a_word(directory: Path) -> None:
    async def main() -> None:
        async with relayed(directory, never=re.compile(".")) as box:
            port = urlsplit(await box.ask("url 8080")).port
            with socket.create_connection(("127.0.0.1", port)), box.access.dial("unix:/a") as connection, box.access._relay():
                assert await asyncio.to_thread(connection.recv, 100) == b"unix:/a\n"
                box.channels[0].close()
                await until(lambda: box.process.poll() is not None)

    run(main())


def test_it_ends_when_the_channel_does_and_so_do_its_connections(directory: Path) -> None:
    async def main() -> None:
        async with relayed(directory) as box:
            reader, writer = await asyncio.open_unix_connection(directory / "docker.sock")
            assert await reader.readline() == b"unix:/run/docker.sock\n"
            box.channels[0].close()
            assert await reader.read() == b""
            writer.close()
            assert await asyncio.to_thread(box.process.wait, 5) == 0
            with pytest.raises(BoxNotRunning) as raised:
                box.access.ask("pid")
            assert raised.value.try_next == "course up"

    run(main())


def test_it_ends_although_somebody_keeps_connecting(directory: Path) -> None:
    def insist() -> None:
        with ExitStack() as connections, suppress(OSError):
            while True:
                connection = connections.enter_context(socket.socket(socket.AF_UNIX))
                connection.connect(str(directory / "docker.sock"))
                time.sleep(0.01)

    async def main() -> None:
        async with relayed(directory) as box:
            clients = [asyncio.to_thread(insist) for _ in range(4)]
            together = asyncio.gather(*clients)
            await asyncio.sleep(0.2)
            box.channels[0].close()
            await until(lambda: box.process.poll() is not None, BUSY_S)
            await together
            assert box.process.returncode == 0

    run(main(), BUSY_S * 2)


def test_a_box_may_come_later(directory: Path) -> None:
    async def main() -> None:
        async with relayed(directory, box_comes_s=0.5) as box:
            assert await box.talk("docker.sock", b"hello") == b"unix:/run/docker.sock\nhello"

    run(main())


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    await reader.read()
    writer.close()
    return b""


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    heard = await reader.read()
    writer.close()
    return heard


async def hangs_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.close()
    return b""


async def talks_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"nonsense" * 1000)
    return await silent(reader, writer)


@pytest.mark.parametrize("before", [[silent], [slow], [hangs_up], [talks_nonsense], [silent, hangs_up, slow]])
def test_an_attempt_without_a_greeting_is_followed_by_another(directory: Path, before: list[Answer]) -> None:
    async def main() -> None:
        async with relayed(directory, *before) as box:
            assert await box.talk("docker.sock", b"hello") == b"unix:/run/docker.sock\nhello"

    run(main())


@pytest.fixture
def agents(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A relay over the standard streams of a real agent on this computer."""
    with start(directory, {"command": [sys.executable, "-I", "-S", AGENT, "-"]}) as process:
        asyncio.run(until(lambda: answers(directory)))
        yield process


def test_a_command_is_a_channel(directory: Path, agents: subprocess.Popen[bytes]) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.close()

    async def main() -> None:
        async with await asyncio.start_unix_server(shout, directory / "shout"):
            answer = await Relayed(agents, Access(directory)).talk("dial.sock", f"dial unix:{directory}/shout\nhello".encode())
            assert answer == b"HELLO"

    run(main())


def test_a_relay_ends_with_its_command(directory: Path, agents: subprocess.Popen[bytes]) -> None:
    (agent,) = psutil.Process(agents.pid).children()
    with Access(directory).dial("moon:") as connection:
        assert connection.recv(1) == b""
    agent.kill()
    assert agents.wait(5) == 0


def test_a_killed_relay_takes_its_command_along(agents: subprocess.Popen[bytes]) -> None:
    (agent,) = [Process.of(child.pid) for child in psutil.Process(agents.pid).children()]
    agents.kill()
    asyncio.run(until(lambda: not agent.alive))


def test_where_its_last_socket_is_it_answers(directory: Path) -> None:
    slow = "from socket import socket; listen = socket.listen; socket.listen = lambda *a: __import__('time').sleep(0.2) or listen(*a); "
    with start(directory, {"command": [sys.executable, "-I", "-S", AGENT, "-"]}, slow) as process:
        asyncio.run(until((directory / "dial.sock").exists))
        assert Access(directory).ask("pid") == str(process.pid)


def test_a_command_that_fails_is_not_waited_for(directory: Path) -> None:
    with start(directory, {"command": ["false"]}) as process:
        process.wait(10)


class App(BaseHTTPRequestHandler):
    """What listens in the box: says what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        heard = {"path": self.path, "headers": list(self.headers.keys()), "body": body.decode()}
        self.server.heard.append(heard)  # type: ignore[attr-defined]
        answer = json.dumps(heard).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Web(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), App)
        self.heard: list[dict[str, object]] = []


@dataclass
class Gate:
    """A web address of the relay, and what is behind it."""

    url: str
    heard: list[dict[str, object]]

    @property
    def guard(self) -> bytes:
        parts = urlsplit(self.url)
        return b"Authorization: Basic " + base64.b64encode(f"{parts.username}:{parts.password}".encode()) + b"\r\n"

    async def raw(self, *pieces: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(self.url).port)
        return await exchange(reader, writer, *pieces)


def through_the_gate(directory: Path, visit: Callable[[Gate], Awaitable[None]]) -> None:
    """Serve a small web site in the made-up box, and visit it over its address."""

    async def main(web: Web) -> None:
        async with relayed(directory) as box:
            await visit(Gate(await box.ask(f"url {web.server_port}"), web.heard))

    with Web() as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        try:
            run(main(web))
        finally:
            web.shutdown()
            thread.join()


def test_the_address_is_all_that_a_client_needs(directory: Path) -> None:
    async def visit(gate: Gate) -> None:
        answer = await asyncio.to_thread(requests.get, f"{gate.url}/page?a=b", timeout=5)
        assert (answer.status_code, answer.json()["path"]) == (200, "/page?a=b")

    through_the_gate(directory, visit)


def test_the_password_stays_outside_the_box(directory: Path) -> None:
    async def visit(gate: Gate) -> None:
        answer = await gate.raw(b"GET / HTTP/1.1\r\nHost: a\r\n" + gate.guard + b"X-Mine: 1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert [page["headers"] for page in gate.heard] == [["Host", "X-Mine"]]

    through_the_gate(directory, visit)


def test_others_are_told_that_it_is_not_theirs(directory: Path) -> None:
    async def visit(gate: Gate) -> None:
        for given in (b"", b"Authorization: Basic " + base64.b64encode(b"box:guess") + b"\r\n", b"Authorization: Bearer x\r\n"):
            answer = await gate.raw(b"GET / HTTP/1.1\r\nHost: a\r\n" + given + b"\r\n")
            assert answer.startswith(b"HTTP/1.1 401 ")
            assert b'\r\nWWW-Authenticate: Basic realm="box"\r\n' in answer
            assert b"box.url(port)" in answer
        assert gate.heard == []

    through_the_gate(directory, visit)


def test_a_head_may_come_in_many_packets(directory: Path) -> None:
    async def visit(gate: Gate) -> None:
        request = b"GET /slowly HTTP/1.1\r\nHost: a\r\n" + gate.guard + b"\r\n"
        answer = await gate.raw(*(request[at : at + 1] for at in range(len(request))))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert [page["path"] for page in gate.heard] == ["/slowly"]

    through_the_gate(directory, visit)


def test_a_huge_head_is_refused(directory: Path) -> None:
    async def visit(gate: Gate) -> None:
        with suppress(OSError):
            assert await gate.raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 2 * relay.HEAD_LIMIT + b"\r\n" + gate.guard + b"\r\n") == b""
        assert gate.heard == []
        assert (await gate.raw(b"GET / HTTP/1.1\r\nHost: a\r\n" + gate.guard + b"\r\n")).startswith(b"HTTP/1.1 200 ")

    through_the_gate(directory, visit)


def test_a_connection_that_was_let_in_serves_more_requests(directory: Path) -> None:
    async def visit(gate: Gate) -> None:
        def browse() -> list[tuple[int, str]]:
            parts = urlsplit(gate.url)
            connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=5)
            name, _, text = gate.guard.decode().strip().partition(": ")
            seen = []
            for path, headers in (("/1", {name: text}), ("/2", {}), ("/3", {})):
                connection.request("GET", path, headers=headers)
                if path == "/1":
                    used = connection.sock
                assert connection.sock is used
                answer = connection.getresponse()
                seen.append((answer.status, json.loads(answer.read())["path"]))
            connection.close()
            return seen

        assert await asyncio.to_thread(browse) == [(200, "/1"), (200, "/2"), (200, "/3")]

    through_the_gate(directory, visit)


@pytest.mark.parametrize("size", [3, 1_000_000])
def test_a_body_passes_behind_its_head(directory: Path, size: int) -> None:
    async def visit(gate: Gate) -> None:
        head = b"POST /form HTTP/1.1\r\nHost: a\r\n" + gate.guard + b"Content-Length: %d\r\n\r\n" % size
        answer = await gate.raw(head + b"x" * size)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert gate.heard[0]["body"] == "x" * size

    through_the_gate(directory, visit)


def test_a_port_that_nobody_serves_ends_the_connection_and_a_browser_is_told(directory: Path) -> None:
    async def main() -> None:
        async with relayed(directory) as box:
            gate = Gate(await box.ask("url 1"), [])
            assert await gate.raw(b"GET / HTTP/1.1\r\n" + gate.guard + b"\r\n") == b""
            said = await gate.raw(b"GET / HTTP/1.1\r\nAccept: text/html\r\n" + gate.guard + b"\r\n")
            assert said.startswith(b"HTTP/1.1 502 ")
            assert b"Nobody listens on port 1 of the box." in said

    run(main())


@pytest.mark.parametrize(
    ("head", "passed"),
    [
        (b"GET / HTTP/1.1\r\nAuthorization: %s\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"),
        (b"GET / HTTP/1.1\r\nA: 1\r\nAUTHORIZATION:%s \r\nB: 2\r\n\r\n", b"GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n"),
        (b"GET / HTTP/1.1\r\nauthorization: %s\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"),
        (b"GET / HTTP/1.1\r\nProxy-Authorization: %s\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nX: Authorization: %s\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nAuthorization : %s\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nAuthorization: %s\r\nAuthorization: Basic eA==\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nAuthorization: %sx\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nAuthorization: \xff\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nAuthorization:\r\n\r\n", b""),
        (b"\r\n\r\n", b""),
    ],
)
def test_only_the_right_header_is_admitted_and_it_is_taken_out(head: bytes, passed: bytes) -> None:
    assert relay.without_password(head.replace(b"%s", GUARD), GUARD) == passed


def test_a_clock_that_moved_is_set_on_the_machine_once(monkeypatch: pytest.MonkeyPatch) -> None:
    moved, asked = 0.0, []
    really = time.time
    monkeypatch.setattr(relay, "CLOCK_EVERY_S", 0.01)
    monkeypatch.setattr(relay.time, "time", lambda: really() + moved)

    class Machine:
        """Takes one request a stream."""

        def open(self, target: str) -> Machine:
            asked.append((target, b""))
            return self

        async def write(self, data: bytes) -> None:
            asked[-1] = (asked[-1][0], data)

        def write_eof(self) -> None:
            pass

        async def read(self) -> bytes:
            return b""

    async def scenario() -> None:
        nonlocal moved
        keeper = asyncio.ensure_future(relay.keep_clock(Machine()))
        await asyncio.sleep(0.1)
        assert asked == []
        moved = 3600.0
        await asyncio.sleep(0.2)
        keeper.cancel()

    run(scenario())

    ((target, request),) = asked
    assert target == "control"
    assert json.loads(request)["time"] == pytest.approx(really() + 3600, abs=5)
