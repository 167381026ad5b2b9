"""What a learner has done is kept across restarts, and a file that makes no sense loses nobody their lesson."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lab.learner_record import FILE, LearnerRecord, Predicted, reached, read, to_recall

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "a state"))
    return tmp_path / "a state"


def test_the_best_score_of_a_task_is_kept() -> None:
    for score in (0.5, 1.0, 0.25):
        reached("containers.walls", score)
    assert read().tasks == {"containers.walls": 1.0}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"predictions": {"a": 1}, "tasks": {}}', '{"tasks": 1, "predictions": {}}'])
def test_a_file_that_makes_no_sense_is_no_progress(state: Path, content: str) -> None:
    reached("containers.walls", 1.0)
    (state / FILE).write_text(content)
    assert read() == LearnerRecord()
    reached("containers.walls", 0.5)
    assert json.loads((state / FILE).read_text())["tasks"] == {"containers.walls": 0.5}


def test_wrong_predictions_of_earlier_lessons_come_back_first() -> None:
    made = {
        "01.right": Predicted("?", measured=1, answer=1, right=True, at=1),
        "01.wrong": Predicted("?", measured=1, answer=2, at=2),
        "01.open": Predicted("?"),
        "02.wrong": Predicted("?", measured=1, answer=2, at=1),
        "03.this": Predicted("?", measured=1, answer=2, at=0),
    }
    assert to_recall(made, "03", 9) == ["02.wrong", "01.wrong", "01.right"]
    assert to_recall(made, "03", 1) == ["02.wrong"]
