"""How long work shows that it goes on: one step at a time, with the fraction of it that is done.

Who shows it (a terminal, a notebook, a test) is decided further up, so this is a protocol, and the two simplest classes that follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[float], None]
"""Takes the fraction of the step that is done, 0.0 to 1.0."""


class Progress(Protocol):
    """Shows one step after another; steps are not nested."""

    def step(self, title: str) -> AbstractContextManager[Advance]:
        """Show *title*; the step ends, whether it succeeded or not, with the ``with`` block."""


class Quiet:
    """Shows nothing: for tests, and for what takes less than two seconds."""

    @contextmanager
    def step(self, title: str) -> Iterator[Advance]:  # noqa: ARG002
        """Show nothing."""
        yield lambda _fraction: None


class Printed:
    """Prints a line for each step, on standard output: for notebooks, whose cells show it."""

    @contextmanager
    def step(self, title: str) -> Iterator[Advance]:
        """Print *title*."""
        print(f"{title} …", flush=True)  # noqa: T201
        yield lambda _fraction: None
