"""A Jupyter kernel inside a box, spoken to over unix sockets that the relay forwards.  Nothing listens on a port."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_client.blocking.client import BlockingKernelClient

from lab.box.access import Access
from lab.box.errors import CourseError

if TYPE_CHECKING:
    from lab.box.box import Box

CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
COURSE = "/usr/local/lib/course"
PACKAGES = ("lab", "autograder", "exercises")
"""What a notebook inside a box needs of the course, where it is there."""
READY_S = 60
SHUTDOWN_S = 5


@contextmanager
def start(box: Box, access: Access, cwd: str) -> Iterator[BlockingKernelClient]:
    """Fork a kernel in the box and connect to it.

    Args:
        box: has the course's own code put on it first, so that ``from lab import connect`` works in the kernel.
        access: reaches it.
        cwd: its working directory in the box.

    Raises:
        CourseError: it did not start.
    """
    put_course(box)
    name = secrets.token_hex(4)
    remote, local = f"/run/course/kernels/{name}", access.directory / f"k{name}"
    ports = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, 1)}
    connection = {"transport": "ipc", "signature_scheme": "hmac-sha256", "key": secrets.token_hex(32), **ports}
    with access.dial("unix:/run/course/kernels.sock") as zygote:
        zygote.settimeout(READY_S)
        zygote.sendall(json.dumps({**connection, "ip": remote, "cwd": cwd}).encode() + b"\n")
        if not zygote.makefile().readline().strip():
            raise CourseError("The box did not start a kernel.", box.sh("tail -5 /run/course/log/zygote").stdout, "course reset")
    for number in ports.values():
        access.ask(f"listen {local}-{number} unix:{remote}-{number}")
    client = BlockingKernelClient()
    client.load_connection_info({**connection, "ip": str(local)})  # type: ignore[typeddict-item]
    client.start_channels()
    try:
        client.wait_for_ready(timeout=READY_S)
        yield client
    finally:
        with suppress(TimeoutError):
            client.shutdown(reply=True, timeout=SHUTDOWN_S)
        client.stop_channels()
        for number in ports.values():
            Path(f"{local}-{number}").unlink(missing_ok=True)


def put_course(box: Box) -> None:
    """Copy the course's own packages to the box.  They are not in the template, so changing them costs no rebuild."""
    checkout = Path(__file__).parents[2]
    for name in PACKAGES:
        if (checkout / name).is_dir():
            box.put(checkout / name, f"{COURSE}/{name}")
