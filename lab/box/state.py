"""Where things are kept, and who may look at them.

Two directories, because a unix socket's path may be at most about 108 bytes long:

* the *state* directory (``COURSE_STATE``, else the platform's user-state directory) holds what is large or lasting: the build, the
  templates, the checkpoints, the installation's SSH key;
* the *runtime* directory is short and holds sockets.  It has mode 0700 and belongs to the user: that is what keeps a box private.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from platformdirs import user_state_path

from lab.box.errors import CourseError

APP = "kubernetes-by-analogy"


@dataclass(frozen=True)
class State:
    """The directories of one installation of the course."""

    root: Path

    @classmethod
    def open(cls) -> State:
        """The installation that ``COURSE_STATE`` or the platform names, created when missing.

        Raises:
            CourseError: the directory can't be created or written.
        """
        root = Path(os.environ.get("COURSE_STATE") or user_state_path(APP)).expanduser().absolute()
        try:
            private_directory(root)
            probe = root / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink(missing_ok=True)  # two threads may probe at once
        except OSError as error:
            raise CourseError(
                f"The course can't keep its state in {root}.",
                f"{error.strerror}: {error.filename}.",
                "COURSE_STATE=/some/directory/of/yours course up",
            ) from None
        return cls(root)

    @property
    def build(self) -> Path:
        """What the recipe produces: packages, disk, kernel, images."""
        return self.root / "build"

    @property
    def templates(self) -> Path:
        """Saved machines that new boxes are cloned from."""
        return self.root / "templates"

    @property
    def boxes(self) -> Path:
        """One directory per box: what it is, its logs, its checkpoints."""
        return self.root / "boxes"

    @property
    def beside(self) -> Path:
        """Installations beside this one, each for a process that needs a pristine box (see ``beside.py``)."""
        return self.root / "beside"

    @cached_property
    def owner(self) -> str:
        """A random name for this installation, 8 hex digits: the owner label of everything it makes on an engine."""
        path = self.root / "owner"
        if not path.exists():
            path.write_text(secrets.token_hex(4))
        return path.read_text()

    @property
    def runtime(self) -> Path:
        """Where the sockets of boxes are: a short name in /tmp, because TMPDIR differs between shells and may be long."""
        return self._short("course")

    @property
    def jupyter(self) -> Path:
        """Where the sockets of JupyterLab's kernels are."""
        return self._short("jupyter-course")

    def _short(self, kind: str) -> Path:
        return Path("/tmp") / f"{kind}-{os.getuid()}-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:8]}"  # noqa: S108

    def room(self, name: str) -> Path:
        """A private directory for the sockets of one machine, created when missing.

        Raises:
            CourseError: a directory of that name exists and belongs to somebody else.
        """
        for directory in (self.runtime, self.runtime / name):
            private_directory(directory)
        return self.runtime / name


def private_directory(path: Path) -> None:
    """Create *path* with mode 0700, or make sure that an existing one is a directory of ours that nobody else can enter.

    Raises:
        CourseError: it is a file or a link, or belongs to somebody else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise CourseError(
            f"{path} is not a directory of yours.",
            f"It must be one that you alone can enter; {path} is a file, a link, or somebody else's.",
            f"mv {path} elsewhere, or set COURSE_STATE to another directory",
        )
    if info.st_mode & 0o077:
        path.chmod(0o700)


@contextmanager
def lock(directory: Path, name: str, *, shared: bool = False) -> Iterator[None]:
    """Let one process at a time do *name* in *directory*; the kernel frees the lock of a process that was killed.

    Args:
        directory: made when missing.
        name: of what is done.
        shared: others that share it may do so at the same time, but nobody who wants it alone.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
