"""A build goes on where it was, does nothing twice, and keeps what was finished.  What its steps do is made up here."""

from __future__ import annotations

import errno
import multiprocessing
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.box.build import recipe, steps
from lab.box.core.installation import Installation
from lab.box.errors import BuildError
from tests.support.progress import Titles


class Workshop:
    """A build whose steps leave a small file each, and note that they ran; one may be told to fail."""

    def __init__(self, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state, self.ran, self.failing, self.titles = installation, [], {}, Titles()  # type: list[str], dict[str, BaseException]
        monkeypatch.setattr(steps, "_userland", lambda out, _: self._run("userland", out / "root", out / "debs"))
        monkeypatch.setattr(steps, "_unpack", lambda _suite, out, _includes: self._run("kernel", out))
        monkeypatch.setattr(steps, "_wheels", lambda out: self._run("wheels", out / "site"))
        monkeypatch.setattr(steps, "write_images", lambda _debs, out, _version: self._run("images", out))
        monkeypatch.setattr(steps, "_machine", lambda out, _fetched, _images: self._run("machine", *self._artefacts(out)))

    @staticmethod
    def _artefacts(out: Path) -> list[Path]:
        return [out / name for name in ("disk.erofs", "vmlinuz", "initramfs.gz", "root.tar", "images.tar")]

    def _run(self, name: str, *results: Path) -> None:
        self.ran.append(name)
        for result in results:
            result.write_text(name)
        if name in self.failing:
            raise self.failing[name]

    def build(self) -> steps.Artefacts:
        """What ran is forgotten first."""
        self.ran.clear()
        self.titles.clear()
        return steps.build(self.state, self.titles)

    @property
    def left(self) -> set[str]:
        """The kinds of directories in the build; a partial one is marked."""
        names = [path.name for path in self.state.build.iterdir() if path.is_dir()]
        return {name.split("-")[0] + (".partial" if name.endswith(".partial") else "") for name in names}


ALL = {"userland", "kernel", "wheels", "images", "machine"}


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    return Workshop(Installation(tmp_path), monkeypatch)


def test_everything_is_made_once(workshop: Workshop) -> None:
    artefacts = workshop.build()
    assert set(workshop.ran[:3]) == {"userland", "kernel", "wheels"}
    assert workshop.ran[3:] == ["images", "machine"]
    assert workshop.titles.fraction == 1.0
    assert workshop.left == ALL
    files = (artefacts.disk, artefacts.kernel, artefacts.initramfs, artefacts.root_tar, artefacts.images)
    assert {path.read_text() for path in files} == {"machine"}
    assert artefacts.key == recipe.Recipe().key
    assert workshop.build() == artefacts
    assert workshop.ran == workshop.titles == []


@pytest.mark.parametrize(
    ("name", "value", "again"),
    [
        ("KERNEL_SUITE", "trixie", {"kernel", "machine"}),
        ("PYTHON", "3.14", {"wheels", "machine"}),
        ("USERLAND_SUITE", "forky", {"userland", "images", "machine"}),
        ("MEMORY_MB", 2048, {"machine"}),
    ],
)
def test_only_what_changed_is_made_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, name: str, value: object, again: set[str]
) -> None:
    before = workshop.build()
    monkeypatch.setattr(recipe, name, value)
    after = workshop.build()
    assert set(workshop.ran) == again
    assert before.disk.exists()
    assert after.disk != before.disk
    monkeypatch.undo()


@pytest.mark.parametrize("name", ["userland", "kernel", "wheels", "images", "machine"])
@pytest.mark.parametrize("error", [BuildError("it failed"), KeyboardInterrupt()], ids=["failed", "interrupted"])
def test_a_step_that_did_not_finish_is_done_again_and_no_other(workshop: Workshop, name: str, error: BaseException) -> None:
    workshop.failing[name] = error
    with pytest.raises(type(error)):
        workshop.build()
    finished = set(workshop.ran) - {name}
    assert workshop.left == finished | {f"{name}.partial"}
    workshop.failing.clear()
    workshop.build()
    assert set(workshop.ran) == ALL - finished
    assert workshop.left == ALL


def test_side_by_side_steps_finish_although_one_fails_early(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()

    def fails(_out: Path) -> None:
        failed.set()
        raise BuildError("no wheels")

    def slow(out: Path, _packages: object) -> None:
        assert failed.wait(5)
        time.sleep(0.05)
        workshop._run("userland", out / "root", out / "debs")

    monkeypatch.setattr(steps, "_wheels", fails)
    monkeypatch.setattr(steps, "_userland", slow)
    with pytest.raises(BuildError, match="no wheels"):
        workshop.build()
    assert workshop.left == {"userland", "kernel", "wheels.partial"}


def test_what_a_machine_was_made_from_is_not_needed_any_more(workshop: Workshop) -> None:
    made = workshop.build()
    for path in workshop.state.build.iterdir():
        if path.is_dir() and path != made.disk.parent:
            shutil.rmtree(path)
    assert workshop.build() == made
    assert workshop.ran == []


def test_two_builds_at_once_share_the_work(workshop: Workshop) -> None:
    results: list[steps.Artefacts] = []
    builders = [threading.Thread(target=lambda: results.append(steps.build(workshop.state, Titles()))) for _ in range(3)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(10)
    assert sorted(workshop.ran) == sorted(ALL)
    assert len(results) == 3
    assert len(set(results)) == 1


def make_and_wait(out: Path, begun: Path) -> None:
    def make(scratch: Path) -> None:
        (scratch / "half").write_text("half")
        begun.touch()
        time.sleep(60)

    steps._make(out, make)


def test_a_killed_step_leaves_no_result_and_is_done_from_the_start(tmp_path: Path) -> None:
    out, begun = tmp_path / "out", tmp_path / "begun"
    worker = multiprocessing.get_context("spawn").Process(target=make_and_wait, args=(out, begun))
    worker.start()
    deadline = time.monotonic() + 10
    while not begun.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    worker.kill()
    worker.join()
    worker.close()
    assert not out.exists()
    assert (tmp_path / "out.partial" / "half").exists()
    steps._make(out, lambda scratch: (scratch / "whole").touch())
    assert [path.name for path in tmp_path.glob("out*")] == ["out"]
    assert [path.name for path in out.iterdir()] == ["whole"]


def test_what_is_there_is_not_announced(tmp_path: Path) -> None:
    titles = Titles()
    for _ in range(2):
        assert steps._made(tmp_path / "out", lambda scratch: (scratch / "it").touch(), titles, "Making it") == tmp_path / "out"
    assert titles == ["Making it"]


def fails_to_write(_: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/state/build/disk")


def fails_to_copy(_: Path) -> None:
    subprocess.run(["false"], check=True)


@pytest.mark.parametrize("make", [fails_to_write, fails_to_copy])
def test_whatever_a_step_dies_of_is_said_in_a_sentence(tmp_path: Path, make: Callable[[Path], None]) -> None:
    with pytest.raises(BuildError) as raised:
        steps._make(tmp_path / "out", make)
    assert raised.value.try_next
