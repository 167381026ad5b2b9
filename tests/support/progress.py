"""Progress that is kept instead of shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.box.core.progress import Advance


class Titles(list[str]):
    """The steps that were shown, and how far the last one came."""

    fraction = 0.0

    @contextmanager
    def step(self, title: str) -> Iterator[Advance]:
        self.append(title)

        def advance(fraction: float) -> None:
            self.fraction = fraction

        yield advance
