"""What a checkpoint belongs to is noted beside it, and compared before a machine is put back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from lab.box.build.steps import Artefacts
from lab.box.core.installation import Installation
from lab.box.core.record import Origin
from lab.box.drivers.microvm import qemu
from lab.box.drivers.microvm.checkpoint import MACHINE, NOTE, UNKNOWN, Checkpoints, Compatibility
from lab.box.drivers.microvm.template import Template
from lab.box.errors import CourseError, UsageError

ORIGIN = Origin("aaaaaaaaaaaa", "tcg")
DISK = "0123456789abcdef"
PROPERTIES = [field.name for field in fields(Compatibility)]


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a checkpoint that fits, called lunch; its machine is never read."""
    monkeypatch.setattr(qemu, "version", lambda: "7.2.19")
    (tmp_path / "lunch.zst").touch()
    write(tmp_path, Compatibility(ORIGIN.recipe, ORIGIN.accelerator, "template", "7.2", DISK))
    monkeypatch.setattr(Artefacts, "disk_hash", lambda _: DISK)
    (tmp_path / "template").mkdir()
    (tmp_path / "template/memory").touch()
    return tmp_path


def checkpoints(directory: Path) -> Checkpoints:
    template = Template(directory / "template/memory", directory / "template/state", ORIGIN.accelerator)
    return Checkpoints(directory, ORIGIN, template, Artefacts.of(Installation(directory), ORIGIN.recipe))


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
        ("disk", "fedcba9876543210", "a disk that was built elsewhere"),
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


@pytest.fixture
def brought(saved: Path) -> Path:
    """A directory with a machine that was exported elsewhere, and fits."""
    directory = saved / "brought"
    directory.mkdir()
    (directory / MACHINE).write_bytes(b"a machine")
    (directory / NOTE).write_text((saved / "lunch.json").read_text())
    return directory


def test_a_machine_that_was_exported_elsewhere_becomes_a_checkpoint(saved: Path, brought: Path) -> None:
    assert checkpoints(saved).adopt("theirs", brought).hostname == "box-1234"
    assert (saved / "theirs.zst").read_bytes() == b"a machine"
    assert {one.name for one in checkpoints(saved).all()} == {"lunch", "theirs"}


@pytest.mark.parametrize("hostname", ["../../etc", "-rf", "a b", "x" * 64, "", None, "$(reboot)"])
def test_a_name_that_no_machine_has_is_not_taken_over(saved: Path, brought: Path, hostname: str | None) -> None:
    (brought / NOTE).write_text(json.dumps({"hostname": hostname, "belongs_to": asdict(belonging(saved))}))
    assert checkpoints(saved).adopt("theirs", brought).hostname in ("", "None")


@pytest.mark.parametrize(
    "note",
    ["", "[]", "[" * 100_000, '{"hostname": "x"}', json.dumps({"hostname": "x", "belongs_to": dict.fromkeys(PROPERTIES, 1)})],
)
def test_what_is_no_saved_machine_is_refused(saved: Path, brought: Path, note: str) -> None:
    (brought / NOTE).write_text(note)
    with pytest.raises(CourseError, match="This is no saved box"):
        checkpoints(saved).adopt("theirs", brought)
    assert not (saved / "theirs.zst").exists()


def test_a_claim_with_control_characters_is_not_repeated(saved: Path, brought: Path) -> None:
    forged = replace(belonging(saved), recipe="\x1b[2Jgone")
    (brought / NOTE).write_text(json.dumps({"hostname": "box-1", "belongs_to": asdict(forged)}))
    with pytest.raises(CourseError) as raised:
        checkpoints(saved).adopt("theirs", brought)
    assert "\x1b" not in str(raised.value)


def test_one_that_does_not_fit_is_refused_with_the_reason(saved: Path, brought: Path) -> None:
    forged = replace(belonging(saved), disk="fedcba9876543210")
    (brought / NOTE).write_text(json.dumps({"hostname": "box-1", "belongs_to": asdict(forged)}))
    with pytest.raises(CourseError, match="can't go on here") as raised:
        checkpoints(saved).adopt("theirs", brought)
    assert "built elsewhere" in raised.value.why
    assert not (saved / "theirs.zst").exists()


def test_the_hash_of_a_disk_is_kept_beside_it(tmp_path: Path) -> None:
    artefacts = Artefacts.of(Installation(tmp_path), "x")
    artefacts.disk.parent.mkdir(parents=True)
    artefacts.disk.write_bytes(b"a disk")
    first = artefacts.disk_hash()
    assert first == hashlib.sha256(b"a disk").hexdigest()[:16]
    artefacts.disk.write_bytes(b"read once alone")
    assert artefacts.disk_hash() == first
