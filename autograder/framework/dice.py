"""Where a task's parameters come from: drawn by whoever runs the notebook, so that no answer can be learnt by heart."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
FIRST_PORT, LAST_PORT = 9100, 9999


class Dice:
    """A source of parameters.

    Args:
        seed: makes them repeatable, for tests; without it they come from the operating system.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311  (a seed is for tests)

    def nonce(self, length: int = 8) -> str:
        """A word that nobody has used before."""
        return "".join(self._random.choices(string.ascii_lowercase + string.digits, k=length))

    def ports(self, count: int) -> list[int]:
        """Different TCP ports."""
        return self._random.sample(range(FIRST_PORT, LAST_PORT + 1), count)

    def integer(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return self._random.randint(least, most)

    def some(self, choices: Sequence[T], least: int, most: int) -> list[T]:
        """From *least* to *most* of the choices, in no order."""
        return self._random.sample(list(choices), self._random.randint(least, most))

    def one(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return self._random.choice(choices)
