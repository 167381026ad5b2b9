"""A Jupyter kernel inside a box, spoken to over unix sockets that the relay forwards.  Nothing listens on a port."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from lab.box.channel.access import Access
from lab.box.core.processes import CHECKOUT
from lab.box.errors import CourseError
from lab.box.machine import Machine

CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
COURSE = "/usr/local/lib/course"
PACKAGES = ("lab", "autograder", "exercises")
"""What a notebook inside a box needs of the course, where it is there."""
READY_S = 60
SHUTDOWN_S = 5


@dataclass(frozen=True)
class BoxKernel:
    """A kernel that runs in a box.

    Args:
        machine: the box.
        pid: its process id there; it leads a process group of its own.
        connection: what a Jupyter connection file holds.
        lifeline: a connection that the kernel's process holds open until it ends.
    """

    machine: Machine
    pid: int
    connection: dict[str, Any]
    lifeline: socket.socket

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        if self.lifeline.fileno() < 0:
            return False
        self.lifeline.setblocking(False)
        try:
            return bool(self.lifeline.recv(1))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def signal(self, number: int) -> None:
        """Send a signal to the kernel and to what it started."""
        self.machine.sh(f"kill -{number} -- -{self.pid} 2> /dev/null || true")

    def close(self) -> None:
        """Give up the sockets that lead to it."""
        self.lifeline.close()
        for number in range(1, len(CHANNELS) + 1):
            Path(f"{self.connection['ip']}-{number}").unlink(missing_ok=True)


def start(machine: Machine, access: Access, cwd: str) -> BoxKernel:
    """Fork a kernel from the warm one in the box.

    Args:
        machine: the box; gets the course's own code first, so that ``from lab import connect`` works in the kernel.
        access: reaches it.
        cwd: the kernel's working directory, a path in the box.

    Raises:
        CourseError: it did not start.
    """
    put_course(machine)
    name = secrets.token_hex(4)
    remote, local = f"/run/course/kernels/{name}", access.directory / f"k{name}"
    ports = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, 1)}
    connection = {"transport": "ipc", "signature_scheme": "hmac-sha256", "key": secrets.token_hex(32), **ports}
    zygote = access.dial("unix:/run/course/kernels.sock")
    try:
        zygote.settimeout(READY_S)
        zygote.sendall(json.dumps({**connection, "ip": remote, "cwd": cwd}).encode() + b"\n")
        pid = _process_id(zygote, machine)
        for number in ports.values():
            access.ask(f"listen {local}-{number} unix:{remote}-{number}")
    except BaseException:
        zygote.close()
        raise
    return BoxKernel(machine, pid, {**connection, "ip": str(local)}, zygote)


def _process_id(zygote: socket.socket, machine: Machine) -> int:
    answer = zygote.makefile().readline().strip()
    if not answer:
        raise CourseError("The box did not start a kernel.", machine.sh("tail -5 /run/course/log/zygote").stdout, "course reset")
    return int(answer)


@contextmanager
def client_of_kernel(machine: Machine, access: Access, cwd: str) -> Iterator[BlockingKernelClient]:
    """A client of a new kernel, which ends with the ``with`` block; see ``start``."""
    kernel = start(machine, access, cwd)
    client = BlockingKernelClient()
    client.load_connection_info(kernel.connection)  # type: ignore[arg-type]
    client.start_channels()
    try:
        client.wait_for_ready(timeout=READY_S)
        yield client
    finally:
        with suppress(TimeoutError):
            client.shutdown(reply=True, timeout=SHUTDOWN_S)
        client.stop_channels()
        kernel.close()


def put_course(machine: Machine) -> None:
    """Copy the course's own packages to the box.  They are not in the template, so changing them costs no rebuild."""
    for name in PACKAGES:
        if (CHECKOUT / name).is_dir():
            machine.put(CHECKOUT / name, f"{COURSE}/{name}")
