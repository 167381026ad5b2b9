"""The box's end of the channel, run for real on this computer; nothing of this computer changes."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.box.guest import mux
from lab.box.guest.mux import Link, Mux, Stream
from tests.support.loop import run, until

AGENT = Path(mux.__file__).with_name("agent.py")


def start() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-I", "-S", AGENT, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


@asynccontextmanager
async def agent() -> AsyncIterator[tuple[Mux, subprocess.Popen[bytes]]]:
    """An owner's end whose other end is the real agent, on its standard streams; at the end, it must end too."""
    with start() as process:
        assert process.stdin
        assert process.stdout
        loop = asyncio.get_running_loop()

        def arrived(data: bytes) -> None:
            if data:
                owner.feed(data)
            else:
                owner.lost("the agent has gone")

        try:
            link = Link(process.stdout.fileno(), process.stdin.fileno(), arrived)
            owner = Mux(link.write, dialled=True)
            await owner.greeted.wait()
            yield owner, process
            process.stdin.close()
            assert process.wait(5) == 0
        finally:
            loop.remove_reader(process.stdout.fileno())
            process.kill()


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short name, for sockets."""
    with tempfile.TemporaryDirectory(prefix="c-") as name:
        yield Path(name)


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer in capitals, once all has been heard."""
    writer.write((await reader.read()).upper())
    writer.close()


async def ask(owner: Mux, target: str, request: bytes) -> bytes:
    stream = owner.open(target)
    await stream.write(request)
    stream.write_eof()
    return await everything(stream)


async def everything(stream: Stream) -> bytes:
    found = bytearray()
    while data := await stream.read():
        found += data
    return bytes(found)


def test_it_connects_to_a_unix_socket(short: Path) -> None:
    async def main() -> None:
        async with await asyncio.start_unix_server(shout, short / "socket"), agent() as (owner, _):
            assert await ask(owner, f"unix:{short}/socket", b"hello") == b"HELLO"

    run(main())


def test_it_connects_to_a_port() -> None:
    async def main() -> None:
        server = await asyncio.start_server(shout, "127.0.0.1", 0)
        async with server, agent() as (owner, _):
            port = server.sockets[0].getsockname()[1]
            assert await ask(owner, f"tcp:{port}", b"hello " * 100_000) == b"HELLO " * 100_000

    run(main())


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("unix:/nowhere/socket", "No such file"),
        ("tcp:1", "Connect call failed"),
        ("tcp:http", "invalid literal"),
        ("tcp:70000", "0-65535"),
        ("unix:/" + "x" * 200, "too long"),
        ("moon:1", "no such target: moon:1"),
        ("", "no such target"),
    ],
)
def test_what_it_can_not_reach_it_refuses_and_goes_on(short: Path, target: str, why: str) -> None:
    async def main() -> None:
        async with await asyncio.start_unix_server(shout, short / "socket"), agent() as (owner, _):
            with pytest.raises(ConnectionResetError, match=why):
                await asyncio.wait_for(owner.open(target).read(), 1)
            assert await ask(owner, f"unix:{short}/socket", b"hello") == b"HELLO"

    run(main())


def test_a_target_that_goes_away_ends_the_stream(short: Path) -> None:
    async def leave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"good")
        await writer.drain()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_unix_server(leave, short / "socket"), agent() as (owner, _):
            stream = owner.open(f"unix:{short}/socket")
            assert await everything(stream) == b"good"
            stream.write_eof()
            assert owner._streams == {}

    run(main())


def test_a_killed_agent_ends_every_stream(short: Path) -> None:
    async def main() -> None:
        async with await asyncio.start_unix_server(shout, short / "socket"), agent() as (owner, process):
            stream = owner.open(f"unix:{short}/socket")
            process.kill()
            await stream.read()

    with pytest.raises(ConnectionResetError, match="the agent has gone"):
        run(main())


def open_files(process: subprocess.Popen[bytes]) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def test_it_holds_a_thousand_connections_after_one_another_without_keeping_any(short: Path) -> None:
    async def main() -> None:
        async with await asyncio.start_unix_server(shout, short / "socket"), agent() as (owner, process):
            before = open_files(process)
            for _ in range(20):
                answers = await asyncio.gather(*(ask(owner, f"unix:{short}/socket", b"a") for _ in range(50)))
                assert answers == [b"A"] * 50
            await until(lambda: open_files(process) == before)

    run(main())


def machine() -> dict[str, Any]:
    """What an identity changes, as far as this computer shows it."""
    files = ("/etc/hostname", "/etc/hosts", "/etc/machine-id", "/etc/ssh/course_host_key", "/root/.ssh/authorized_keys")
    seen = {name: Path(name).read_bytes() if os.access(name, os.R_OK) else None for name in files}
    return {**seen, "name": socket.gethostname()}


@pytest.mark.parametrize(
    "request_",
    [
        b"", b"not JSON", b"\xff\xfe", b"{}", b'{"machine_id": "0"}', b'{"time": "noon"}', b'{"entropy": "not hex"}',
        b"[]",
        b"5",
        b'{"hostname": 5}', b'{"seat": {"mac": "02:00:00:00:00:01", "address": "10.30.0.99/24"}}', b'{"peers": 5}',
    ],
)  # fmt: skip
def test_a_bad_control_request_gets_an_error_and_changes_nothing(request_: bytes) -> None:
    async def main() -> None:
        async with agent() as (owner, _):
            before, clock = machine(), time.time() - time.monotonic()
            answer = json.loads(await asyncio.wait_for(ask(owner, "control", request_), 1))
            assert set(answer) == {"error"}
            assert answer["error"].partition(":")[0].endswith("Error")
            assert machine() == before
            assert time.time() - time.monotonic() == pytest.approx(clock, abs=5)

    run(main())
