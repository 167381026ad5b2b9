"""A Jupyter kernel that is warm before anybody asks for it.

Importing what a kernel needs takes seconds on an emulated processor, so this process does it once, before the template is saved, and forks
a kernel for each request.  Everything that must differ between kernels (key, sockets, randomness) comes after the fork: the key and the
socket names with the request, and Python's own generator is seeded anew in every forked child.

A request is one line of JSON on ``/run/course/kernels.sock``: a Jupyter connection file with ``transport: ipc``, plus ``cwd`` and ``env``.
The reply is the kernel's process id, once it listens, or a line that says why there is none.  The kernel then holds the connection open
until it ends: that tells whoever asked for it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ipykernel.kernelapp import IPKernelApp

SOCKET = Path("/run/course/kernels.sock")
KERNELS = Path("/run/course/kernels")
WARM = ("docker", "networkx", "ipykernel.debugger", "psutil", "pydoc", "sqlite3", "tornado.queues", "tornado.locks")
"""What a lesson imports, and what a kernel imports when it starts."""


def listen() -> None:
    """Fork a kernel for every request, for ever."""
    KERNELS.mkdir(parents=True, exist_ok=True)
    SOCKET.unlink(missing_ok=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(SOCKET))
        SOCKET.chmod(0o600)
        server.listen()
        while True:
            connection, _ = server.accept()
            with connection, suppress(OSError, ValueError):
                serve(connection, server)


def serve(connection: socket.socket, server: socket.socket) -> None:
    """Answer one request; in the child, never return."""
    request = json.loads(connection.makefile().readline())
    pid = os.fork()
    if pid:
        return
    try:
        server.close()
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        become_kernel(request, connection)
    except Exception as error:
        logging.getLogger("zygote").exception("a kernel failed")
        connection.sendall(" ".join(f"{type(error).__name__}: {error}".split()).encode() + b"\n")
    finally:  # whatever a kernel ends of, it must not go on as a second zygote
        os._exit(0)


def become_kernel(request: dict[str, Any], connection: socket.socket) -> None:
    """Run a kernel in this process until it is shut down.

    Args:
        request: the connection file's content, ``cwd``, and ``env``: variables that are set.
        connection: gets the process id when the kernel's sockets are bound, and is held open.
    """
    os.chdir(request.pop("cwd", "/root"))
    os.environ.update(request.pop("env", {}))
    file = KERNELS / f"{os.getpid()}.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(request))
    IPKernelApp.clear_instance()
    app = IPKernelApp.instance(connection_file=str(file), parent_handle=0)
    app.initialize(["--IPKernelApp.capture_fd_output=False", "--HistoryManager.enabled=False"])  # type: ignore[no-untyped-call]
    connection.sendall(f"{os.getpid()}\n".encode())
    app.start()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    Path("/proc/self/comm").write_text("course-kernel")  # or `killall python3` would end it, and every kernel that is made of it
    for name in WARM:
        import_module(name)
    listen()
