"""Grading: checks that look at the real state of a machine, and what shows their verdicts to a learner.

A notebook imports ``answer, check, connect, task, watch`` and the like from here.  Each is loaded when it is first used, because some are
slow to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.notebook import answer, check, solution, task, tidy
    from autograder.panel import watch
    from autograder.progress_view import progress
    from lab.box import connect

__all__ = ["answer", "check", "connect", "progress", "solution", "task", "tidy", "watch"]
NOT_IN_NOTEBOOK = {"connect": "lab.box", "progress": "autograder.progress_view", "watch": "autograder.panel"}


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module(NOT_IN_NOTEBOOK.get(name, "autograder.notebook")), name)
    raise AttributeError(f"module 'autograder' has no attribute {name!r}")
