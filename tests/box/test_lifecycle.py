"""The life of the box, where there is none: the sentences for it, and what is left."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.box import lifecycle
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir
from lab.box.drivers.container import engine
from lab.box.errors import BoxNotRunning

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


def test_taking_down_nothing_is_no_error_and_leaves_nothing(installation: Installation) -> None:
    leftover = installation.boxes / "microvm" / "checkpoints"
    leftover.mkdir(parents=True)
    runtime = installation.socket_directory("box").parent
    for _ in range(2):
        lifecycle.down(installation)
    assert not runtime.exists()
    assert not leftover.exists()
    assert [path.name for path in installation.boxes.iterdir()] == [".life.lock"]
