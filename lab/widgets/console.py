"""``boot("c01-vm")``: a virtual machine that boots from nothing, with its console on the screen meanwhile.

The console is a serial line.  What the kernel and init print there goes into a file from the first moment on, when nothing else of the
machine answers yet.  The last lines of that file are shown, and renewed until the machine has a shell.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from IPython.display import DisplayHandle

from lab.box import machines
from lab.box.errors import CourseError

if TYPE_CHECKING:
    from lab.box.instances.instance import Instance

EVERY_S = 0.3
"""Seconds between two looks at the console."""
LAST, WIDE = 12, 100
"""Lines that are shown, and letters of each."""


def boot(name: str) -> Instance:
    """Boot a virtual machine, whatever runs the box.  If none can be had, it says so, and makes a machine like the box.

    Args:
        name: of the machine.

    Raises:
        CourseError: neither of the two could be made.
    """
    screen: Any = DisplayHandle()  # type: ignore[no-untyped-call]
    screen.display({"text/plain": "The power is on."}, raw=True)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(machines.create, name, cold=True, backend="microvm")
        while not coming.done():
            wait([coming], EVERY_S)
            screen.update({"text/plain": tail(machines.console(name))}, raw=True)
    try:
        return coming.result()
    except CourseError as why:
        said = f"{why.what} {why.why}\nSo this is no virtual machine, but one like your box."
        screen.update({"text/plain": said}, raw=True)
        return machines.create(name)


def tail(console: str) -> str:
    """The first and the last lines of what a console has printed, with the number of lines between them."""
    lines = [line.rstrip()[:WIDE] for line in console.splitlines() if line.strip()]
    if len(lines) <= LAST:
        return "\n".join(lines) or "The power is on."
    return "\n".join([lines[0], f"… {len(lines) - LAST} lines …", *lines[1 - LAST :]])
