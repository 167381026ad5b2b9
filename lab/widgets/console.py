"""``boot("c01-vm")``: a virtual machine made from nothing, and its console on the screen while it boots.

The console is a serial line: whatever kernel and init print there goes into a file, from the first moment on, when nothing else of the
machine answers yet.  The last lines of it are shown, and renewed until a shell answers.
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
LAST, WIDE = 12, 100


def boot(name: str) -> Instance:
    """A virtual machine that has booted, whatever runs the box; where there is none to be had, a machine like the box, and that is said.

    Args:
        name: of the machine.

    Raises:
        CourseError: neither could be had.
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
    """The last lines of what a console says, and how many went before."""
    lines = [line.rstrip()[:WIDE] for line in console.splitlines() if line.strip()]
    if len(lines) <= LAST:
        return "\n".join(lines) or "The power is on."
    return "\n".join([lines[0], f"… {len(lines) - LAST} lines …", *lines[1 - LAST :]])
