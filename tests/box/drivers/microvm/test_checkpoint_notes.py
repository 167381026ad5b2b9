"""What a checkpoint belongs to is noted beside it, and compared before a machine is put back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lab.box.core.record import Origin
from lab.box.drivers.microvm import qemu
from lab.box.drivers.microvm.checkpoint import UNKNOWN, Belonging, Checkpoints
from lab.box.errors import UsageError

ORIGIN = Origin("aaaaaaaaaaaa", "tcg")


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a checkpoint that fits, called lunch; its machine is never read."""
    monkeypatch.setattr(qemu, "version", lambda: "7.2.19")
    (tmp_path / "lunch.zst").touch()
    write(tmp_path, Belonging(ORIGIN.recipe, ORIGIN.accelerator, qemu.hardware_key(), "7.2"))
    return tmp_path


def write(directory: Path, belonging: Belonging) -> None:
    (directory / "lunch.json").write_text(json.dumps({"hostname": "box-1234", "belonging": asdict(belonging)}))


def belonging(directory: Path) -> Belonging:
    return Belonging(**json.loads((directory / "lunch.json").read_text())["belonging"])


def test_one_that_fits_is_given_with_the_machines_name(saved: Path) -> None:
    found = Checkpoints(saved, ORIGIN).require("lunch")
    assert (found.name, found.hostname, found.fits) == ("lunch", "box-1234", True)
    assert Checkpoints(saved, ORIGIN).all() == (found,)


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("recipe", "bbbbbbbbbbbb", "another recipe (bbbbbbbbbbbb; yours is aaaaaaaaaaaa)"),
        ("accelerator", "kvm", "saved under kvm, and your box runs under tcg"),
        ("hardware", "ffffff", "other hardware"),
        ("qemu", "9.1", "saved by QEMU 9.1, and QEMU 7.2 is installed now"),
    ],
)
def test_one_that_belongs_elsewhere_is_refused_and_listed_with_the_reason(saved: Path, part: str, value: str, says: str) -> None:
    write(saved, replace(belonging(saved), **{part: value}))
    with pytest.raises(UsageError, match="does not fit your box any more") as raised:
        Checkpoints(saved, ORIGIN).require("lunch")
    assert says in raised.value.why
    assert raised.value.try_next.startswith("course status")
    (listed,) = Checkpoints(saved, ORIGIN).all()
    assert (listed.fits, listed.misfit) == (False, raised.value.why)


def test_an_update_of_qemu_that_keeps_its_release_changes_nothing(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "version", lambda: "7.2.22")
    assert Checkpoints(saved, ORIGIN).require("lunch").fits


@pytest.mark.parametrize("note", [None, "", "{", "[]", '{"hostname": "box"}', '{"hostname": "box", "belonging": {"recipe": "x"}}'])
def test_one_without_a_note_that_can_be_read_is_refused(saved: Path, note: str | None) -> None:
    (saved / "lunch.json").unlink()
    if note is not None:
        (saved / "lunch.json").write_text(note)
    with pytest.raises(UsageError) as raised:
        Checkpoints(saved, ORIGIN).require("lunch")
    assert raised.value.why == UNKNOWN


def test_where_there_is_none_qemu_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "version", lambda: pytest.fail("it takes time, and nothing comes of it"))
    assert Checkpoints(tmp_path, ORIGIN).all() == ()
