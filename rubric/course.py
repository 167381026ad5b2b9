"""The lessons of the course as they are in this checkout, with what is known of their tasks and widgets."""

from __future__ import annotations

import inspect
import json
from functools import cache
from pathlib import Path

from autograder.framework.register import checks
from rubric.lesson import Lesson
from rubric.tasks import Evidence, added, shown, steps
from rubric.widgets import known as widgets

HERE = Path(__file__).parents[1]
NOTEBOOKS = HERE / "notebooks"
TESTS = HERE / "tests/autograder"
OURS = "autograder."
"""Where the course's own checks are; a check from a teacher's private folder is left out."""


@cache
def tasks() -> dict[str, Evidence]:
    """What the sources of checks and of their tests show about each task, by its name."""
    found: dict[str, Evidence] = {}
    for name, check in checks().items():
        module = inspect.getmodule(check.look)
        if module and module.__name__.startswith(OURS):
            found[name] = Evidence(steps(inspect.getsource(module)), graded=check.graded)
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, more in shown(path.read_text(), found).items():
            found[name] = added(found[name], more)
    return found


def lessons() -> list[Lesson]:
    """All lessons, in their order."""
    known = tasks()
    return [Lesson.read(path.stem, json.loads(path.read_text()), known, widgets()) for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))]
