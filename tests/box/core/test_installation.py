"""Where things are kept: found whatever it is called, private, and said plainly when it can't be had."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from select import select

import psutil
import pytest

from lab.box.core.installation import Installation, lock, private_directory
from lab.box.errors import CourseError
from tests.support.nobody import NOBODY, ordinary_user

HOLD = """
import sys, time
from pathlib import Path
from lab.box.core.installation import lock
from lab.box.core.processes import spawn
print("asks", flush=True)
with lock(Path(sys.argv[1]), "life"):
    if sys.argv[2:]:
        print(spawn(["/bin/sleep", "60"], Path(sys.argv[2])).pid, flush=True)
    print("has it", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path | str], Installation]]:
    """Open installations; their runtime directories are removed."""
    states: list[Installation] = []

    def open_at(root: Path | str) -> Installation:
        monkeypatch.setenv("COURSE_STATE", str(root))
        states.append(Installation.open())
        return states[-1]

    yield open_at
    for installation in states:
        shutil.rmtree(installation.runtime, ignore_errors=True)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody can enter."""
    with tempfile.TemporaryDirectory(prefix="course-test-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


Opened = Callable[[Path | str], Installation]


@pytest.mark.parametrize("name", ["state", "a b  c", "Übungsplatz 日本", "a'b\"c$d", "deep/er/still"])
def test_any_name_will_do(opened: Opened, tmp_path: Path, name: str) -> None:
    installation = opened(tmp_path / name)
    assert installation.root == tmp_path / name
    assert mode(installation.root) == 0o700
    assert list(installation.root.iterdir()) == []


def test_a_relative_name_and_a_home_are_made_absolute(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert opened("here").root == tmp_path / "here"
    assert opened("~/course").root == tmp_path / "home/course"


def test_without_a_name_it_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COURSE_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Installation.open().root == tmp_path / "kubernetes-by-analogy"


def test_a_directory_that_may_not_be_written_is_said(opened: Opened, public: Path) -> None:
    (public / "mine").mkdir(mode=0o500)
    root = public / "mine" / "state"
    with pytest.raises(CourseError) as raised, ordinary_user():
        opened(root)
    assert raised.value.what == f"The course can't keep its state in {root}."
    assert raised.value.why.startswith("Permission denied: ")
    assert raised.value.try_next.startswith("COURSE_STATE=")


@pytest.mark.parametrize("place", ["file", "file/below", "link"])
def test_something_else_in_its_place_is_said(opened: Opened, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(CourseError) as raised:
        opened(tmp_path / place)
    assert str(tmp_path / place) in raised.value.what
    assert "COURSE_STATE" in raised.value.try_next
    assert (tmp_path / "file").read_text() == "precious"


def test_its_directories_are_told_apart_and_its_name_stays(opened: Opened, tmp_path: Path) -> None:
    one, same, other = opened(tmp_path / "one"), opened(tmp_path / "one"), opened(tmp_path / "other")
    assert len({one.build, one.templates, one.boxes, one.root}) == 4
    assert one.owner == same.owner != other.owner
    assert len(bytes.fromhex(one.owner)) == 4
    assert one.runtime == same.runtime != other.runtime


def test_sockets_have_short_names_in_a_private_place(opened: Opened, tmp_path: Path) -> None:
    installation = opened(tmp_path / ("long" * 40))
    room = installation.socket_directory("box")
    assert len(os.fsencode(room)) < 60
    for directory in (room, installation.runtime):
        assert mode(directory) == 0o700
        assert directory.stat().st_uid == os.getuid()


def test_a_directory_that_others_could_enter_is_closed(opened: Opened, tmp_path: Path) -> None:
    installation = opened(tmp_path / "state")
    for directory in (installation.socket_directory("box"), installation.runtime):
        directory.chmod(0o755)
    assert [mode(directory) for directory in (installation.socket_directory("box"), installation.runtime)] == [0o700, 0o700]
    (tmp_path / "state").chmod(0o777)
    opened(tmp_path / "state")
    assert mode(tmp_path / "state") == 0o700


def test_others_can_not_get_in(opened: Opened, tmp_path: Path) -> None:
    if os.getuid():
        pytest.skip("only root can try as somebody else")
    installation = opened(tmp_path / "state")
    (installation.socket_directory("box") / "docker.sock").touch()
    with pytest.raises(PermissionError), ordinary_user():
        (installation.runtime / "box/docker.sock").stat()


@pytest.mark.parametrize(
    "trap",
    [
        "link",
        "dangling",
        "file",
        "theirs",
    ],
)
def test_a_trap_in_the_runtime_directorys_place_is_refused(tmp_path: Path, trap: str) -> None:
    path = tmp_path / "runtime"
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    if trap == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif trap == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif trap == "file":
        path.touch()
    elif os.getuid() == 0:
        path.mkdir(mode=0o777)
        os.chown(path, NOBODY, NOBODY)
    else:
        path = Path("/proc")  # root's
    before = (path.lstat().st_mode, path.lstat().st_uid)
    with pytest.raises(CourseError) as raised:
        private_directory(path)
    assert raised.value.what == f"{path} is not a directory of yours."
    assert str(path) in raised.value.try_next
    assert (path.lstat().st_mode, path.lstat().st_uid) == before
    assert mode(tmp_path / "elsewhere") == 0o755


class Holder:
    """A process that asks for a lock, and keeps it."""

    def __init__(self, *arguments: Path) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", HOLD, *arguments], stdout=subprocess.PIPE, bufsize=0)
        assert self.line() == "asks"

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().decode().strip()

    def has_more(self, within_s: float = 0.3) -> bool:
        assert self.process.stdout
        """Has it said something, or does it within that time?"""
        return bool(select([self.process.stdout], [], [], within_s)[0])

    def kill(self) -> None:
        self.process.kill()
        with self.process:  # closes its pipe
            self.process.wait()


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., Holder]]:
    holders: list[Holder] = []

    def start(*arguments: Path) -> Holder:
        holders.append(Holder(tmp_path / "boxes", *arguments))
        return holders[-1]

    yield start
    for holder in holders:
        holder.kill()


def test_one_process_at_a_time(hold: Callable[..., Holder]) -> None:
    first = hold()
    assert first.line() == "has it"
    second = hold()
    assert not second.has_more()
    first.kill()
    assert second.line() == "has it"


def test_a_killed_process_frees_its_lock_although_what_it_started_lives(hold: Callable[..., Holder], tmp_path: Path) -> None:
    first = hold(tmp_path / "log")
    started = psutil.Process(int(first.line()))
    assert first.line() == "has it"
    first.kill()
    assert hold().line() == "has it"
    assert started.is_running()
    started.kill()


def test_locks_of_other_names_and_places_do_not_matter(hold: Callable[..., Holder], tmp_path: Path) -> None:
    assert hold().line() == "has it"
    with lock(tmp_path / "boxes", "other"), lock(tmp_path / "new" / "place", "life"):
        pass
