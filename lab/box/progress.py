"""How long work tells that it goes on: one step at a time, with a fraction done.

Who shows it (a terminal, a notebook, a test) is not this layer's business, so this is a protocol and its quietest reader.
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
        """Announce *title*; the step ends, well or not, with the ``with`` block."""


class Quiet:
    """Shows nothing: for tests, and for what takes less than two seconds."""

    @contextmanager
    def step(self, title: str) -> Iterator[Advance]:  # noqa: ARG002
        """Swallow *title*."""
        yield lambda _fraction: None
