"""The assignment has two homes: the same cells run on the learner's computer and inside a box."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

import pytest

from autograder.points import SOURCES, graded
from tests.support.kernel import run

if TYPE_CHECKING:
    from lab.box.instances.box import Box

SOURCE = SOURCES / "containers/containers.ipynb"


def model_cells() -> list[dict[str, Any]]:
    return [cell for cell in json.loads(SOURCE.read_text())["cells"] if cell["cell_type"] == "code"]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_the_model_answers_are_worth_all_inside_a_box(fresh: Box) -> None:
    scores = {}
    with fresh.kernel() as client:
        for cell in model_cells():
            said, result = run(client, "".join(cell["source"]), timeout_s=300)
            if name := cell["metadata"].get("nbgrader", {}).get("grade") and cell["metadata"]["nbgrader"]["grade_id"]:
                scores[name] = ast.literal_eval(result) if result else said
        said, result = run(client, "print(box, box.url(8080))")
        assert "from inside> http://127.0.0.1:8080" in said
    assert scores == {metadata["grade_id"]: float(metadata["points"]) for metadata in graded(SOURCE)}
