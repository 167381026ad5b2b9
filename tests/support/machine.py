"""This computer as a machine without Docker, for tests of what only wants a shell and files."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from concurrent.futures import Future
from functools import cache
from pathlib import Path

from lab.box.guest import command
from lab.box.machine import Machine


@cache
def loop() -> asyncio.AbstractEventLoop:
    """An event loop that goes on, as an agent's does."""
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, daemon=True).start()
    return made


class Local(Machine):
    """Commands run here, by the agent's own code.

    Args:
        home: their working directory.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def ask_for_command(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        served = asyncio.run_coroutine_threadsafe(self._serve(theirs), loop())
        _under_way.add(served)  # a loop itself does not keep what it runs
        served.add_done_callback(_under_way.discard)
        return ours

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=connection)

        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        await command.serve(lambda: reader.read(1 << 16), write, {**os.environ, "HOME": str(self._home)})
        writer.close()


_under_way: set[Future[None]] = set()
