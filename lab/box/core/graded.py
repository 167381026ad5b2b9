"""Where nbgrader runs a notebook, its code works on an installation of its own, and never on the one of whoever runs nbgrader.

That installation is *ephemeral*: it shares what was built, has a box, keys and an owner label of its own, belongs to one process, and goes
when that ends (see ``lab.box.ephemeral``).
"""

from __future__ import annotations

import os
import shutil
import sys

from lab.box.core.inside import NBGRADER, inside_a_box
from lab.box.core.installation import Installation, is_a_box, private_directory
from lab.box.core.instance_dir import box_record
from lab.box.core.processes import spawn_module
from lab.box.core.record import ENGINE_VARIABLES

BACKEND = "COURSE_EPHEMERAL_BACKEND"
"""The variable of a process that has an ephemeral installation: the backend of its box, which is that of whoever runs nbgrader."""
SHARED = ("build", "templates")
REMEMBERED = ("kvm.json", "privileges.json")


def graded() -> bool:
    """Whether this is the kernel of a notebook that nbgrader runs, and not inside a box.  nbgrader's own process has the variable, too."""
    ipython = sys.modules.get("IPython")
    return NBGRADER in os.environ and ipython is not None and ipython.get_ipython() is not None and not inside_a_box()


def installation() -> Installation:
    """The installation to work on: the user's own, or, in the kernel of a notebook that nbgrader runs, an ephemeral one.

    Raises:
        CourseError: its directory can't be written.
    """
    if graded():
        separate()
    return Installation.open()


def separate() -> None:
    """Give this process, and what it starts, an ephemeral installation; does nothing where it has one.

    Changes ``COURSE_STATE``, and takes the variables that name a Docker engine from the box that they lead to.

    Raises:
        CourseError: a directory can't be written.
    """
    if BACKEND in os.environ:
        return
    home = Installation.open()
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
    if is_a_box(os.environ.get("DOCKER_HOST", "")):
        for name in ENGINE_VARIABLES:
            os.environ.pop(name, None)
        os.environ.update(record.origin.engine if record else {})
    os.environ.update({"COURSE_STATE": str(root), BACKEND: record.backend if record else "auto"})
    spawn_module("lab.box.ephemeral", str(os.getpid()), str(root), log=home.ephemeral / "log")
