"""A save file gives back what was put into it; what is damaged, forged or of a later version is refused before anything is written."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.box.errors import CourseError, UsageError
from lab.save_file import archive
from lab.save_file.archive import BOX, CONTENTS, FORMAT, NOTEBOOKS, RECORD, opened, write

SAID = json.dumps({"format": FORMAT, "saved": 1.0})


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A save file with two notebooks and a box."""
    (tmp_path / "box").mkdir()
    (tmp_path / "box/machine.zst").write_bytes(b"machine" * 1000)
    (tmp_path / "box/machine.json").write_text("{}")
    (tmp_path / "one.ipynb").write_text("one")
    (tmp_path / "two.ipynb").write_text("two" * 9000)
    files = {"one.ipynb": tmp_path / "one.ipynb", "exercises/pods/zwei ü.ipynb": tmp_path / "two.ipynb"}
    write(tmp_path / "mine.zip", files, "the record", tmp_path / "box", "microvm")
    return tmp_path / "mine.zip"


@pytest.fixture
def forged(tmp_path: Path) -> Callable[..., Path]:
    """Makes a save file with an entry more, or with others."""

    def make(name: str | zipfile.ZipInfo = "", content: str = "", said: str = SAID) -> Path:
        with zipfile.ZipFile(tmp_path / "forged.zip", "w") as file:
            file.writestr(CONTENTS, said)
            file.writestr(RECORD, "{}")
            if name:
                file.writestr(name, content)
        return tmp_path / "forged.zip"

    return make


def test_what_was_put_in_comes_out(whole: Path, tmp_path: Path) -> None:
    with opened(whole) as file:
        assert (file.contents.files, file.contents.box, file.contents.backend) == (2, True, "microvm")
        assert file.record() == "the record"
        for name, unpack in (("n", file.unpack_notebooks), ("b", file.unpack_box)):
            (tmp_path / name).mkdir()
            unpack(tmp_path / name)
    assert (tmp_path / "n/one.ipynb").read_text() == "one"
    assert (tmp_path / "n/exercises/pods/zwei ü.ipynb").read_text() == "two" * 9000
    assert (tmp_path / "b/machine.zst").read_bytes() == b"machine" * 1000
    assert stat.S_IMODE((tmp_path / "n/one.ipynb").stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".*partial"))


@pytest.mark.parametrize(
    "name",
    [
        "../up.ipynb", "/etc/passwd", "notebooks/../../up", "notebooks//x", "notebooks/./x", "notebooks/a\\b", "notebooks/new\nline",
        "notebooks/" + "x" * 121, "notebooks/", "notebooks/folder/", "box/other", "box/../x", "progress.json.bak", "notebooks",
    ],
)  # fmt: skip
def test_a_name_that_no_save_file_has_is_refused(forged: Callable[..., Path], name: str) -> None:
    with pytest.raises(CourseError, match="is no save file"), opened(forged(name)):
        pass


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFDIR, stat.S_IFSOCK])
def test_what_is_no_ordinary_file_is_refused(forged: Callable[..., Path], kind: int) -> None:
    entry = zipfile.ZipInfo("notebooks/x.ipynb")
    entry.external_attr = (kind | 0o777) << 16
    with pytest.raises(CourseError, match="which no save file has"), opened(forged(entry, "/etc/passwd")):
        pass


def test_a_name_that_is_there_twice_is_refused(forged: Callable[..., Path]) -> None:
    path = forged("notebooks/x")
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("notebooks/x", "another")
    with pytest.raises(CourseError, match="or has one twice"), opened(path):
        pass


@pytest.mark.parametrize("left", [0, 1, 100, 0.5, 0.9, -1])
def test_what_is_cut_off_is_refused(whole: Path, tmp_path: Path, left: float) -> None:
    content = whole.read_bytes()
    cut = tmp_path / "cut.zip"
    cut.write_bytes(content[: int(left * len(content)) if isinstance(left, float) else left])
    with pytest.raises(CourseError, match="is damaged, or no save file"), opened(cut):
        pass


def test_what_is_damaged_inside_is_refused_when_it_is_unpacked(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    (tmp_path / "bad.zip").write_bytes(content.replace(b"machinemachine", b"machinemachinE", 1))
    (tmp_path / "into").mkdir()
    with opened(tmp_path / "bad.zip") as file, pytest.raises(CourseError, match="is damaged"):
        file.unpack_box(tmp_path / "into")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (json.dumps({"format": FORMAT + 1, "saved": 1}), "was written by a later version"),
        ("[]", "is damaged"),
        ("not json", "is damaged"),
        ("[" * 100_000, "is damaged"),
        (json.dumps({"format": "x", "saved": 1}), "is damaged"),
        (json.dumps({"format": 1}), "is damaged"),
    ],
)
def test_what_it_says_of_itself_is_read_with_care(forged: Callable[..., Path], said: str, why: str) -> None:
    with pytest.raises(CourseError, match=why), opened(forged(said=said)):
        pass


def test_what_is_too_large_is_refused_unread(forged: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = forged("notebooks/x", "x" * (2 << 20))
    monkeypatch.setattr(archive, "MOST_NOTEBOOKS_MB", 1)
    with pytest.raises(CourseError, match="Unpacked, it has more than"), opened(path):
        pass
    monkeypatch.setattr(archive, "LARGEST_MB", 1)
    with pytest.raises(CourseError, match=r"It is of 2 MB, and such a file has at most 1\."), opened(path):
        pass


def test_a_file_that_is_huge_costs_no_time(tmp_path: Path) -> None:
    huge = tmp_path / "huge.zip"
    with huge.open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(CourseError, match="It is of 10240 MB"), opened(huge):
        pass


def test_no_room_is_said_before_anything_is_written(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "into").mkdir()
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with opened(whole) as file, pytest.raises(CourseError, match="There is no room"):
        file.unpack_notebooks(tmp_path / "into")
    assert not list((tmp_path / "into").iterdir())


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(CourseError, match=r"could not be written\.\nNo space left"):
        write(tmp_path / "mine.zip", {}, "")
    assert not list(tmp_path.iterdir())


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file"), opened(tmp_path / "nothing.zip"):
        pass
    assert BOX != NOTEBOOKS
