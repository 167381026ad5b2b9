"""The button saves, says what, and offers the file; what is wrong is a sentence in its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.save_file.archive import opened
from lab.widgets.save_button import SaveButton, save_button


@pytest.fixture
def button(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SaveButton:
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons/00.ipynb").write_text("mine")
    monkeypatch.chdir(tmp_path / "lessons")
    return save_button()


def test_each_click_makes_a_file_and_offers_it(button: SaveButton, tmp_path: Path) -> None:
    button.button.click()
    (first,) = (tmp_path / "lessons").glob("*.zip")
    assert f'<a href="{first.name}" download>' in button.said
    assert "with 1 file, 0 predictions, 0 tasks." in button.said
    with opened(first) as file:
        assert file.contents.files == 1
    button.button.click()
    (second,) = set((tmp_path / "lessons").glob("*.zip")) - {first}
    with opened(second) as file:
        assert file.contents.files == 1  # an earlier save file is none of the learner's work
    assert not button.button.disabled


def test_what_is_wrong_is_said_in_its_place(button: SaveButton, tmp_path: Path) -> None:
    button.with_box.value = True
    button.button.click()
    assert "There is no box." in button.said
    assert "Next: course up" in button.said
    assert os.listdir(tmp_path / "lessons") == ["00.ipynb"]  # noqa: PTH208
    assert not button.button.disabled
