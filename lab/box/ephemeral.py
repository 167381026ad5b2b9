"""The box of an ephemeral installation (see ``core/graded.py``): how it is had, and how it goes.

The installation goes with the process that it belongs to, however that ends: a small process of its own
(``python -m lab.box.ephemeral PID ROOT``) waits for the end.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from lab.box import lifecycle
from lab.box.core import graded
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import box_record
from lab.box.errors import CourseError
from lab.box.instances.box import Box


def enter() -> Box:
    """Give this process an ephemeral installation, and return a pristine box in it; a second call returns the same box.

    Changes ``DOCKER_HOST`` of this process to that box, and what ``graded.separate`` changes.

    Raises:
        CourseError: the box could not be had.
    """
    graded.separate()
    home = Installation.open()
    if box_record(home):
        return lifecycle.current(home)
    box = lifecycle.up(os.environ[graded.BACKEND], installation=home)
    os.environ["DOCKER_HOST"] = box.docker_host
    return box


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
