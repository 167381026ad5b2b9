"""The box's end of its access channel.

Started by init on the virtio-serial port (``agent.py /dev/virtio-ports/course``) or by ``docker exec`` on its standard streams
(``agent.py -``).  It connects streams to what runs in the box: ``unix:PATH``, ``tcp:PORT``, ``sshd`` (a daemon per connection, and
no port at all), ``command`` (see ``command.py``), and ``control``: one JSON request, one JSON reply.  Code inside the box asks for a
command on a socket there.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import command
import identity
from mux import CHUNK, Link, Mux, Stream, pipe_both_ways

SSHD = ("/usr/sbin/sshd", "-i", "-e", "-f", "/etc/course/sshd_config")
REOPEN_S = 0.02
READY = Path("/run/course/ready")


async def accept(stream: Stream, target: str) -> None:
    """Serve one stream.

    Raises:
        OSError: nothing answers at the target.
        ValueError: the target is of no kind that there is.
    """
    kind, _, where = target.partition(":")
    if kind == "unix":
        await pipe_both_ways(stream, *await asyncio.open_unix_connection(where))
    elif kind == "tcp":
        await pipe_both_ways(stream, *await asyncio.open_connection("127.0.0.1", int(where)))
    elif kind == "sshd":
        await shell(stream)
    elif kind == "command":
        await command.serve(stream.read, stream.write)
        stream.reset()
    elif kind == "control":
        await control(stream)
    else:
        raise ValueError(f"no such target: {target}")


async def shell(stream: Stream) -> None:
    """Give the stream an SSH daemon of its own."""
    ours, theirs = socket.socketpair()
    with theirs:
        daemon = await asyncio.create_subprocess_exec(
            *SSHD, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=asyncio.subprocess.DEVNULL
        )
    try:
        await pipe_both_ways(stream, *await asyncio.open_unix_connection(sock=ours))
    finally:
        await daemon.wait()


async def control(stream: Stream) -> None:
    """Answer one request: make this clone a machine of its own, set its clock, or tell it who else is on its segment."""
    request = b""
    while data := await stream.read():
        request += data
    try:
        asked = json.loads(request)
        if identity.is_identity(asked):
            await set_up()
            reply = identity.apply_identity(asked)
        elif list(asked) == ["time"]:
            reply = identity.set_clock(asked)
        else:
            reply = identity.set_peers(asked)
    except Exception as error:  # noqa: BLE001  (whatever it was, the owner gets an answer)
        reply = {"error": f"{type(error).__name__}: {error}"}
    await stream.write(json.dumps(reply).encode())
    stream.write_eof()


async def serve_commands() -> None:
    """Run commands for code inside the box, as soon as there is a place for the socket."""
    path, under_way = Path(command.SOCKET), set()
    await set_up()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        under_way.add(task := asyncio.current_task())  # a loop itself does not keep what it runs
        with suppress(OSError, ValueError, KeyError, TypeError):
            await command.serve(lambda: reader.read(CHUNK), write)
        writer.close()
        under_way.discard(task)

    path.unlink(missing_ok=True)  # noqa: ASYNC240
    server = await asyncio.start_unix_server(serve, path)
    path.chmod(0o600)  # noqa: ASYNC240
    async with server:
        await server.serve_forever()


async def set_up() -> None:
    """Return when the machine is set up: in a container this runs beside that, and a new /run is laid over what is written too early."""
    while not READY.exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(REOPEN_S)


async def serve_port(path: str) -> None:
    """Serve the virtio-serial port for ever.  While nobody has the other end open it reads as ended, so look again soon."""
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    loop = asyncio.get_running_loop()

    def arrived(data: bytes) -> None:
        if data:
            mux.feed(data)
        else:
            mux.lost("the other end has gone")
            loop.call_later(REOPEN_S, link.resume)

    link = Link(fd, fd, arrived)
    mux = Mux(link.write, accept, dialled=False)
    await asyncio.Event().wait()


async def serve_stdio() -> None:
    """Serve standard input and output until they end."""
    ended = asyncio.Event()

    def arrived(data: bytes) -> None:
        if data:
            mux.feed(data)
        else:
            mux.lost("the other end has gone")
            ended.set()

    link = Link(0, 1, arrived)
    mux = Mux(link.write, accept, dialled=False)
    await ended.wait()


async def main(channel: str) -> None:
    """Serve the channel, and code inside the box; end with the channel."""
    Path("/proc/self/comm").write_text("course-agent")  # noqa: ASYNC240  (or `killall python3` would end it)
    inside = asyncio.ensure_future(serve_commands())
    await (serve_stdio() if channel == "-" else serve_port(channel))
    inside.cancel()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
