"""Several things done side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
AT_ONCE = 8
"""How many are under way at the same time."""


def in_parallel(action: Callable[[A], B], things: Iterable[A]) -> list[B]:
    """Do something with several things side by side.

    Returns:
        The results, in the order of the things.  If the action fails for one, its error is raised after all have ended.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun = [pool.submit(action, thing) for thing in things]  # map() would drop what waits for its turn when one fails
    return [one.result() for one in begun]
