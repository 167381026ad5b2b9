"""What was saved is loaded elsewhere, and nothing of whoever loads it is overwritten."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import learner_record
from lab.box.errors import CourseError, UsageError
from lab.learner_record import Predicted
from lab.save_file.load import load
from lab.save_file.save import save


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's computer, with notebooks, a prediction and a task."""
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    folder = tmp_path / "notebooks"
    (folder / ".hidden").mkdir(parents=True)
    (folder / ".hidden/secret").write_text("secret")
    (folder / ".secret").write_text("secret")
    (tmp_path / "release/pods").mkdir(parents=True)
    (tmp_path / "release/pods/pods.ipynb").write_text("answers")
    (folder / "exercises").symlink_to(tmp_path / "release")
    (tmp_path / "release/back").symlink_to(folder)
    (folder / "00.ipynb").write_text("mine")
    with learner_record.changing() as record:
        record.predictions["01.one"] = Predicted("a question", answer=3)
        record.tasks["pods.one"] = 0.5
    return tmp_path


def elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_STATE", str(home / "another"))


def test_all_of_it_goes_on_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = save(home / "mine.zip", home / "notebooks")
    assert (saved.files, saved.predictions, saved.tasks, saved.box) == (2, 1, 1, "")
    elsewhere(home, monkeypatch)
    with learner_record.changing() as record:
        record.predictions["01.one"] = Predicted("a question", answer=4)
        record.tasks.update({"pods.one": 1.0, "pods.two": 0.25})
    loaded = load(str(home / "mine.zip"))
    assert (loaded.files, loaded.predictions, loaded.tasks) == (2, 0, 0)  # one's own stays
    assert loaded.notebooks == home / "another/loaded/mine"
    there = {str(file.relative_to(loaded.notebooks)): file.read_text() for file in loaded.notebooks.rglob("*") if file.is_file()}
    assert there == {"00.ipynb": "mine", "exercises/pods/pods.ipynb": "answers"}
    assert learner_record.read().predictions["01.one"].answer == 4
    assert load(str(home / "mine.zip")).notebooks.name == "mine-2"


def test_what_one_has_not_is_taken_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(home / "mine.zip", home / "notebooks")
    elsewhere(home, monkeypatch)
    loaded = load(str(home / "mine.zip"))
    assert (loaded.predictions, loaded.tasks) == (1, 1)
    assert learner_record.read().tasks == {"pods.one": 0.5}


@pytest.fixture
def served(home: Path) -> Iterator[str]:
    """The address of a server, on loopback, of the files in the learner's home."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=home)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_address_will_do(home: Path, served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    save(home / "for class.zip", home / "notebooks")
    elsewhere(home, monkeypatch)
    loaded = load(f"{served}/for%20class.zip?x=1")
    assert (loaded.files, loaded.notebooks.name) == (2, "for-class")
    with pytest.raises(CourseError, match="404"):
        load(f"{served}/nothing.zip")
    with pytest.raises(CourseError, match="is damaged, or no save file"):
        load(f"{served}/notebooks/00.ipynb")
    monkeypatch.setattr("lab.save_file.load.LARGEST_MB", 0)
    with pytest.raises(CourseError, match="It has more than 0 MB"):
        load(f"{served}/for%20class.zip")
    assert not list((home / "another/boxes").iterdir())


@pytest.mark.parametrize("source", ["ftp://somewhere/x.zip", "file:///etc/passwd"])
def test_another_kind_of_address_is_refused(home: Path, source: str) -> None:
    assert home
    with pytest.raises(UsageError, match="can't be loaded"):
        load(source)


def test_nothing_is_changed_where_the_record_can_not_be_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.learner_record.text_of", lambda _: '{"predictions": [], "tasks": 3}')
    save(home / "mine.zip", home / "notebooks")
    elsewhere(home, monkeypatch)
    with pytest.raises(CourseError, match="can't be read"):
        load(str(home / "mine.zip"))
    assert not (home / "another/loaded").exists()


def test_what_is_there_is_not_overwritten(home: Path) -> None:
    (home / "mine.zip").write_text("precious")
    with pytest.raises(UsageError, match="It would be overwritten"):
        save(home / "mine.zip", home / "notebooks")
    assert (home / "mine.zip").read_text() == "precious"
    with pytest.raises(UsageError, match="There is no folder"):
        save(home / "no/mine.zip", home / "notebooks")
    with pytest.raises(UsageError, match="There is no folder"):
        save(home / "other.zip", home / "nowhere")


def test_a_folder_that_is_too_much_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.save_file.save.MOST_FILES", 1)
    with pytest.raises(UsageError, match="is too much for a save file"):
        save(home / "mine.zip", home / "notebooks")
    assert not (home / "mine.zip").exists()


def test_without_a_box_there_is_none_to_save(home: Path) -> None:
    with pytest.raises(CourseError, match="There is no box"):
        save(home / "mine.zip", home / "notebooks", box=True)
    assert not (home / "mine.zip").exists()
