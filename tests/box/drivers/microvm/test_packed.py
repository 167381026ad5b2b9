"""What an image brings along is used where it lies, and its memory is unpacked where there is room for it.  The machine is made up."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.box.build import recipe, steps
from lab.box.build.steps import Artefacts
from lab.box.core import prebuilt
from lab.box.core.installation import Installation
from lab.box.core.record import Origin
from lab.box.drivers.microvm import template
from lab.box.drivers.microvm.backend import MicrovmBackend
from lab.box.drivers.microvm.template import Template
from lab.box.errors import BuildError, CourseError
from tests.support.progress import Titles

MEMORY = os.urandom(3 << 20) + bytes(5 << 20)


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What somebody else has built and packed."""
    theirs = Installation(tmp_path / "theirs")
    made = Artefacts.of(theirs, recipe.Recipe().key)
    for file in (made.disk, made.kernel, made.initramfs, made.root_tar):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.name)
    saved = Template.of(theirs, made.key, "tcg")
    saved.memory.parent.mkdir(parents=True)
    saved.memory.write_bytes(MEMORY)
    saved.state.write_text("state")
    steps.pack_build(made, tmp_path / "brought/build")
    template.pack(saved, tmp_path / "brought/templates")
    monkeypatch.setenv(prebuilt.VARIABLE, str(tmp_path / "brought"))
    return tmp_path / "brought"


@pytest.fixture
def ours(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path / "ours")
    installation.templates.mkdir(parents=True)
    installation.build.mkdir()
    return installation


def unpacked(installation: Installation) -> Template:
    artefacts = steps.build(installation, Titles())
    return template._template(installation, artefacts, "tcg", Titles())


def test_it_is_small_and_has_what_a_virtual_machine_needs(brought: Path) -> None:
    (build,), (packed,) = (list((brought / kind).iterdir()) for kind in ("build", "templates"))

    assert {path.name for path in build.iterdir()} == {"disk.erofs", "disk.sha256", "vmlinuz", "initramfs.gz"}
    assert (packed / "memory.zst").stat().st_size < 3.1 * (1 << 20)
    assert not list(brought.rglob("root.tar"))


@pytest.mark.usefixtures("brought")
def test_nothing_is_built_where_it_was_brought(ours: Installation) -> None:
    found = unpacked(ours)

    assert found.memory.read_bytes() == MEMORY
    assert found.state.read_text() == "state"
    assert Artefacts.of(ours, recipe.Recipe().key).disk.read_text() == "disk.erofs"
    assert unpacked(ours) == found


@pytest.mark.usefixtures("brought")
def test_a_link_to_an_image_that_is_gone_is_made_anew(ours: Installation) -> None:
    Artefacts.of(ours, recipe.Recipe().key).disk.parent.symlink_to("/nowhere")

    assert unpacked(ours).memory.read_bytes() == MEMORY


@pytest.mark.usefixtures("brought")
def test_a_disk_without_room_is_said_and_stays_as_it_was(ours: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=50 << 20))

    with pytest.raises(CourseError, match="no room to unpack") as raised:
        unpacked(ours)

    assert "where 50 MB are free" in raised.value.why
    assert not list(ours.templates.rglob("memory"))


@pytest.mark.usefixtures("brought")
def test_what_can_not_be_copied_is_said(ours: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked(ours)
    monkeypatch.setattr(MicrovmBackend, "prepare", lambda *_: Origin(recipe.Recipe().key, "tcg"))
    (ours.root / "a-file").touch()

    with pytest.raises(BuildError, match=r"could not be copied into .*a-file"):
        MicrovmBackend().pack(ours, ours.root / "a-file", Titles())


def test_what_was_built_of_another_recipe_is_not_taken(brought: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert prebuilt.find("build", "machine-of-another-recipe") is None
    monkeypatch.delenv(prebuilt.VARIABLE)
    assert prebuilt.find("build", next((brought / "build").iterdir()).name) is None
