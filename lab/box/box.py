"""A box, as lessons, checks and the command line see it, whichever backend runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lab.box.access import Access
from lab.box.reached import Reached

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient


@dataclass(frozen=True)
class Status:
    """What there is to say about a running box; times in seconds under names that end in ``_s``, memory in MB."""

    name: str
    backend: str
    accelerator: str
    docker_host: str
    engine_version: str
    ready_s: float
    memory_mb: float
    checkpoints: tuple[str, ...]


class Backend(Protocol):
    """What runs a box."""

    def reset(self) -> None:
        """Put a pristine machine in the place of this one."""

    def checkpoint(self, name: str) -> None:
        """Save the machine as it is."""

    def rewind(self, name: str) -> None:
        """Go back to a saved machine."""

    def checkpoints(self) -> tuple[str, ...]:
        """The names of the saved machines, oldest first."""

    def down(self) -> None:
        """Remove the machine and everything that belongs to it."""

    def status(self) -> Status:
        """How it is."""


class Box(Reached):
    """The learner's disposable machine, reached from their own computer.

    Args:
        backend: runs it.
        access: reaches it.
    """

    def __init__(self, backend: Backend, access: Access) -> None:
        super().__init__(access)
        self._backend = backend

    @contextmanager
    def kernel(self, cwd: str = "/root") -> Iterator[BlockingKernelClient]:
        """A Jupyter kernel *inside* the box, forked from a warm one, with a key of its own; it ends with the ``with`` block.

        Args:
            cwd: its working directory, a path in the box.

        Raises:
            CourseError: it did not start.
        """
        from lab.box.kernel import start  # noqa: PLC0415  (jupyter_client is slow to import)

        with start(self, self._access, cwd) as client:
            yield client

    def reset(self) -> None:
        """Put a pristine box in the place of this one; checkpoints stay, and so do the machines beside it."""
        self._backend.reset()

    def checkpoint(self, name: str) -> None:
        """Save the box as it is, under a name.

        Raises:
            UsageError: that is no name for a checkpoint.
            NotOnThisBackend: the backend can't; says what to do instead.
        """
        self._backend.checkpoint(name)

    def rewind(self, name: str) -> None:
        """Go back to a checkpoint: processes, files, containers, everything.

        Raises:
            UsageError: there is no such checkpoint.
            NotOnThisBackend: the backend can't; says what to do instead.
        """
        self._backend.rewind(name)

    def checkpoints(self) -> tuple[str, ...]:
        """The names of the box's checkpoints, oldest first."""
        return self._backend.checkpoints()

    def status(self) -> Status:
        """How the box is."""
        return self._backend.status()

    def down(self) -> None:
        """Remove the box and everything that belongs to it."""
        self._backend.down()

    def __repr__(self) -> str:
        return f"<box at {self.docker_host}>"
