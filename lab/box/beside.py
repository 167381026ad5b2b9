"""A second installation beside the learner's own, for who needs a pristine box and must not touch theirs: what grades, and Validate.

It shares what was built and has a box, keys and an owner label of its own.  It belongs to one process and goes when that ends, however it
ends: a small process of its own (``python -m lab.box.beside PID ROOT``) waits for that.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lab.box import engine, life
from lab.box.box import Box
from lab.box.errors import CourseError
from lab.box.processes import spawn_module
from lab.box.record import Record
from lab.box.state import State, private_directory

SHARED = ("build", "templates")
REMEMBERED = ("kvm.json", "rights.json")


def enter() -> Box:
    """A pristine box in an installation beside the one that this process has found so far; from now on it finds this one.

    Raises:
        CourseError: the box could not be had.
    """
    home = State.open()
    if (home.root.parent.name, home.root.name) == ("beside", str(os.getpid())):
        return life.current(home)  # it has entered already
    root = home.beside / str(os.getpid())
    shutil.rmtree(root, ignore_errors=True)
    for directory in (home.beside, root):
        private_directory(directory)
    for name in SHARED:
        (home.root / name).mkdir(exist_ok=True)
        (root / name).symlink_to(home.root / name)
    for name in REMEMBERED:
        if (home.root / name).exists():
            shutil.copy(home.root / name, root / name)
    record = Record.load(home)
    _set({**_outer(home, record), "COURSE_STATE": str(root)})
    spawn_module("lab.box.beside", str(os.getpid()), str(root), log=home.beside / "log")
    box = life.up(record.backend if record else "auto", state=State(root))
    os.environ["DOCKER_HOST"] = box.docker_host
    return box


def _outer(home: State, record: Record | None) -> dict[str, str | None]:
    """The variables that name the engine which the learner's box runs on: in a notebook DOCKER_HOST is that box itself."""
    if str(home.runtime) not in os.environ.get("DOCKER_HOST", ""):
        return {}
    return {name: (record.engine if record else {}).get(name) for name in engine.VARIABLES}


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def remove(root: Path) -> None:
    """Take its box down, and forget it.

    Raises:
        CourseError: an engine that it was on can't be reached; what is needed to try again is kept.
    """
    life.down(State(root))
    shutil.rmtree(root, ignore_errors=True)


def sweep(home: State) -> None:
    """Remove those whose process has ended, and that nobody removed: where the computer itself went down, say."""
    for root in home.beside.glob("[0-9]*"):
        if not Path(f"/proc/{root.name}").exists():
            with suppress(CourseError):
                remove(root)


def _outlive(pid: int, root: Path) -> None:
    with suppress(ProcessLookupError):
        end = select.poll()
        end.register(os.pidfd_open(pid), select.POLLIN)
        end.poll()
    remove(root)


if __name__ == "__main__":
    _outlive(int(sys.argv[1]), Path(sys.argv[2]))
