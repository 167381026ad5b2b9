"""The life of the box, where there is none: the sentences for it, and what is left."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.box import lifecycle
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir
from lab.box.drivers.container import engine
from lab.box.errors import BoxNotRunning, CourseError

NO_ENGINE = engine.Engine("here", why="No Docker engine is here.", try_next="start Docker")


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.setattr(engine, "find", lambda: NO_ENGINE)
    installation = Installation(tmp_path)
    yield installation
    shutil.rmtree(installation.runtime, ignore_errors=True)


@pytest.mark.parametrize("record", [None, "", "{", "[]", "null", '{"relay": {}}', '{"relay": null, "machine": null}'])
def test_without_a_box_there_is_a_sentence(installation: Installation, record: str | None) -> None:
    if record is not None:
        installation.boxes.mkdir()
        InstanceDir(installation, "").record_file.write_text(record)
    with pytest.raises(BoxNotRunning) as raised:
        lifecycle.current(installation)
    assert raised.value.try_next == "course up"


def test_why_the_last_start_failed_is_told_until_one_succeeds_or_the_box_is_taken_down(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle.registry, "choose", lambda *_: (_ for _ in ()).throw(CourseError("No room.", "The disk is full.")))
    with pytest.raises(CourseError, match="No room"):
        lifecycle.up(installation=installation)

    with pytest.raises(BoxNotRunning) as raised:
        lifecycle.current(installation)
    assert raised.value.why == "The last attempt to start one has failed: No room. The disk is full."

    lifecycle.down(installation)
    with pytest.raises(BoxNotRunning, match="There is no box") as raised:
        lifecycle.current(installation)
    assert "failed" not in raised.value.why


def test_taking_down_nothing_is_no_error_and_leaves_nothing(installation: Installation) -> None:
    leftover = installation.boxes / "microvm" / "checkpoints"
    leftover.mkdir(parents=True)
    runtime = installation.socket_directory("box").parent
    for _ in range(2):
        lifecycle.down(installation)
    assert not runtime.exists()
    assert not leftover.exists()
    assert [path.name for path in installation.boxes.iterdir()] == [".life.lock"]


def test_one_that_is_being_started_is_waited_for_and_a_line_says_so(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURSE_STATE", str(installation.root))
    held, started = threading.Event(), threading.Event()

    def current(_: Installation | None = None) -> str:
        if not started.is_set():
            raise BoxNotRunning("There is no box.")
        return "the box"

    def start() -> None:
        with installation.changing_the_box("starting the box"):
            held.set()
            time.sleep(0.5)
            started.set()

    monkeypatch.setattr(lifecycle, "current", current)
    starting = threading.Thread(target=start)
    starting.start()
    held.wait()
    assert lifecycle.awaited() == "the box"
    starting.join()
    assert "Waiting until another command has finished: starting the box" in capsys.readouterr().out
