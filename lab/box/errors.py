"""What can go wrong with a box, in words for the person in front of it.

Every error that a user can cause names the thing, the cause and the next command to type.  The command line prints the three parts
and exits with ``exit_code``; a notebook shows the same text without a traceback (see ``_render_traceback_``).
"""

from __future__ import annotations


class CourseError(Exception):
    """Something that the user can mend.

    Args:
        what: what is wrong, one sentence.
        why: the cause as far as it was seen, one sentence.
        try_next: the command to type, or the thing to do, next.
    """

    exit_code = 1

    def __init__(self, what: str, why: str = "", try_next: str = "") -> None:
        self.what, self.why, self.try_next = what, why, try_next
        super().__init__(what, why, try_next)

    def __str__(self) -> str:
        parts = [self.what, self.why, f"Next: {self.try_next}" if self.try_next else ""]
        return "\n".join(part for part in parts if part)

    def _render_traceback_(self) -> list[str]:
        """IPython prints this instead of a traceback."""
        return [str(self)]


class UsageError(CourseError):
    """The user asked for something that makes no sense as typed: exit code 2."""

    exit_code = 2


class NoBackend(CourseError):
    """No backend can run a box on this computer, or the one that was asked for can't."""


class BoxNotRunning(CourseError):
    """There is no box, or it has gone away."""


class BuildError(CourseError):
    """A step of the build failed; finished steps are kept."""


class WaitTimeout(CourseError):
    """A wait ended without what it waited for; says what was seen last."""


class NotOnThisBackend(CourseError):
    """The backend can't do this; says what to do instead."""


class NotManaged(CourseError):
    """This code can use the machine, but neither see what it costs nor end it: it is inside a box, or the machine is the box itself."""
