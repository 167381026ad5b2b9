"""How many machines there may be beside the box: a number, and the memory that is free."""

from __future__ import annotations

import os

from lab.box.core import memory
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import box_record
from lab.box.core.record import Origin
from lab.box.drivers.base import Backend
from lab.box.drivers.registry import BACKENDS
from lab.box.errors import CourseError, UsageError

DEFAULT_QUOTA = 5
QUOTA_VARIABLE = "COURSE_MACHINES"
"""The variable that allows more machines, or fewer."""


def require(installation: Installation, backend: str, there: int, more: int, each_mb: float = 0.0) -> None:
    """Make sure that more machines are allowed.

    Args:
        installation: whose machines.
        backend: what is to run them.
        there: how many there are.
        more: how many are to come.
        each_mb: the memory that each of them takes, in MB; what one takes that runs something small, where that is not known.

    Raises:
        UsageError: the variable that sets the quota holds no number.
        CourseError: the quota does not allow so many, or there is no memory for them.
    """
    allowed = os.environ.get(QUOTA_VARIABLE) or str(DEFAULT_QUOTA)
    if not allowed.isdecimal():
        raise UsageError(f"{QUOTA_VARIABLE} says how many machines there may be.", f"{allowed!r} is no number.", f"unset {QUOTA_VARIABLE}")
    most = int(allowed)
    if there + more > most:
        have = f"You have {there} and asked for {more} more."
        raise CourseError(
            f"The quota allows {most} machines beside your box.",
            have,
            f"machines.delete(…), or {QUOTA_VARIABLE}={there + more} in the environment",
        )
    record, runs = box_record(installation), BACKENDS[backend]
    if record and record.backend == backend and not runs.is_local(record.origin):
        return
    free, need = memory.free_mb(), (each_mb or runs.cost_mb) * more
    if need > free:
        raise CourseError(
            f"The quota allows no more machines: {more} more need {need:.0f} MB of memory.", f"{free:.0f} MB are free on this computer.",
            "machines.delete(…); course reset, which gives back what your box has used; or close some programs",
        )  # fmt: skip


def require_memory(backend: Backend, origin: Origin) -> None:
    """Make sure that there is memory for a box.

    Args:
        backend: what is to run it.
        origin: what it is to be made from.

    Raises:
        CourseError: there is not enough.
    """
    free = memory.free_mb()
    if backend.is_local(origin) and backend.cost_mb > free:
        need = f"It takes {backend.cost_mb} MB and more, and {free:.0f} MB are free on this computer."
        raise CourseError("There is not enough memory for a box.", need, "course up, once some programs are closed")
