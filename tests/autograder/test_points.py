"""The points of a task stand in one place: the metadata of its test cell."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from autograder.points import SOURCES, points
from lab.box.errors import CourseError

NOTEBOOK = SOURCES / "containers/containers.ipynb"


def test_points_stand_in_one_place(tmp_path: Path) -> None:
    assert points("containers.walls") == points("containers.walls", tmp_path) == 3
    release = NOTEBOOK.read_text().replace('"points": 3', '"points": 7')
    (tmp_path / "containers.ipynb").write_text(release)
    assert points("containers.walls", tmp_path) == 7  # the notebook that runs decides, as it does for nbgrader
    for module in Path(__file__).parents[2].glob("autograder/**/*.py"):
        named = [node.arg for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.keyword)]
        assert module.name == "scaffold.py" or "points" not in named


def test_a_task_without_points_is_said(tmp_path: Path) -> None:
    (tmp_path / "containers.ipynb").write_text(NOTEBOOK.read_text().replace('"points": 3', '"points": 0'))
    with pytest.raises(CourseError, match="is worth nothing"):
        points("containers.walls", tmp_path)
