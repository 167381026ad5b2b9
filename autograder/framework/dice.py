"""Draws the parameters of a task: each run has others, so that no answer can be learnt by heart or handed on."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
FIRST_PORT, LAST_PORT = 9100, 9999


class Dice:
    """Draws random parameters.

    Args:
        seed: makes what is drawn repeatable, for tests; without it the operating system's randomness is used.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311  (a seed is for tests)

    def nonce(self, length: int = 8) -> str:
        """A word of random letters and digits, which nothing else is called by."""
        return "".join(self._random.choices(string.ascii_lowercase + string.digits, k=length))

    def ports(self, count: int) -> list[int]:
        """So many TCP ports from 9100 to 9999, all different."""
        return self._random.sample(range(FIRST_PORT, LAST_PORT + 1), count)

    def integer(self, least: int, most: int) -> int:
        """A whole number from *least* to *most*, both included."""
        return self._random.randint(least, most)

    def some(self, choices: Sequence[T], least: int, most: int) -> list[T]:
        """From *least* to *most* of the choices, all different, in random order."""
        return self._random.sample(list(choices), self._random.randint(least, most))

    def one(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return self._random.choice(choices)
