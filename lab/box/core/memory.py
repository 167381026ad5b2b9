"""How much memory there is for boxes: of the computer, or of the container that this process is in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

GROUPS = Path("/sys/fs/cgroup")
VERSIONS = (
    ("", "memory.max", "memory.current", ""),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
)
"""Of control groups: directory, limit, what is used, and what begins the names of counts."""


def total_mb() -> float:
    """What there is in all, in MB."""
    return min([psutil.virtual_memory().total / 1e6, *(limit for limit, _ in _limits(GROUPS))])


def free_mb() -> float:
    """What is to spare, in MB."""
    return min([psutil.virtual_memory().available / 1e6, *(left for _, left in _limits(GROUPS))])


def _limits(groups: Path) -> Iterator[tuple[float, float]]:
    """What control groups of either version allow, and what is left of it, in MB; nothing where they set no limit.

    Pages of files can be dropped, so they count as free, as they do for the whole computer.
    """
    for place, most, now, prefix in VERSIONS:
        with suppress(OSError, ValueError, KeyError):
            limit, used = int((groups / place / most).read_text()), int((groups / place / now).read_text())
            found = dict(line.split() for line in (groups / place / "memory.stat").read_text().splitlines())
            dropped = int(found[f"{prefix}inactive_file"]) + int(found[f"{prefix}active_file"])
            yield limit / 1e6, (limit - used + dropped) / 1e6
