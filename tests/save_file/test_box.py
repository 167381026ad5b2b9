"""A box that runs is taken to another installation, and goes on there: its processes count on, and nothing of the other one is lost."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.box import lifecycle
from lab.box.core.installation import Installation
from lab.box.errors import NotOnThisBackend
from lab.box.instances.box import Box
from lab.save_file.load import BEFORE, load
from lab.save_file.save import save
from tests.conftest import Running
from tests.support.course import until

COUNTS = "docker run -d --name counts base sh -c 'n=0; while sleep 0.1; do n=$((n+1)); echo $n > /count; done'"
COUNTED = "docker exec counts cat /count"


@pytest.fixture
def elsewhere(running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """Another installation, which has the same build and the same template; what tests save is saved from the first one before."""
    there = Installation(tmp_path / "elsewhere")
    there.root.mkdir(mode=0o700)
    for part in ("build", "templates"):
        (there.root / part).symlink_to(getattr(running.installation, part).resolve())
    monkeypatch.setenv("COURSE_STATE", str(there.root))
    yield there
    lifecycle.down(there)


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "00.ipynb").write_text("mine")
    return folder


@pytest.fixture
def saved(running: Running, fresh: Box, notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A save file with a box in which a container counts."""
    monkeypatch.setenv("COURSE_STATE", str(running.installation.root))
    fresh.sh(COUNTS, check=True)
    until("it to count", lambda: int(fresh.sh(COUNTED).stdout or 0) > 5)
    path = tmp_path / "mine.zip"
    done = save(path, notebooks, box=True)
    assert done.box == fresh.status().name
    before = int(fresh.sh(COUNTED).stdout)
    until("the one that was saved to go on", lambda: int(fresh.sh(COUNTED).stdout) > before)
    return path


@pytest.mark.parametrize("running", ["microvm"], indirect=True)
def test_it_goes_on_elsewhere(saved: Path, elsewhere: Installation) -> None:
    loaded = load(str(saved))
    assert loaded.box, loaded.why_no_box
    assert (loaded.files, loaded.before, (loaded.notebooks / "00.ipynb").read_text()) == (1, "", "mine")
    count = int(loaded.box.sh(COUNTED).stdout)
    assert count > 5
    until("it to count on", lambda: int(loaded.box.sh(COUNTED).stdout) > count)
    loaded.box.sh("echo theirs > /root/theirs", check=True)

    again = load(str(saved))  # in the place of a box that runs
    assert again.box
    assert again.before == BEFORE
    assert again.box.sh("cat /root/theirs").code
    again.box.rewind(BEFORE)
    assert again.box.sh("cat /root/theirs").stdout == "theirs\n"
    assert not list(elsewhere.boxes.glob("on-its-way-*"))


@pytest.mark.full
@pytest.mark.parametrize("running", ["microvm"], indirect=True)
def test_one_that_does_not_fit_or_does_not_start_costs_nothing(saved: Path, elsewhere: Installation, tmp_path: Path) -> None:
    own = lifecycle.up("microvm", installation=elsewhere)
    own.sh("echo own > /root/own", check=True)

    def forged(name: str, note: dict[str, object], machine: bytes) -> str:
        with zipfile.ZipFile(saved) as whole, zipfile.ZipFile(tmp_path / name, "w") as other:
            for entry in whole.infolist():
                content = {"box/machine.json": json.dumps(note).encode(), "box/machine.zst": machine}.get(entry.filename)
                other.writestr(entry, whole.read(entry) if content is None else content)
        return str(tmp_path / name)

    with zipfile.ZipFile(saved) as whole:
        note = json.loads(whole.read("box/machine.json"))
        machine = whole.read("box/machine.zst")
    other = load(forged("other.zip", {**note, "belongs_to": {**note["belongs_to"], "disk": "0" * 16}}, machine))
    assert not other.box
    assert "built elsewhere" in other.why_no_box
    assert (other.notebooks / "00.ipynb").read_text() == "mine"
    assert own.sh("cat /root/own").stdout == "own\n"

    broken = load(forged("broken.zip", note, machine[:100_000]))
    assert not broken.box
    assert "is damaged" in broken.why_no_box
    assert lifecycle.current(elsewhere).sh("cat /root/own").stdout == "own\n"


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_a_container_can_not_be_taken_along_and_says_so(
    running: Running, box: Box, notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert box
    monkeypatch.setenv("COURSE_STATE", str(running.installation.root))
    with pytest.raises(NotOnThisBackend, match="Docker can't save"):
        save(tmp_path / "mine.zip", notebooks, box=True)
    assert not (tmp_path / "mine.zip").exists()
