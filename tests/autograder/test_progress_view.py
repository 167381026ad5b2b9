"""``course progress``: how many tasks and predictions are done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import autograder
from autograder.progress_view import rows, text
from lab.learner_record import UNANSWERED, Predicted, changing, reached, read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "a state"))


def test_how_far_one_is_counts_tasks_and_predictions() -> None:
    reached("containers.walls", 1.0)
    reached("containers.limits", 0.5)
    with changing() as progress:
        progress.predictions["02.more"] = Predicted("How many?", answer=3, measured=3, right=True)
        progress.predictions["02.less"] = Predicted("How few?", answer=UNANSWERED)
    shown = {row.what: (row.done, row.of, row.note) for row in rows(read())}
    assert shown["tasks of containers"] == (1, 6, "begun: limits")
    assert shown["predictions of lesson 02"] == (1, 2, "1 came true")
    assert "begun: limits" in text(read())


def test_a_notebook_shows_bars_and_their_text() -> None:
    reached("containers.walls", 1.0)
    view = autograder.progress()
    assert '<progress max="6" value="1" aria-label="tasks of containers">' in view.value
    assert view._repr_mimebundle_()["text/plain"] == text(read())
