"""The points of a task, which are written in one place: nbgrader's metadata of its test cell.

The cell is looked for in the notebook that runs, into which nbgrader has put the teacher's metadata before it grades; then in the sources
of a private folder, then in the course's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.framework.register import OVERLAY
from lab.box.errors import CourseError

SOURCES = Path(__file__).parents[1] / "exercises/source"


def grade_id(task: str) -> str:
    """The name of a task's test cell, such as ``containers-walls``."""
    return task.replace(".", "-")


def points(task: str, beside: Path | None = None) -> float:
    """The points that a complete task is worth.

    Args:
        task: its name.
        beside: the directory of the notebook that runs.

    Raises:
        CourseError: no notebook has a test cell for it, or one without points.
    """
    name = grade_id(task)
    for notebook in _notebooks(beside):
        for metadata in graded(notebook):
            if metadata["grade_id"] == name and float(metadata["points"]) > 0:
                return float(metadata["points"])
            if metadata["grade_id"] == name:
                raise CourseError(f"The task {task} is worth nothing.", f"{notebook} gives its test cell no points.", "give it some")
    why = f"No notebook has a test cell named {name}, and whoever taught it must name it so."
    raise CourseError(f"It is not known what the task {task} is worth.", why, "tell who teaches this course")


def graded(notebook: Path) -> Iterator[dict[str, Any]]:
    """The metadata that nbgrader keeps in each test cell of a notebook; none where the notebook can't be read."""
    try:
        cells = json.loads(notebook.read_text())["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for cell in cells:
        metadata = cell.get("metadata", {}).get("nbgrader", {})
        if metadata.get("grade") and not metadata.get("solution"):
            yield metadata


def _notebooks(beside: Path | None) -> Iterator[Path]:
    if beside:
        yield from sorted(beside.glob("*.ipynb"))
    if overlay := os.environ.get(OVERLAY):
        yield from sorted(Path(overlay).glob("source/*/*.ipynb"))
    yield from sorted(SOURCES.glob("*/*.ipynb"))
