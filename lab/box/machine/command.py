"""Asking a machine's agent to run a command: see ``guest/command.py`` for the other end."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from lab.box.errors import BoxNotRunning, WaitTimeout
from lab.box.guest.command import EXIT, INPUT, OUTPUT, REQUEST, SIGNAL, TAKEN, Frames, pack

ANSWER_S = 15.0
"""Seconds beyond a command's own time after which the machine is taken for one that does not answer."""
PIECE = 1 << 18
ESCALATION = ((signal.SIGINT, 10.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, ANSWER_S))
"""What an interrupted command gets, and the seconds until it gets the next; a further interrupt brings the next at once."""

Show = Callable[[str, bytes], None]
"""Told ``"stdout"`` or ``"stderr"`` and what was said there, as it comes."""


@dataclass(frozen=True)
class Request:
    """What is to be run.

    Args:
        script: for ``bash``.
        timeout_s: seconds after which it is ended.
        environment: variables by name.
        stdin: what it reads; empty for none.
        merged: errors are said between the rest, in their order.
    """

    script: str
    timeout_s: float
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    merged: bool = False


def connected(path: str) -> socket.socket:
    """A connection to a socket; the caller closes it.

    Raises:
        BoxNotRunning: nobody answers there.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError as error:
        connection.close()
        raise BoxNotRunning("The machine runs no command.", f"Its agent does not answer: {error.strerror}.", "course status") from None
    return connection


def run(connection: socket.socket, request: Request, show: Show) -> tuple[int, bool]:
    """Run a command on the machine that a connection leads to; the connection is closed.

    An interrupt is passed on, as a terminal does with Ctrl-C, and raised when the command has ended.

    Args:
        connection: to the agent's ``command``.
        request: see there.
        show: gets what is said.

    Returns:
        Its exit code, and whether its time was up.

    Raises:
        BoxNotRunning: the connection broke off.
        WaitTimeout: the machine does not answer.
        KeyboardInterrupt: it was interrupted, and has ended.
    """
    conversation = _Conversation(connection, request, show)
    with connection:
        conversation.begin()
        while True:
            try:
                return conversation.hold()
            except Interrupted:
                raise KeyboardInterrupt from None
            except KeyboardInterrupt:
                conversation.interrupt()


def collect(connection: socket.socket, request: Request) -> tuple[int, bytes, bytes, bool]:
    """Run a command as ``run`` does, and keep what it says.

    Returns:
        Its exit code, its output, its errors, and whether its time was up.
    """
    said: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    code, timed_out = run(connection, request, lambda where, data: said[where].extend(data))
    return code, bytes(said["stdout"]), bytes(said["stderr"]), timed_out


class Interrupted(Exception):
    """An interrupt was passed on, and has done its work."""


class _Conversation:
    """What was said, and what may still be said, to one command."""

    def __init__(self, connection: socket.socket, request: Request, show: Show) -> None:
        self._connection, self._request, self._show = connection, request, show
        self._frames = Frames()
        self._pieces = _pieces(request.stdin)
        self._deadline = time.monotonic() + request.timeout_s + ANSWER_S
        self._signals = iter(ESCALATION)
        self._interrupted, self._half_sent = False, False

    def begin(self) -> None:
        """Send the request, and the first piece of its input."""
        asked = self._request
        words = {
            "script": asked.script, "environment": dict(asked.environment), "timeout_s": asked.timeout_s,
            "merged": asked.merged, "reads": bool(asked.stdin),
        }  # fmt: skip
        self._send(REQUEST, json.dumps(words).encode())
        if asked.stdin:
            self._send(INPUT, next(self._pieces))

    def hold(self) -> tuple[int, bool]:
        """Pass things on until the command has ended; then its exit code, and whether its time was up."""
        data = b""  # what arrived before an interrupt may still be unread
        while True:
            for kind, payload in self._frames.feed(data):
                if kind == EXIT:
                    ended = json.loads(payload)
                    if self._interrupted:
                        raise Interrupted
                    return int(ended["code"]), bool(ended["timed_out"])
                if kind == TAKEN:
                    self._send(INPUT, next(self._pieces, b""))
                else:
                    self._show("stdout" if kind == OUTPUT else "stderr", payload)
            data = self._receive()

    def _receive(self) -> bytes:
        while True:
            self._connection.settimeout(max(0.01, self._deadline - time.monotonic()))
            try:
                data = self._connection.recv(PIECE)
            except TimeoutError:
                self._escalate()
                continue
            except ConnectionError:
                data = b""
            if data:
                return data
            if self._interrupted:
                raise Interrupted
            raise BoxNotRunning("The connection broke off while a command ran.", "The machine, or its agent, was ended.", "course up")

    def _escalate(self) -> None:
        if not self._interrupted:
            seconds = self._request.timeout_s + ANSWER_S
            raise WaitTimeout(f"The box did not answer within {seconds:g} s.", "", "course status")
        self.interrupt()

    def interrupt(self) -> None:
        """Send the next signal, and wait a while longer."""
        self._interrupted = True
        step = next(self._signals, None)
        if self._half_sent or not step:
            raise Interrupted
        number, patience_s = step
        self._send(SIGNAL, b"%d" % number)
        self._deadline = time.monotonic() + patience_s

    def _send(self, kind: bytes, payload: bytes) -> None:
        self._half_sent = True
        with suppress(ConnectionError):  # why is told when it is read from
            self._connection.settimeout(ANSWER_S)
            self._connection.sendall(pack(kind, payload))
        self._half_sent = False


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + PIECE] for start in range(0, len(data), PIECE))
