"""The owner's end of a box's access channel: a small process that lives as long as the box runs.

It holds the one channel into the box and offers it as unix sockets in a directory that only the owner can enter:

* ``docker.sock``: the Docker API;
* ``ssh.sock``: an SSH daemon;
* ``dial.sock``: the client first sends one line.  ``dial TARGET`` connects it to that target (see ``guest/agent.py``),
  ``listen PATH TARGET`` makes one more socket, ``unlisten PATH`` removes it, ``url PORT`` answers with a web address, and ``pid`` with the
  process id.

A web address must be a TCP port, and any user of the computer can connect to one.  So those ports ask for a password (HTTP's Basic
authentication, which browsers, curl and requests all take from the address itself) before they pass anything on.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import re
import secrets
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from lab.box.guest.mux import Link, Mux, pipe_both_ways

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD_LIMIT = 1 << 16
CHANNEL_TIMEOUT_S = 20
DIAL_EVERY_S = 0.005
GREETING_S = 3
CLOSE_S = 2
CLOCK_EVERY_S, CLOCK_MOVED_S = 3.0, 1.0
DENIED = (
    b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="box"\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n'
    b"This port belongs to somebody's box. Its owner's address for it, box.url(port), holds the password.\n"
)

REFUSED = (
    b"HTTP/1.1 502 Bad Gateway\r\nX-Refused: 1\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"Nobody listens on port %d of the box. Who does listen there is told by: ss -ltn\n"
)
"""For whoever can show it.  Other programs find the connection closed, as they would without the relay."""
WANTS_PAGE = re.compile(rb"^accept:.*text/html", re.IGNORECASE | re.MULTILINE)


class Relay:
    """Serves the sockets of one box.

    Args:
        directory: where the sockets go, mode 0700.
        mux: the channel.
    """

    def __init__(self, directory: Path, mux: Mux) -> None:
        self._directory, self._mux = directory, mux
        self._addresses: dict[int, str] = {}
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._web: list[asyncio.Server] = []
        self._by_path: dict[Path, asyncio.Server] = {}

    async def open(self) -> None:
        """Open the three sockets, ``dial.sock`` last: once it exists, all three accept connections."""
        await self.listen(self._directory / "docker.sock", "unix:/run/docker.sock")
        await self.listen(self._directory / "ssh.sock", "sshd")
        await self._serve(self._directory / "dial.sock", self._dial)

    async def close(self) -> None:
        """Take no more connections, end those that there are, and return when they have ended."""
        for server in (*self._web, *self._by_path.values()):
            server.close()
        for writer in self._connections.values():
            writer.transport.abort()
        self._mux.lost("the box has stopped")  # also ends streams that were opened after the channel was lost
        if self._connections:
            await asyncio.wait(self._connections, timeout=CLOSE_S)

    async def listen(self, path: Path, target: str) -> None:
        """Connect whoever connects to *path* with *target* in the box."""

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await pipe_both_ways(self._mux.open(target), reader, writer)

        await self._serve(path, carry)

    async def _serve(self, path: Path, handler: Handler) -> None:
        """Listen under another name first: a socket's name is there before anybody listens."""
        scratch = path.with_name(f".{path.name}")
        scratch.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._noted(handler), scratch)
        scratch.rename(path)
        self._unlisten(path, remove=False)
        self._by_path[path] = server

    def _unlisten(self, path: Path, *, remove: bool = True) -> None:
        """Close what listens on a path; the name goes, too, unless another socket has it already."""
        if server := self._by_path.pop(path, None):
            server.close()
            if remove:
                path.unlink(missing_ok=True)

    def _noted(self, handler: Handler) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            self._connections[task] = writer
            try:
                await handler(reader, writer)
            finally:
                del self._connections[task]
                writer.close()

        return handle

    async def _dial(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            match (await reader.readline()).decode(errors="replace").split():
                case ["dial", target]:
                    await pipe_both_ways(self._mux.open(target), reader, writer)
                case ["listen", path, target]:
                    await self.listen(Path(path), target)
                    writer.write(f"{path}\n".encode())
                case ["unlisten", path]:
                    self._unlisten(Path(path))
                    writer.write(f"{path}\n".encode())
                case ["url", port] if port.isdecimal():
                    writer.write(f"{await self._address(int(port))}\n".encode())
                case ["pid"]:
                    writer.write(f"{os.getpid()}\n".encode())

    async def _address(self, port: int) -> str:
        if port not in self._addresses:
            password = secrets.token_urlsafe(16)
            expected = b"Basic " + base64.b64encode(f"box:{password}".encode())

            async def gate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
                    head = await reader.readuntil(b"\r\n\r\n")
                    if passed := without_password(head, expected):
                        stream = self._mux.open(f"tcp:{port}")
                        await stream.write(passed)
                        await pipe_both_ways(stream, reader, writer, if_refused=REFUSED % port if WANTS_PAGE.search(head) else b"")
                        return
                    writer.write(DENIED)

            server = await asyncio.start_server(self._noted(gate), "127.0.0.1", 0, limit=HEAD_LIMIT)
            self._web.append(server)
            self._addresses[port] = f"http://box:{password}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return self._addresses[port]


def without_password(head: bytes, expected: bytes) -> bytes:
    """The request's head without the password, or nothing if it is not the right one.

    Args:
        head: request line and headers, up to and with the empty line.
        expected: the value that the Authorization header must have.
    """
    lines = head.split(b"\r\n")
    given = [line.partition(b":")[2].strip() for line in lines if line.lower().startswith(b"authorization:")]
    if len(given) != 1 or not hmac.compare_digest(given[0], expected):
        return b""
    return b"\r\n".join(line for line in lines if not line.lower().startswith(b"authorization:"))


async def serve(directory: Path, transport: dict[str, str | list[str]]) -> None:
    """Open the channel, serve the sockets, and end when the channel does.

    Args:
        directory: where the sockets go.
        transport: ``{"unix": PATH}``, a socket that may not be there yet, or ``{"command": [ARG, …]}``, whose standard streams are the
            channel.

    Raises:
        OSError: the channel did not open.
    """
    ended = asyncio.Event()
    if "unix" in transport:
        mux = await connect(str(transport["unix"]), ended)
    else:
        (from_box, its_output), (its_input, to_box) = os.pipe(), os.pipe()
        await asyncio.create_subprocess_exec(*transport["command"], stdin=its_input, stdout=its_output)
        os.close(its_input)
        os.close(its_output)
        mux = channel(from_box, to_box, ended)
        signs = [asyncio.ensure_future(sign.wait()) for sign in (mux.greeted, ended)]
        await asyncio.wait(signs, timeout=CHANNEL_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if ended.is_set() or not mux.greeted.is_set():
            raise OSError(f"no greeting from the box through: {' '.join(transport['command'])}")
    relay = Relay(directory, mux)
    await relay.open()
    clock = asyncio.ensure_future(keep_clock(mux)) if "unix" in transport else None  # a container has this computer's
    await ended.wait()
    if clock:
        clock.cancel()
    await relay.close()


async def keep_clock(mux: Mux) -> None:
    """Set a virtual machine's clock whenever this computer's was moved, or stood still with it: a lid that was closed stops both.

    A machine counts its own seconds, as this computer's monotonic clock does; what the time of day gains on that one is what it misses.
    """
    gained = time.time() - time.monotonic()
    while True:
        await asyncio.sleep(CLOCK_EVERY_S)
        now = time.time() - time.monotonic()
        if abs(now - gained) > CLOCK_MOVED_S:
            gained = now
            with suppress(ConnectionError):  # the machine is about to end
                stream = mux.open("control")
                await stream.write(json.dumps({"time": time.time()}).encode())
                stream.write_eof()
                while await stream.read():
                    pass


def channel(read_fd: int, write_fd: int, ended: asyncio.Event) -> Mux:
    """Multiplex over a pair of descriptors, and note when they end."""

    def arrived(data: bytes) -> None:
        if data:
            mux.feed(data)
        else:
            mux.lost("the box has stopped")
            ended.set()

    link = Link(read_fd, write_fd, arrived)
    mux = Mux(link.write, dialled=True)
    return mux


async def connect(path: str, ended: asyncio.Event) -> Mux:
    """Connect to a virtual machine's channel socket, again every 3 s, until its agent answers; there is no limit to the attempts.

    A port of QEMU's to which the guest wrote while nobody was connected stays silent until somebody connects and leaves; so an attempt
    that brings no greeting is given up and followed by another.
    """
    while True:
        connection = await dial(path)
        mux = channel(connection.fileno(), connection.fileno(), ended)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(mux.greeted.wait(), GREETING_S)
            _open_for_good.append(connection)
            return mux
        asyncio.get_running_loop().remove_reader(connection.fileno())
        connection.close()
        ended.clear()


async def dial(path: str) -> socket.socket:
    """Connect to a socket that QEMU is about to make.

    Raises:
        OSError: it did not come.
    """

    async def attempt() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection

    attempts = AsyncRetrying(
        stop=stop_after_delay(CHANNEL_TIMEOUT_S), wait=wait_fixed(DIAL_EVERY_S), retry=retry_if_exception_type(OSError), reraise=True
    )
    return await attempts(attempt)


_open_for_good: list[socket.socket] = []
"""Sockets whose descriptors are in use, and which must not be collected."""


if __name__ == "__main__":
    try:
        asyncio.run(serve(Path(sys.argv[1]), json.loads(sys.argv[2])))
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit(str(error))
