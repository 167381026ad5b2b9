"""What grades: checks that look at a machine's real state, and the panel that shows them while a learner works.

A notebook imports ``answer, check, connect, task, watch`` from here; nothing heavy is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.notebook import answer, check, connect, solution, task, tidy
    from autograder.panel import watch
    from autograder.progress_view import progress

__all__ = ["answer", "check", "connect", "progress", "solution", "task", "tidy", "watch"]
ELSEWHERE = {"progress": "autograder.progress_view", "watch": "autograder.panel"}


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module(ELSEWHERE.get(name, "autograder.notebook")), name)
    raise AttributeError(f"module 'autograder' has no attribute {name!r}")
