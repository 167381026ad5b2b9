"""The learner's box, as lessons, checks and the command line hold it, whichever backend runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.box.core.instance_dir import InstanceDir, box_record
from lab.box.core.progress import Progress, Quiet
from lab.box.drivers.base import Checkpoint, Driver
from lab.box.errors import BoxNotRunning
from lab.box.instances import membership, startup
from lab.box.instances.remote import RemoteMachine

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

    from lab.box.channel.kernel import BoxKernel
    from lab.box.instances.instance import Instance


@dataclass(frozen=True)
class BoxStatus:
    """How a running box is; times in seconds under names that end in ``_s``, memory in MB."""

    name: str
    backend: str
    accelerator: str
    docker_host: str
    engine_version: str
    ready_s: float
    memory_mb: float
    checkpoints: tuple[Checkpoint, ...]


class Box(RemoteMachine):
    """The learner's disposable machine, reached from their own computer.

    Args:
        directory: the box's.
        driver: runs it.
    """

    def __init__(self, directory: InstanceDir, driver: Driver) -> None:
        super().__init__(driver.access)
        self._directory, self._driver = directory, driver
        self.own_kernel = driver.features.own_kernel

    @contextmanager
    def kernel(self, cwd: str = "/root") -> Iterator[BlockingKernelClient]:
        """A Jupyter kernel *inside* the box, forked from a warm one, with a key of its own; it ends with the ``with`` block.

        Args:
            cwd: its working directory, a path in the box.

        Raises:
            CourseError: it did not start.
        """
        from lab.box.channel.kernel import client_of_kernel  # noqa: PLC0415  (jupyter_client is slow to import)

        with client_of_kernel(self, self._access, cwd) as client:
            yield client

    def start_kernel(
        self, cwd: str = "/root", *, connection: dict[str, Any] | None = None, environment: dict[str, str] | None = None
    ) -> BoxKernel:
        """A Jupyter kernel inside the box that goes on until somebody ends it; see ``channel.kernel.start``."""
        from lab.box.channel.kernel import start  # noqa: PLC0415

        return start(self, self._access, cwd, connection, environment)

    def reset(self, progress: Progress | None = None) -> None:
        """Put a pristine box, with another name, in the place of this one; checkpoints stay, and so do the machines beside it.

        Args:
            progress: shows the step.  None shows no step, and prints a line only if another command has to be waited for.

        Raises:
            CourseError: no pristine box can be made, and this one goes on; or the new one did not start, and there is no box then.
        """
        with self._changing("resetting the box", "Resetting your box", progress):
            self._driver.require_pristine()
            self._replace()

    def rewind(self, name: str, progress: Progress | None = None) -> None:
        """Go back to a checkpoint: processes, files, containers, the host name, everything.

        Args:
            name: of the checkpoint.
            progress: as ``reset`` takes it.

        Raises:
            UsageError: there is no such checkpoint, or it does not fit the box any more; the box goes on as it is.
            NotOnThisBackend: the backend has no checkpoints; says what to do instead.
            CourseError: it did not start; there is no box then.
        """
        with self._changing(f"rewinding the box to {name}", f"Going back to {name}", progress):
            saved = self._driver.require_checkpoint(name)
            self._replace(saved.hostname, saved.name)

    def _replace(self, hostname: str = "", checkpoint: str = "") -> None:
        startup.end(self._driver, self._directory)
        startup.start(self._driver, self._directory, name=hostname, checkpoint=checkpoint)
        membership.rejoin_segment(self._directory.installation)

    def checkpoint(self, name: str, progress: Progress | None = None) -> None:
        """Save the box as it is, under a name.

        Args:
            name: of the checkpoint.
            progress: as ``reset`` takes it.

        Raises:
            UsageError: that is no name for a checkpoint.
            NotOnThisBackend: the backend has no checkpoints; says what to do instead.
            CourseError: it could not be saved, for want of space, say.
        """
        with self._changing(f"saving the box as {name}", f"Saving {name}", progress):
            self._driver.checkpoint(name)

    def export(self, directory: Path, progress: Progress | None = None) -> None:
        """Save the box as it is into a directory, to be taken elsewhere; it goes on.

        Args:
            directory: gets the files.
            progress: as ``reset`` takes it.

        Raises:
            NotOnThisBackend: the backend has no checkpoints; says what to do instead.
            CourseError: it could not be saved, for want of space, say.
        """
        with self._changing("saving the box", "Saving your box", progress):
            self._driver.export(directory)

    def adopt(self, name: str, directory: Path, progress: Progress | None = None) -> None:
        """Take a box that was exported, perhaps on another computer, among the checkpoints; ``rewind`` then goes on with it.

        Args:
            name: of the checkpoint.
            directory: has the files, which are data and not trusted; the machine's is moved away.
            progress: as ``reset`` takes it.

        Raises:
            UsageError: that is no name for a checkpoint.
            NotOnThisBackend: the backend has no checkpoints; says what to do instead.
            CourseError: it does not fit this computer's boxes, or is no saved box.
        """
        with self._changing("taking over a box", "Taking over the box", progress):
            self._driver.adopt(name, directory)

    def branch(self, name: str, progress: Progress | None = None) -> Instance:
        """A machine beside the box that goes on from here as well: the same files, containers and processes, and another name and address.

        The box stands still for a second or so, and goes on.  The copy is a machine like those that ``machines.create`` makes.

        Args:
            name: small letters, digits and hyphens; the others find it by this name.
            progress: as ``reset`` takes it.

        Raises:
            UsageError: no machine can have that name, or one has.
            NotOnThisBackend: the backend can't copy what runs; says what to do instead.
            CourseError: the quota allows no more, or it did not start; nothing is left of it then.
        """
        from lab.box.instances.branch import branch  # noqa: PLC0415  (few need it)

        with self._changing(f"branching {name}", f"Starting {name} from your box", progress):
            return branch(self._directory, self._driver, name)

    @contextmanager
    def _changing(self, doing: str, title: str, progress: Progress | None) -> Iterator[None]:
        """Exclude all other changes of the box, and show this one."""
        installation, steps = self._directory.installation, Quiet() if progress is None else progress
        with installation.changing_the_box(doing, progress):
            record = box_record(installation)
            if record and (record.backend, record.origin) != (self._directory.backend, self._driver.origin):
                raise BoxNotRunning("This box is gone.", "Another one has taken its place meanwhile.", "box = connect()")
            with steps.step(title):
                yield

    def checkpoints(self) -> tuple[str, ...]:
        """The names of the box's checkpoints, oldest first."""
        return tuple(checkpoint.name for checkpoint in self._driver.checkpoints())

    def status(self) -> BoxStatus:
        """The box's name, backend, versions, memory in MB, start time in seconds, and checkpoints.

        Raises:
            BoxNotRunning: it has gone.
            CourseError: its engine does not answer.
        """
        record = self._directory.load()
        if not record or not self._driver.alive():
            raise BoxNotRunning("There is no box.", "What ran it has ended, or does not answer.", "course up")
        return BoxStatus(
            record.name, record.backend, record.origin.accelerator, self.docker_host, self._access.engine_version(), record.ready_s,
            round(self._driver.memory_mb()), self._driver.checkpoints(),
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<box at {self.docker_host}>"
