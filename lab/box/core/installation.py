"""The directories of one installation of the course, and who may look at them.

Two directories, because a unix socket's path may be at most about 108 bytes long:

* the *state* directory (``COURSE_STATE``, else the platform's user-state directory) holds what is large or lasting: the build, the
  templates, the checkpoints, the installation's SSH key;
* the *runtime* directory is short and holds sockets.  It has mode 0700 and belongs to the user: that is what keeps a box private.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from platformdirs import user_state_path

from lab.box.core.progress import Printed, Progress, Quiet
from lab.box.errors import CourseError

APP = "kubernetes-by-analogy"
TEMPORARY = "/tmp"  # noqa: S108  (directories in it are private)
RUNTIME = "course"
"""What the names of runtime directories begin with."""


@dataclass(frozen=True)
class Installation:
    """The directories of one installation of the course.

    Args:
        root: its state directory.
    """

    root: Path

    @classmethod
    def open(cls) -> Installation:
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
        """What is kept of the box: its record, its logs, its checkpoints."""
        return self.root / "boxes"

    @property
    def machines(self) -> Path:
        """What is kept of the machines beside the box: one directory each, by name."""
        return self.boxes / "machines"

    @property
    def golden_images(self) -> Path:
        """One directory per golden image, by name."""
        return self.boxes / "images"

    @property
    def ephemeral(self) -> Path:
        """Installations that each belong to one process (see ``graded.py``), by its id."""
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
        return self._short(RUNTIME)

    @property
    def jupyter(self) -> Path:
        """Where the sockets of JupyterLab's kernels are."""
        return self._short("jupyter-course")

    def _short(self, kind: str) -> Path:
        return Path(TEMPORARY) / f"{kind}-{os.getuid()}-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:8]}"

    def socket_directory(self, name: str) -> Path:
        """A private directory for the sockets of one machine, created when missing.

        Raises:
            CourseError: a directory of that name exists and belongs to somebody else.
        """
        for directory in (self.runtime, self.runtime / name):
            private_directory(directory)
        return self.runtime / name

    @contextmanager
    def changing_the_box(self, doing: str, progress: Progress | None = None) -> Iterator[None]:
        """Hold the box's lock: nobody else can start, replace, save or remove the box.  Waits until the lock is free.

        Args:
            doing: what is done to the box, such as "starting the box"; whoever has to wait for it reads this.
            progress: shows what has to be waited for; printed where none is given.
        """
        with lock(self.boxes, "life", doing=doing, progress=Printed() if progress is None else progress):
            yield

    @contextmanager
    def keeping_the_box(self, doing: str, progress: Progress | None = None) -> Iterator[None]:
        """Hold the box's lock shared with others: nobody can replace or remove the box.  Waits while somebody changes it.

        Args:
            doing: as ``changing_the_box`` takes it.
            progress: as ``changing_the_box`` takes it.
        """
        with lock(self.boxes, "life", shared=True, doing=doing, progress=Printed() if progress is None else progress):
            yield


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


def is_a_box(docker_host: str) -> bool:
    """Whether this value of ``DOCKER_HOST`` is the engine of a box: of any installation, not of one alone."""
    return bool(re.search(rf"{TEMPORARY}/{RUNTIME}-\d+-[0-9a-f]{{8}}/", docker_host))


@contextmanager
def lock(directory: Path, name: str, *, shared: bool = False, doing: str = "", progress: Progress | None = None) -> Iterator[None]:
    """Hold the lock *name* in *directory*; waits until it is free.  The kernel frees the lock of a killed process.

    Args:
        directory: made when missing.
        name: of what is done.
        shared: several processes may hold it shared at the same time, but not while one holds it alone.
        doing: what is done, in words, for whoever has to wait for it.
        progress: shows what has to be waited for, where somebody else has the lock.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f".{name}.lock").open("a+") as file:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            with (Quiet() if progress is None else progress).step(f"Waiting until another command has finished: {file.read() or name}"):
                fcntl.flock(file, kind)
        if doing:
            file.truncate(0)  # what is appended then stands at the beginning
            file.write(f"{doing} (process {os.getpid()})")
            file.flush()
        try:
            yield
        finally:
            if doing and not shared:
                file.truncate(0)
