"""A Jupyter kernel inside a box, spoken to over unix sockets that the relay forwards.  Nothing listens on a port."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from lab.box.channel.access import Access
from lab.box.core.processes import CHECKOUT
from lab.box.errors import BoxNotRunning, CourseError, WaitTimeout
from lab.box.machine import Machine
from lab.box.wait import wait_for

CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
COURSE = "/usr/local/lib/course"
PACKAGES = ("lab", "autograder", "exercises")
"""What a notebook inside a box needs of the course, where it is there."""
LOG = "/run/course/log/zygote"
READY_S = 60
SHUTDOWN_S = 5


@dataclass(frozen=True)
class BoxKernel:
    """A kernel that runs in a box.

    Args:
        machine: the box.
        access: reaches it.
        pid: its process id there; it leads a process group of its own.
        connection: what a Jupyter connection file holds.
        lifeline: a connection that the kernel's process holds open until it ends.
    """

    machine: Machine
    access: Access
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
            return bool(self.lifeline.recv(1024))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def signal(self, number: int) -> None:
        """Send a signal to the kernel and to what it started."""
        self.machine.sh(f"kill -{number} -- -{self.pid} 2> /dev/null || true")

    def kill(self) -> None:
        """End the kernel and what it started at once, and give up the sockets that lead to it."""
        if self.alive:
            self.signal(signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """Give up the sockets that lead to it."""
        self.lifeline.close()
        with suppress(BoxNotRunning):
            for number in range(1, len(CHANNELS) + 1):
                self.access.ask(f"unlisten {self.connection['ip']}-{number}")


def new_connection(access: Access) -> dict[str, Any]:
    """What the connection file of a new kernel holds: sockets of its own, and a key.

    Args:
        access: reaches the box.
    """
    ports = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, 1)}
    sockets = access.directory / f"k{secrets.token_hex(4)}"
    return {"transport": "ipc", "signature_scheme": "hmac-sha256", "key": secrets.token_hex(32), "ip": str(sockets), **ports}


def start(
    machine: Machine, access: Access, cwd: str, connection: dict[str, Any] | None = None, environment: dict[str, str] | None = None
) -> BoxKernel:
    """Fork a kernel from the warm one in the box.

    Args:
        machine: the box; gets the course's own code first, so that ``from lab import connect`` works in the kernel.
        access: reaches it.
        cwd: the kernel's working directory, a path in the box.
        connection: of a kernel that ended, and that this one takes the place of; a new one if not given.
        environment: variables that are set for the kernel.

    Raises:
        CourseError: it did not start.
    """
    put_course(machine)
    connection = connection or new_connection(access)
    remote = f"/run/course/kernels/{Path(connection['ip']).name}-{secrets.token_hex(2)}"
    request = {**connection, "ip": remote, "cwd": cwd, "env": environment or {}}
    try:
        # The warm kernel of a box that has only just come up has not yet imported all that makes it warm.
        pid, lifeline = wait_for("a kernel", lambda: _fork(access, request), timeout_s=READY_S, every_s=0.1)
    except WaitTimeout as error:
        raise CourseError("The box did not start a kernel.", f"{error}\n{machine.sh(f'tail -5 {LOG}').stdout}", "course reset") from None
    kernel = BoxKernel(machine, access, pid, connection, lifeline)
    try:
        for number in range(1, len(CHANNELS) + 1):
            _listen(access, f"{connection['ip']}-{number}", f"unix:{remote}-{number}")
    except BaseException:
        kernel.kill()
        raise
    return kernel


def _listen(access: Access, path: str, target: str) -> None:
    if access.ask(f"listen {path} {target}") != path:
        raise CourseError("The kernel in the box can't be reached.", f"The relay could not open {path}.", "course reset")


def _fork(access: Access, request: dict[str, Any]) -> tuple[int, socket.socket]:
    """The process id of a new kernel, and the connection that it holds open; ConnectionError where there is no warm one to fork."""
    with ExitStack() as unless_it_started:
        zygote = unless_it_started.enter_context(access.dial("unix:/run/course/kernels.sock"))
        zygote.settimeout(READY_S)
        zygote.sendall(json.dumps(request).encode() + b"\n")
        answer = zygote.makefile().readline().strip()
        if not answer:
            raise ConnectionError("the warm kernel does not answer")
        if not answer.isdigit():
            raise CourseError("The box did not start a kernel.", f"{answer}.", "course reset")
        unless_it_started.pop_all()
    return int(answer), zygote


@contextmanager
def client_of_kernel(machine: Machine, access: Access, cwd: str) -> Iterator[BlockingKernelClient]:
    """A client of a new kernel, which ends with the ``with`` block; see ``start``."""
    kernel = start(machine, access, cwd)
    client = BlockingKernelClient()
    client.load_connection_info(kernel.connection)  # type: ignore[arg-type]
    client.start_channels()
    try:
        _await(client)
        yield client
    finally:
        with suppress(TimeoutError):
            client.shutdown(reply=True, timeout=SHUTDOWN_S)
        client.stop_channels()
        kernel.kill()


def _await(client: BlockingKernelClient) -> None:
    """Return when the kernel answers.  Jupyter takes one for dead whose heart misses a second, which happens to an emulated one."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            return client.wait_for_ready(timeout=max(1.0, deadline - time.monotonic()))
        except RuntimeError as error:
            if time.monotonic() >= deadline:
                raise CourseError("The kernel in the box did not answer.", f"{error}.", "course reset") from None


def put_course(machine: Machine) -> None:
    """Copy the course's own packages to the box.  They are not in the template, so changing them costs no rebuild."""
    for name in PACKAGES:
        if (CHECKOUT / name).is_dir():
            machine.put(CHECKOUT / name, f"{COURSE}/{name}")
