"""How a lesson reports what was observed: as a table, as bars, and beside what a learner predicted.

Predictions are ordinary variables; one that was left as ``...`` is reported as not made, so a notebook runs unattended.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

BAR = 40
"""Characters of the longest bar."""
SHOWN_AFTER_S = 1.0
"""Seconds that something may take without anything being said about it."""


class RenewedLine:
    """A line that tells how far something is, renewed in its place, in a notebook or a terminal, for as long as a ``with`` block lasts.

    It is not shown where something is over at once, nor where nobody reads it: in a file, or a pipe.

    Args:
        after_s: seconds until it is shown.
    """

    def __init__(self, after_s: float = SHOWN_AFTER_S) -> None:
        self._began, self._after_s = time.monotonic(), after_s
        self._show: Callable[[str], None] | None = None
        self._last = ""

    @property
    def hidden_s(self) -> float:
        """Seconds until it may be shown; 0 from then on."""
        return max(0.0, self._began + self._after_s - time.monotonic())

    def say(self, text: str) -> None:
        """Show a text in the place of the one before, unless it is too early."""
        if text != self._last and not self.hidden_s:
            self._show, self._last = self._show or _place(), text
            self._show(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._show:
            self._show(f"{self._last} after {time.monotonic() - self._began:.1f} s\n")


def table(*rows: Sequence[object]) -> str:
    """Rows as lines of text in columns; the first row is the heading."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def bars(measured: Mapping[str, float], unit: str = "s") -> None:
    """Print numbers as bars side by side, to be compared; a whole number is printed without decimals.

    Args:
        measured: the numbers, by name.
        unit: that is printed after each; seconds where none is named.
    """
    longest, most = max(map(len, measured)), max(*measured.values(), 1e-9)
    for name, value in measured.items():
        number = f"{value}" if isinstance(value, int) else f"{value:.2f}"
        print(f"{name:<{longest}}  {'█' * max(1, round(BAR * value / most))} {number} {unit}".rstrip())  # noqa: T201


def verdict(predicted: object, measured: object) -> str:
    """What was predicted beside what was measured, in words.

    Args:
        predicted: ``...`` or nothing where no prediction was made.
        measured: text, a number, a list or a set.
    """
    if predicted is ... or predicted is None:
        return f"You made no prediction. Measured: {_words(measured)}."
    end = "As you said." if agrees(predicted, measured) else "Not what you said: that is where to look closer."
    said = _members(predicted) if isinstance(measured, set | frozenset) else predicted
    return f"You said: {_words(said)}. Measured: {_words(measured)}.\n{end}"


def agrees(predicted: object, measured: object) -> bool:
    """Whether a prediction came true.

    A number agrees with the text of the same number.  A set agrees with a list, or with a text, that names the same members in any order.
    """
    if isinstance(measured, set | frozenset):
        return set(map(str, _members(predicted))) == set(map(str, measured))
    return predicted == measured or str(predicted) == str(measured)


def mark(answers: Sequence[object], facts: Sequence[object]) -> None:
    """Print, for each answer of a quiz, whether it is right.

    Args:
        answers: in the order of the questions; ``...`` where there is none yet, and then the fact is not shown.
        facts: what was measured, in the same order.
    """
    for number, (answer, fact) in enumerate(zip(answers, facts, strict=True), 1):
        result = "open" if answer is ... else "right" if answer == fact else f"no, the box says {_words(fact)}"
        print(f"{number}. {result}")  # noqa: T201


def _place() -> Callable[[str], None]:
    """What shows a text in the place of the one before; a line break at its end is the end of it."""
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if hasattr(shell, "kernel"):
        from IPython.display import DisplayHandle  # noqa: PLC0415  (it is there, and elsewhere nobody needs it)

        handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        handle.display({"text/plain": ""}, raw=True)
        return lambda text: handle.update({"text/plain": text.rstrip()}, raw=True)
    return _in_a_terminal if sys.stdout.isatty() else lambda _: None


def _in_a_terminal(text: str) -> None:
    line, end, _ = text.partition("\n")
    print(f"\r{line}\x1b[K", end=end, flush=True)  # noqa: T201


def _members(predicted: object) -> set[object]:
    return set(re.findall(r"[\w-]+", predicted) if isinstance(predicted, str) else predicted)  # type: ignore[call-overload,no-any-return]


def _words(value: object) -> str:
    if isinstance(value, set | frozenset):
        return ", ".join(sorted(map(str, value))) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
