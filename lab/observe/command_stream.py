"""A command that runs on a machine for as long as somebody listens to it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.box.machine.command import Request, Show, run

if TYPE_CHECKING:
    from lab.box.machine import Machine

FOREVER_S = 1e6


class CommandStream:
    """The connection over which what a command says is heard, until it ends or is cut.

    Args:
        machine: that it runs on.
        closed: set when no more is to be heard, before ``cut`` is called for the last time.
    """

    def __init__(self, machine: Machine, closed: threading.Event) -> None:
        self._machine, self._closed = machine, closed
        self._connection: socket.socket | None = None

    def run(self, script: str, heard: Show) -> int:
        """Run a script, and hand over what it says as it comes.

        Returns:
            Its exit code.

        Raises:
            CourseError, OSError: the machine can't be reached, went away, or the stream was cut.
        """
        self._connection = self._machine.ask_for_command()
        if self._closed.is_set():  # the last cut came before there was anything to cut
            self.cut()
        code, _ = run(self._connection, Request(script, FOREVER_S), heard)
        return code

    def cut(self) -> None:
        """End the command from another thread."""
        if connection := self._connection:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
