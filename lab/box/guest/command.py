"""Commands that the agent runs: a shell for each, with what it says passed on as it comes.

Who asks sends frames: first a ``REQUEST``, then pieces of ``INPUT``, each when the one before was taken (``TAKEN``), an empty one at its
end, and a ``SIGNAL`` at any time.  What is said comes back as ``OUTPUT`` and ``ERRORS``, and last an ``EXIT``.

A command ends when its shell ends, as in a terminal.  What the shell has left running in the background goes on, and can go on writing:
it is read, and dropped.  The script is in a file without a name, so that ``pkill -f`` does not find its own words in an argument.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

HEADER = struct.Struct("!cI")
REQUEST, INPUT, SIGNAL, OUTPUT, ERRORS, TAKEN, EXIT = b"R", b"I", b"S", b"O", b"E", b"T", b"X"
SOCKET = "/run/course/command.sock"
"""Where code inside the box asks."""
PIECE = 1 << 16
"""Bytes that a frame of output has at most, and that are passed on at most of what arrives after the shell's end."""
KILL_AFTER_S = 2
SHELL, NOT_FOUND = "/bin/bash", 127
ENVIRONMENT = {
    "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": SHELL, "LANG": "C.UTF-8", "DOCKER_BUILDKIT": "0",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONUNBUFFERED": "1",
}  # fmt: skip
"""Without the last, what a Python program prints would be seen when it ends."""

Read = Callable[[], Awaitable[bytes]]
Write = Callable[[bytes], Awaitable[None]]


