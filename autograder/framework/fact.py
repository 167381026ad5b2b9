"""What a check saw, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill

WIDTH = 84
"""Validate cuts a line of its report at 87 characters."""


@dataclass(frozen=True)
class Fact:
    """One thing about a machine that is as it should be, or not.

    Args:
        what: the thing, as a learner would call it.
        ok: it is as it should be.  How that would be is not kept, because it may be the answer.
        saw: what was observed, in words.
        hints: what to do about it, in up to three steps, from where to look to how; never the answer itself.
    """

    what: str
    ok: bool
    saw: str
    hints: tuple[str, ...] = ()

    def text(self, hints: int) -> str:
        """For people, with so many of its hints."""
        lines = [f"  {'✓' if self.ok else '✗'} {self.what}: {self.saw}"]
        if not self.ok:
            lines += [fill(f"→ {hint}", WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 8) for hint in self.hints[:hints]]
        return "\n".join(lines)


@dataclass(frozen=True)
class Verdict:
    """What a check comes to.

    Args:
        task: its name.
        facts: what was seen.
        parts: how many facts there are when all is seen; a check that can't go on yields fewer.
        warnings: what a learner should know although it costs nothing.
        confirmed: it has held for a while, or need not.
    """

    task: str
    facts: tuple[Fact, ...]
    parts: int
    warnings: tuple[str, ...] = ()
    confirmed: bool = True

    @property
    def score(self) -> float:
        """From 0 to 1."""
        return sum(fact.ok for fact in self.facts) / self.parts

    @property
    def passed(self) -> bool:
        """All is as it should be."""
        return self.score == 1

    def text(self, points: float | None = None, hints: int = 1) -> str:
        """For people: what was seen, fact by fact.

        Args:
            points: that a full verdict is worth, where it is graded.
            hints: how many of each fact's hints are shown.
        """
        sure = "" if self.confirmed or not self.passed else ", so far"
        done = f"{self.score * self.parts:g} of {self.parts}" if points is None else f"{self.score * points:g} of {points:g} points"
        head = f"{self.task}: {done}{sure}"
        notes = [fill(f"! {warning}", WIDTH, initial_indent="  ", subsequent_indent="    ") for warning in self.warnings]
        return "\n".join([head, *(fact.text(hints) for fact in self.facts), *notes])
