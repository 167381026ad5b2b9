"""Where one machine of an installation keeps its files: sockets, logs, and its record.

The learner's own box has the number 2 and is called ``box``; the machines that a lesson or a task adds have numbers from 11 on.  The
directory of a machine's sockets is named after its number, because a socket's path must be short and a machine's name need not be.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab.box.core.inside import BOX
from lab.box.core.installation import Installation
from lab.box.core.record import Record

BOX_NUMBER = 2
FIRST_NUMBER, END_NUMBER = 11, 250


@dataclass(frozen=True)
class InstanceDir:
    """The directories and the record of one machine.

    Args:
        installation: that the machine belongs to.
        backend: what runs the machine, ``microvm`` or ``container``.
        name: ``box``, or what the machine is called.
        number: the last part of its address on the segment.
    """

    installation: Installation
    backend: str
    name: str = BOX
    number: int = BOX_NUMBER

    @property
    def is_box(self) -> bool:
        """Whether this is the learner's own box, and not a machine beside it."""
        return self.name == BOX

    @cached_property
    def sockets(self) -> Path:
        """The directory of its sockets; private and short.  ``create`` makes it."""
        return self.installation.runtime / (BOX if self.is_box else f"m{self.number}")

    @property
    def files(self) -> Path:
        """The directory of its logs, and of whatever else is kept."""
        return self.installation.boxes / self.backend if self.is_box else self.installation.machines / self.name

    @property
    def log(self) -> Path:
        """The file that gets the complaints of its relay, and of QEMU."""
        return self.files / "log"

    @property
    def console(self) -> Path:
        """The file that gets what a virtual machine's kernel prints."""
        return self.files / "console"

    @property
    def checkpoints(self) -> Path:
        """The directory of its checkpoints."""
        return self.files / "checkpoints"

    @property
    def record_file(self) -> Path:
        """The file of its record; the box's is the same on every backend, because there is one box."""
        return self.installation.boxes / "current.json" if self.is_box else self.files / "record.json"

    def create(self) -> None:
        """Make the directories.

        Raises:
            CourseError: one exists and belongs to somebody else.
        """
        self.installation.socket_directory(self.sockets.name)
        self.files.mkdir(parents=True, exist_ok=True)

    def load(self) -> Record | None:
        """The record of the machine, or nothing where there is none that can be read."""
        return Record.read(self.record_file)

    def save(self, record: Record) -> None:
        """Replace the record."""
        record.write(self.record_file)

    def forget(self) -> None:
        """Remove the record."""
        self.record_file.unlink(missing_ok=True)


def box_record(installation: Installation) -> Record | None:
    """The record of the current box, or nothing where there is none that can be read."""
    return InstanceDir(installation, "").load()
