"""One key for everything that a box is made of: the same for the same, another for any change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.box.build import recipe
from lab.box.build.images import PACKAGES
from lab.box.build.recipe import Recipe

KEYS = ("packages_key", "kernel_key", "wheels_key", "images_key", "key")
SOURCES = recipe.HERE.parent
GUEST_FILES = sorted(str(path.relative_to(SOURCES)) for path in recipe.GUEST.rglob("*") if path.is_file() and path.suffix != ".pyc")
IMAGE_FILES = sorted(str(path.relative_to(SOURCES)) for path in recipe.IMAGES.rglob("*") if path.is_file() and path.suffix != ".pyc")


@dataclass
class Source:
    """A copy of what the recipe reads, to be changed."""

    home: Path

    def keys(self) -> dict[str, str]:
        return {name: getattr(Recipe(), name) for name in KEYS}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    home = tmp_path / "box"
    for part in ("build", "guest"):
        shutil.copytree(SOURCES / part, home / part, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(recipe, "HERE", home / "build")
    monkeypatch.setattr(recipe, "GUEST", home / "guest")
    monkeypatch.setattr(recipe, "IMAGES", home / "build/images")
    monkeypatch.setattr(recipe, "WHEELS", home / "guest/requirements.txt")
    return Source(home)


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in KEYS if before[name] != after[name]}


def test_keys_are_short_and_differ() -> None:
    keys = [getattr(Recipe(), name) for name in KEYS]
    assert len(set(keys)) == len(KEYS)
    assert {len(bytes.fromhex(key)) for key in keys} == {6}


def test_the_same_source_is_the_same_key_anywhere_and_any_time(source: Source) -> None:
    copied = source.keys()
    for path in source.home.rglob("*"):
        os.utime(path, (0, 0))
    assert source.keys() == copied
    script = f"from lab.box.build.recipe import Recipe; print({{name: getattr(Recipe(), name) for name in {KEYS}}})"
    elsewhere = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=elsewhere).stdout
    assert said == f"{copied}\n"


def test_the_order_in_which_files_are_found_does_not_matter(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = source.keys(), Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda self, pattern: reversed(list(real(self, pattern))))
    assert source.keys() == before


@pytest.mark.parametrize("name", GUEST_FILES)
def test_a_changed_guest_file_is_another_machine(source: Source, name: str) -> None:
    before = source.keys()
    path = source.home / name
    path.write_text(path.read_text() + "\n# changed\n")
    assert changed(before, source.keys()) == ({"key", "wheels_key"} if path.name == "requirements.txt" else {"key"})


@pytest.mark.parametrize("name", IMAGE_FILES)
def test_a_changed_image_is_other_images_and_another_machine(source: Source, name: str) -> None:
    before = source.keys()
    path = source.home / name
    path.write_text(path.read_text() + "\n# changed\n")
    assert changed(before, source.keys()) == {"key", "images_key"}


@pytest.mark.parametrize("folder", ["guest", "guest/etc", "build/images/app"])
def test_a_new_a_renamed_and_a_removed_file_are_changes(source: Source, folder: str) -> None:
    keys = [source.keys()["key"]]
    (source.home / folder / "new").write_text("")
    keys.append(source.keys()["key"])
    (source.home / folder / "new").rename(source.home / folder / "newer")
    keys.append(source.keys()["key"])
    assert len(set(keys)) == 3
    (source.home / folder / "newer").unlink()
    assert source.keys()["key"] == keys[0]


def test_how_the_disk_is_made_is_part_of_it(source: Source) -> None:
    before = source.keys()
    path = source.home / "build/rootfs.py"
    path.write_text(path.read_text() + "# changed\n")
    assert changed(before, source.keys()) == {"key"}


@pytest.mark.parametrize("junk", ["guest/__pycache__/agent.cpython-311.pyc", "build/images/__pycache__/archive.cpython-311.pyc"])
def test_what_python_leaves_does_not_matter(source: Source, junk: str) -> None:
    before = source.keys()
    (source.home / junk).parent.mkdir()
    (source.home / junk).write_bytes(b"\xff\x00")
    assert source.keys() == before


@pytest.mark.parametrize("junk", ["guest/.agent.py.swp", "build/images/app/.DS_Store"])
def test_what_an_editor_leaves_does_no_harm(source: Source, junk: str) -> None:
    (source.home / junk).write_bytes(b"b0VIM\x20\x39\xff\x00")
    assert source.keys()


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("USERLAND_SUITE", "forky", {"packages_key", "images_key", "key"}),
        ("KERNEL_SUITE", "trixie", {"kernel_key", "key"}),
        ("KERNEL_PACKAGE", "linux-image-amd64", {"kernel_key", "key"}),
        ("PYTHON", "3.14", {"wheels_key", "key"}),
        ("BOOT_MODULES", ("virtio_pci",), {"key"}),
        ("SERVICE_MODULES", ("bridge",), {"key"}),
        ("MEMORY_MB", 2048, {"key"}),
        ("CPU_MODEL", "Haswell", {"key"}),
    ],
)
def test_every_choice_decides_what_hangs_on_it(
    monkeypatch: pytest.MonkeyPatch, source: Source, name: str, value: object, what: set[str]
) -> None:
    before = source.keys()
    monkeypatch.setattr(recipe, name, value)
    assert changed(before, source.keys()) == what


@pytest.mark.parametrize(
    "change",
    [lambda packages: (*packages, "cowsay"), lambda packages: packages[1:], lambda packages: (packages[0] + packages[1], *packages[2:])],
    ids=["one more", "one less", "two in one"],
)
def test_other_packages_are_another_machine(change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
    before, after = Recipe(), Recipe(change(Recipe().packages))
    assert {name for name in KEYS if getattr(before, name) != getattr(after, name)} == {"packages_key", "images_key", "key"}


def test_what_the_images_are_made_from_is_fetched() -> None:
    assert set(PACKAGES) <= set(Recipe().packages)
