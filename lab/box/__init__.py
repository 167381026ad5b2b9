"""A box: a disposable Linux machine with a real Docker Engine inside, and two ways to run it.

``up`` gives a box, ``current`` finds the one that runs, ``connect`` is what notebooks call: on the learner's computer it gives the current
box, inside a box the machine that it stands on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.box.errors import CourseError

if TYPE_CHECKING:
    from lab.box.machine import Machine

INSIDE = Path("/usr/lib/course/agent.py")


def connect() -> Machine:
    """The machine to work on: the current box, or, inside a box, that box itself.

    Raises:
        BoxNotRunning: there is none; says how to get one.
    """
    if INSIDE.exists():
        from lab.box.here import Here  # noqa: PLC0415

        return Here()
    from lab.box.life import current  # noqa: PLC0415

    return current()


__all__ = ["CourseError", "connect"]