def pack(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame."""
    return HEADER.pack(kind, len(payload)) + payload


class Frames:
    """Cuts what arrives into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Take bytes, cut anywhere; yields the kind and the payload of each frame that is whole."""
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            kind, size = HEADER.unpack_from(self._buffer)
            end = HEADER.size + size
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield kind, payload


async def serve(read: Read, write: Write, environment: Mapping[str, str] = ENVIRONMENT) -> None:
    """Run one command, for whoever is at the other end; when they leave early, it is hung up.

    Args:
        read: gives the next bytes, nothing at the end.
        write: sends bytes.
        environment: of every command; it starts in the directory HOME.

    Raises:
        ValueError, TypeError: the request makes no sense.
    """
    frames, command = Frames(), None
    try:
        while data := await read():
            for kind, payload in frames.feed(data):
                if kind == REQUEST and not command:
                    command = Command(write, environment)
                    await command.begin(json.loads(payload))
                elif kind == INPUT and command:
                    command.take(payload)
                elif kind == SIGNAL and command:
                    command.signal(int(payload))
    except ConnectionError:
        pass
    finally:
        if command:
            command.signal(signal.SIGHUP)


class Command:
    """A shell that runs a script, in a session of its own.

    Args:
        write: sends bytes to whoever asked.
        environment: what it finds there, whatever is asked for; it starts in the directory HOME, or at the top where there is none.
    """

    def __init__(self, write: Write, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._home = environment["HOME"] if Path(environment["HOME"]).is_dir() else "/"
        self._write, self._one_at_a_time = write, asyncio.Lock()
        self._ended, self._timed_out = True, False
        self._wakes: list[asyncio.Event] = []
        self._input: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, asked: dict[str, Any]) -> None:
        """Start it; where that can't be, because its own programs are gone, say, tell so as a shell would."""
        try:
            await self.start(**asked)
        except OSError as error:
            await self._send(OUTPUT if asked["merged"] else ERRORS, f"{SHELL}: {error.strerror}\n".encode())
            await self._send(EXIT, json.dumps({"code": NOT_FOUND, "timed_out": False}).encode())

    async def start(self, *, script: str, environment: dict[str, str], timeout_s: float, merged: bool, reads: bool) -> None:
        """Start it.

        Args:
            script: for ``bash``.
            environment: further variables.
            timeout_s: seconds after which it gets SIGTERM, and soon SIGKILL.
            merged: errors are said between the rest, in their order.
            reads: there will be input; without, the shell reads from /dev/null.
        """
        text = os.memfd_create("script")
        with open(text, "wb", closefd=False) as file:  # noqa: ASYNC230  (in memory)
            file.write(script.encode())
        output, its_output = os.pipe()
        errors, its_errors = (-1, its_output) if merged else os.pipe()
        its_input, inward = os.pipe() if reads else (os.open(os.devnull, os.O_RDONLY), -1)
        try:
            self._process = await asyncio.create_subprocess_exec(
                "bash", "-c", f'eval "$(</dev/fd/{text})" {text}<&-', executable=SHELL,
                stdin=its_input, stdout=its_output, stderr=its_errors, pass_fds=[text], start_new_session=True,
                cwd=self._home, env={**self._environment, **environment},
            )  # fmt: skip
        except OSError:
            for descriptor in {output, errors, inward} - {-1}:
                os.close(descriptor)
            raise
        finally:
            for descriptor in {text, its_output, its_errors, its_input}:
                os.close(descriptor)
        self._ended = False
        loop = asyncio.get_running_loop()
        if reads:
            pipe = os.fdopen(inward, "wb", buffering=0)
            transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
            self._input = asyncio.StreamWriter(transport, protocol, None, loop)
        self._timer = loop.call_later(timeout_s, self._time_is_up)
        pumps = [self._forward(output, OUTPUT), *([] if merged else [self._forward(errors, ERRORS)])]
        self._spawn(self._watch([asyncio.ensure_future(pump) for pump in pumps]))

    def take(self, data: bytes) -> None:
        """Write a piece of input to it, and say so when it was taken; nothing: its input ends."""
        if self._input and not data:
            self._input.close()
        elif self._input:
            self._spawn(self._taken(self._input, data))

    def signal(self, number: int) -> None:
        """Send a signal to the shell, and to all that it has started and that has not left its process group; none once it has ended."""
        if not self._ended:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
                os.killpg(self._process.pid, signal.SIGCONT)  # one that is stopped would not hear it

    def _time_is_up(self) -> None:
        self._timed_out = True
        self.signal(signal.SIGTERM)
        self._timer = asyncio.get_running_loop().call_later(KILL_AFTER_S, self.signal, signal.SIGKILL)

    async def _taken(self, its_input: asyncio.StreamWriter, data: bytes) -> None:
        with suppress(ConnectionError):
            its_input.write(data)
            await its_input.drain()
        await self._send(TAKEN)

    async def _watch(self, pumps: list[asyncio.Future[None]]) -> None:
        code = await self._process.wait()
        self._ended = True
        self._timer.cancel()
        for wake in self._wakes:
            wake.set()
        await asyncio.gather(*pumps)
        if self._input:
            self._input.close()
        answer: dict[str, Any] = {"code": code if code >= 0 else 128 - code, "timed_out": self._timed_out}
        await self._send(EXIT, json.dumps(answer).encode())

    async def _forward(self, descriptor: int, kind: bytes) -> None:
        """Pass on what is said, until the shell has ended and nothing more is there; drop what comes later."""
        loop, wake, left = asyncio.get_running_loop(), asyncio.Event(), PIECE
        self._wakes.append(wake)
        os.set_blocking(descriptor, False)
        while left > 0:
            ended = self._ended  # before looking: what the shell said last is there by then
            try:
                data = os.read(descriptor, PIECE)
            except BlockingIOError:
                if ended:
                    break
                loop.add_reader(descriptor, wake.set)
                await wake.wait()
                loop.remove_reader(descriptor)
                wake.clear()
                continue
            if not data:
                os.close(descriptor)
                return
            await self._send(kind, data)
            left -= len(data) if ended else 0
        loop.add_reader(descriptor, _drop, descriptor)

    async def _send(self, kind: bytes, payload: bytes = b"") -> None:
        with suppress(ConnectionError):
            async with self._one_at_a_time:
                await self._write(pack(kind, payload))

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _drop(descriptor: int) -> None:
    """Read what a process in the background says, so that it can go on saying it."""
    with suppress(BlockingIOError):
        if not os.read(descriptor, PIECE):
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
