"""What a checkpoint belongs to is noted beside it, and compared before a machine is put back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lab.box.core.record import Origin
from lab.box.drivers.microvm import qemu
from lab.box.drivers.microvm.checkpoint import UNKNOWN, Checkpoints, Compatibility
from lab.box.drivers.microvm.template import Template
from lab.box.errors import UsageError

ORIGIN = Origin("aaaaaaaaaaaa", "tcg")


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a checkpoint that fits, called lunch; its machine is never read."""
    monkeypatch.setattr(qemu, "version", lambda: "7.2.19")
    (tmp_path / "lunch.zst").touch()
    write(tmp_path, Compatibility(ORIGIN.recipe, ORIGIN.accelerator, "template", "7.2"))
    (tmp_path / "template").mkdir()
    (tmp_path / "template/memory").touch()
    return tmp_path


def checkpoints(directory: Path) -> Checkpoints:
    return Checkpoints(directory, ORIGIN, Template(directory / "template/memory", directory / "template/state", ORIGIN.accelerator))


def write(directory: Path, belonging: Compatibility) -> None:
    (directory / "lunch.json").write_text(json.dumps({"hostname": "box-1234", "belongs_to": asdict(belonging)}))


def belonging(directory: Path) -> Compatibility:
    return Compatibility(**json.loads((directory / "lunch.json").read_text())["belongs_to"])


def test_one_that_fits_is_given_with_the_machines_name(saved: Path) -> None:
    found = checkpoints(saved).require("lunch")
    assert (found.name, found.hostname, found.fits) == ("lunch", "box-1234", True)
    assert checkpoints(saved).all() == (found,)


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("recipe", "bbbbbbbbbbbb", "another recipe (bbbbbbbbbbbb; yours is aaaaaaaaaaaa)"),
        ("accelerator", "kvm", "saved under kvm, and your box runs under tcg"),
        ("template", "another", "virtual machines are made otherwise"),
        ("qemu", "9.1", "saved by QEMU 9.1, and QEMU 7.2 is installed now"),
    ],
)
def test_one_that_belongs_elsewhere_is_refused_and_listed_with_the_reason(saved: Path, part: str, value: str, says: str) -> None:
    write(saved, replace(belonging(saved), **{part: value}))
    with pytest.raises(UsageError, match="does not fit your box any more") as raised:
        checkpoints(saved).require("lunch")
    assert says in raised.value.why
    assert raised.value.try_next.startswith("course status")
    (listed,) = checkpoints(saved).all()
    assert (listed.fits, listed.incompatibility) == (False, raised.value.why)


def test_an_update_of_qemu_that_keeps_its_release_changes_nothing(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "version", lambda: "7.2.22")
    assert checkpoints(saved).require("lunch").fits


@pytest.mark.parametrize("note", [None, "", "{", "[]", '{"hostname": "box"}', '{"hostname": "box", "belongs_to": {"recipe": "x"}}'])
def test_one_without_a_note_that_can_be_read_is_refused(saved: Path, note: str | None) -> None:
    (saved / "lunch.json").unlink()
    if note is not None:
        (saved / "lunch.json").write_text(note)
    with pytest.raises(UsageError) as raised:
        checkpoints(saved).require("lunch")
    assert raised.value.why == UNKNOWN


def test_where_there_is_none_qemu_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "version", lambda: pytest.fail("it takes time, and nothing comes of it"))
    assert checkpoints(tmp_path).all() == ()


def test_without_the_template_nothing_can_be_put_back(saved: Path) -> None:
    (saved / "template/memory").unlink()
    with pytest.raises(UsageError) as raised:
        checkpoints(saved).require("lunch")
    assert raised.value.why == "The template that its machine is a clone of is gone."
