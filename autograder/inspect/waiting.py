"""Looking again until what is seen is as it should be.

A check does not fail because something has not happened in time: it says what it saw instead.  So this returns what was seen last, where
``lab.box.wait`` raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lab.box.errors import WaitTimeout
from lab.box.wait import wait_until

T = TypeVar("T")


def look_until(what: str, wanted: Callable[[T], bool], look: Callable[[], T], *, timeout_s: float, every_s: float) -> T:
    """Call *look* until what it returns is as *wanted*, or the time is up; what it returned last.

    Args:
        what: what is waited for, to be read after "waited for".
        wanted: says whether what was seen is enough; ``bool`` where *look* itself returns true or false.
        look: looks once.  An ``OSError`` counts as "not yet".
        timeout_s: seconds until it is given up.
        every_s: seconds between two looks.

    Raises:
        WaitTimeout: *look* has never returned anything, because it raised an OSError each time.
    """
    seen: list[T] = []

    def is_as_wanted() -> bool:
        seen[:] = [look()]
        return wanted(seen[0])

    try:
        wait_until(what, is_as_wanted, timeout_s=timeout_s, every_s=every_s)
    except WaitTimeout:
        if not seen:
            raise
    return seen[0]
