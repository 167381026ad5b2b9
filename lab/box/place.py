"""Where one machine of an installation is: its sockets, its logs, what is remembered of it, and its seat on the private segment.

The learner's own box has the number 2 and is called ``box``; the machines that a lesson or a task adds have numbers from 11 on.  Sockets go
by the number, because a socket's path must be short and a name need not be.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab.box.record import Record
from lab.box.state import State

BOX, BOX_NUMBER = "box", 2
FIRST_NUMBER, LAST_NUMBER = 11, 250


def machines_of(state: State) -> Path:
    """One directory per machine beside the box, by name."""
    return state.boxes / "machines"


@dataclass(frozen=True)
class Place:
    """One machine's.

    Args:
        state: of the installation.
        backend: what runs the machine, ``microvm`` or ``container``.
        name: ``box``, or what the machine is called.
        number: the last part of its address on the segment.
    """

    state: State
    backend: str
    name: str = BOX
    number: int = BOX_NUMBER

    @property
    def is_box(self) -> bool:
        """The learner's own."""
        return self.name == BOX

    @cached_property
    def directory(self) -> Path:
        """For sockets; private and short.  ``open`` makes it."""
        return self.state.runtime / (BOX if self.is_box else f"m{self.number}")

    @property
    def home(self) -> Path:
        """For logs, and whatever else is kept."""
        return self.state.boxes / self.backend if self.is_box else machines_of(self.state) / self.name

    @property
    def memory(self) -> Path:
        """The file that says what is remembered of it."""
        return Record.path(self.state) if self.is_box else self.home / "record.json"

    def open(self) -> None:
        """Make the directories.

        Raises:
            CourseError: one exists and belongs to somebody else.
        """
        self.state.room(self.directory.name)
        self.home.mkdir(parents=True, exist_ok=True)

    def load(self) -> Record | None:
        """What is remembered of it, or nothing."""
        return Record.read(self.memory)

    def save(self, record: Record) -> None:
        """Remember it."""
        record.write(self.memory)

    def forget(self) -> None:
        """Remember nothing of it."""
        self.memory.unlink(missing_ok=True)
