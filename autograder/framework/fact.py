"""What a check has seen: facts, and the verdict that they make together."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill

WIDTH = 84
"""Characters of a line: nbgrader's Validate cuts a line at 87."""


@dataclass(frozen=True)
class Fact:
    """One thing that was looked at, and whether it is right.

    Args:
        what: the thing, as a learner would call it.
        ok: it is right.  What would be right is not kept, because that may be the answer.
        saw: what was seen, in words.
        hints: up to three hints, the first says where to look, the last how to do it; never the answer itself.
    """

    what: str
    ok: bool
    saw: str
    hints: tuple[str, ...] = ()

    def text(self, hints: int) -> str:
        """The fact in lines of text, with so many of its hints where it is wrong."""
        lines = [f"  {'✓' if self.ok else '✗'} {self.what}: {self.saw}"]
        if not self.ok:
            lines += [fill(f"→ {hint}", WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 8) for hint in self.hints[:hints]]
        return "\n".join(lines)


@dataclass(frozen=True)
class Verdict:
    """The result of a check.

    Args:
        task: its name.
        facts: what was seen.
        parts: how many facts there are when the check can look at everything; one that can't go on yields fewer.
        warnings: what a learner should know, although it costs no points.
        confirmed: the state has lasted for a while, or does not have to.
    """

    task: str
    facts: tuple[Fact, ...]
    parts: int
    warnings: tuple[str, ...] = ()
    confirmed: bool = True

    @property
    def score(self) -> float:
        """The share of the facts that is right, from 0 to 1; facts that are missing count as wrong."""
        return sum(fact.ok for fact in self.facts) / self.parts

    @property
    def passed(self) -> bool:
        """Whether all facts are right."""
        return self.score == 1

    def text(self, points: float | None = None, hints: int = 1) -> str:
        """The verdict in lines of text, fact by fact.

        Args:
            points: the points of a complete task; None where it is not graded.
            hints: how many hints of each wrong fact are shown.
        """
        sure = "" if self.confirmed or not self.passed else ", so far"
        done = f"{self.score * self.parts:g} of {self.parts}" if points is None else f"{self.score * points:g} of {points:g} points"
        head = f"{self.task}: {done}{sure}"
        notes = [fill(f"! {warning}", WIDTH, initial_indent="  ", subsequent_indent="    ") for warning in self.warnings]
        return "\n".join([head, *(fact.text(hints) for fact in self.facts), *notes])
