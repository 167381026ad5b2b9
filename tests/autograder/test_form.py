"""Every test cell has the one form that nbgrader can't take for something else, and points stand in one place."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.framework.register import checks
from autograder.points import SOURCES, grade_id, graded

NOTEBOOKS = sorted(SOURCES.glob("*/*.ipynb"))
SOLUTION = re.compile(r"^### BEGIN SOLUTION\n(.+\n)+?### END SOLUTION$", re.MULTILINE)


def cells(notebook: Path, mark: str) -> list[NotebookNode]:
    return [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.metadata.get("nbgrader", {}).get(mark)]


def is_well_formed(cell: NotebookNode) -> bool:
    """One bare expression on one line: ``check("topic.task")``, and the cell is named for the task."""
    found = re.fullmatch(r'check\("([a-z0-9]+\.[a-z0-9-]+)"\)', cell.source)
    marks = cell.metadata.nbgrader
    return bool(found and grade_id(found[1]) == marks.grade_id and marks.locked and not marks.solution and float(marks.points) > 0)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_test_cells_have_their_form(notebook: Path) -> None:
    found = cells(notebook, "grade")
    assert found
    assert [cell.source for cell in found if not is_well_formed(cell)] == []


@pytest.mark.parametrize(
    "source",
    [
        'check("containers.walls");',
        'score = check("containers.walls")',
        'print(check("containers.walls"))',
        'check("containers.walls") + 1',
        'assert check("containers.walls") == 3',
        'check("containers.limits")',
        'check("containers.walls")\n',
        'float(check("containers.walls"))',
    ],
)
def test_another_form_is_found(source: str) -> None:
    cell = nbformat.v4.new_code_cell(source)
    cell.metadata["nbgrader"] = nbformat.from_dict({"grade_id": "containers-walls", "locked": True, "solution": False, "points": 3})
    assert not is_well_formed(cell)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_solutions_can_be_taken_out(notebook: Path) -> None:
    found = cells(notebook, "solution")
    assert found
    assert [cell.source for cell in found if not SOLUTION.search(cell.source)] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_have_names_of_their_own(notebook: Path) -> None:
    names = [cell.metadata.nbgrader.grade_id for cell in nbformat.read(notebook, as_version=4).cells if cell.metadata.get("nbgrader")]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9_-]+", name)] == []


def test_every_graded_check_has_one_test_cell() -> None:
    marks = Counter(metadata["grade_id"] for notebook in NOTEBOOKS for metadata in graded(notebook))
    assert marks == Counter(grade_id(name) for name, one in checks().items() if one.graded)
