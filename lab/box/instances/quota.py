"""How many machines there may be beside the box: a number, and the memory that is free."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil

from lab.box.core.installation import Installation
from lab.box.core.instance_dir import box_record
from lab.box.drivers.registry import BACKENDS
from lab.box.errors import CourseError, UsageError

DEFAULT_QUOTA = 5
QUOTA_VARIABLE = "COURSE_MACHINES"
"""The variable that allows more machines, or fewer."""
GROUPS = Path("/sys/fs/cgroup")


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
    free, need = free_mb(), (each_mb or runs.cost_mb) * more
    if need > free:
        raise CourseError(
            f"The quota allows no more machines: {more} more need {need:.0f} MB of memory.", f"{free:.0f} MB are free on this computer.",
            "machines.delete(…), or close some programs",
        )  # fmt: skip


def free_mb() -> float:
    """The memory that this process's computer, or the container that it is in, has to spare, in MB."""
    return min([psutil.virtual_memory().available / 1e6, *_left_in_group(GROUPS)])


def _left_in_group(groups: Path) -> list[float]:
    """What a control group, of either version, allows beyond what is used and can't be dropped; nothing where it sets no limit."""
    versions = (
        (groups, "memory.max", "memory.current", "inactive_file"),
        (groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    )
    left = []
    for group, most, now, dropped in versions:
        with suppress(OSError, ValueError, KeyError):
            limit, used = int((group / most).read_text()), int((group / now).read_text())
            kept = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            left.append((limit - used + int(kept[dropped])) / 1e6)
    return left
