"""A second, temporary installation with its own pristine box, for a process that must not touch the learner's box: grading, or Validate.

It shares what was built and has a box, keys and an owner label of its own.  It belongs to one process and goes when that ends, however it
ends: a small process of its own (``python -m lab.box.ephemeral PID ROOT``) waits for that.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lab.box import lifecycle
from lab.box.core.installation import Installation, is_a_box, private_directory
from lab.box.core.instance_dir import box_record
from lab.box.core.processes import spawn_module
from lab.box.core.record import ENGINE_VARIABLES, Record
from lab.box.errors import CourseError
from lab.box.instances.box import Box

SHARED = ("build", "templates")
REMEMBERED = ("kvm.json", "privileges.json")


def enter() -> Box:
    """Give this process its own installation, and return a pristine box in it; a second call returns the same box.

    Changes ``COURSE_STATE`` and ``DOCKER_HOST`` of this process, so that it finds this installation and not the learner's.

    Raises:
        CourseError: the box could not be had.
    """
    home = Installation.open()
    if (home.root.parent.name, home.root.name) == (home.ephemeral.name, str(os.getpid())):
        return lifecycle.current(home)  # it has entered already
    root = home.ephemeral / str(os.getpid())
    shutil.rmtree(root, ignore_errors=True)
    for directory in (home.ephemeral, root):
        private_directory(directory)
    for name in SHARED:
        (home.root / name).mkdir(exist_ok=True)
        (root / name).symlink_to(home.root / name)
    for name in REMEMBERED:
        if (home.root / name).exists():
            shutil.copy(home.root / name, root / name)
    record = box_record(home)
    _set({**_outer(record), "COURSE_STATE": str(root)})
    spawn_module("lab.box.ephemeral", str(os.getpid()), str(root), log=home.ephemeral / "log")
    box = lifecycle.up(record.backend if record else "auto", installation=Installation(root))
    os.environ["DOCKER_HOST"] = box.docker_host
    return box


def _outer(record: Record | None) -> dict[str, str | None]:
    """The variables that name the engine which the learner's box runs on: in a notebook DOCKER_HOST is that box itself."""
    if not is_a_box(os.environ.get("DOCKER_HOST", "")):
        return {}
    return {name: (record.origin.engine if record else {}).get(name) for name in ENGINE_VARIABLES}


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def remove(root: Path) -> None:
    """Remove the box of the temporary installation in *root*, then its directory.

    Raises:
        CourseError: an engine that it was on can't be reached; what is needed to try again is kept.
    """
    lifecycle.down(Installation(root))
    shutil.rmtree(root, ignore_errors=True)


def sweep(home: Installation) -> None:
    """Remove temporary installations whose process ended without removing them, for example because the computer was switched off."""
    for root in home.ephemeral.glob("[0-9]*"):
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
