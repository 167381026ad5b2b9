"""What a backend has to offer: the protocols that the rest of the course speaks to, whatever runs a machine.

A ``Backend`` is one way to run machines: it says whether it can work on this computer, prepares what machines are made from, and makes a
``Driver`` for each machine.  A driver starts, saves and ends that one machine.  What a backend can't do is said by its ``Features``, so
nobody has to ask for its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lab.box.channel.access import Access
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir
from lab.box.core.progress import Progress
from lab.box.core.record import Launched, Origin, Record


@dataclass(frozen=True)
class Features:
    """What machines of a backend may lack.

    Args:
        checkpoints: a machine can be saved while it runs, and be put back.
        boots: a machine can start from its kernel on, with a console that shows it.
        own_kernel: a machine has a kernel, a clock and a random generator of its own, and not those of its computer.
        beside_others: its machines can be had while the box itself runs on another backend.
    """

    checkpoints: bool
    boots: bool
    own_kernel: bool
    beside_others: bool


@dataclass(frozen=True)
class Lack:
    """Why a backend can't run on this computer.

    Args:
        why: one sentence.
        try_next: the command that mends it.
    """

    why: str
    try_next: str = "course doctor"


@dataclass(frozen=True)
class Finding:
    """One thing that the course needs of a computer, for ``course doctor``.

    Args:
        name: of what is needed.
        ok: it is there.
        found: what was seen.
        mend: the command that mends it; empty where there is nothing to mend.
        required: the course can't do without it.
    """

    name: str
    ok: bool
    found: str
    mend: str = ""
    required: bool = True


@dataclass(frozen=True)
class Checkpoint:
    """A machine that was saved.

    Args:
        name: of the checkpoint.
        hostname: of the machine when it was saved.
        misfit: why the machine can't be put back any more, one sentence; empty where it can.
    """

    name: str
    hostname: str = ""
    misfit: str = ""

    @property
    def fits(self) -> bool:
        """Whether the machine can be put back."""
        return not self.misfit


class Driver(Protocol):
    """Runs one machine."""

    @property
    def access(self) -> Access:
        """The ways into the machine."""

    @property
    def features(self) -> Features:
        """What the machine may lack."""

    @property
    def origin(self) -> Origin:
        """What the machine is made from."""

    def launch(self, name: str, checkpoint: str = "") -> Launched:
        """Start the machine and its relay; wait for neither.

        Args:
            name: the machine's host name.
            checkpoint: go on from there; without one the machine is pristine.

        Raises:
            UsageError: there is no such checkpoint, or it does not fit.
            CourseError: it could not be started; ``stop`` removes what there is of it.
        """

    def interface(self) -> dict[str, str]:
        """How the machine's agent has to set the network interface that is on the segment; empty where the engine outside saw to that."""

    def connect(self) -> None:
        """Put the machine on the segment, where it was started without it.

        Raises:
            CourseError: that was refused.
        """

    def stop(self) -> None:
        """End the machine, as if its plug were pulled, and remove its sockets.  Its record and its checkpoints stay.

        Raises:
            CourseError: what runs it can't be reached.
        """

    def repair(self) -> None:
        """Start the relay again where it was killed and the machine still runs.

        Raises:
            WaitTimeout: it did not come back.
        """

    def alive(self) -> bool:
        """Whether the machine runs."""

    def memory_mb(self) -> float:
        """What the machine costs its computer now, in MB, its relay included; 0 where it does not run."""

    def console(self) -> str:
        """What the machine has printed since it booted; empty where it is a clone, which did not boot."""

    def engine_log(self) -> str:
        """The last lines of the machine's Docker Engine, where they can be had from outside; else empty."""

    def checkpoint(self, name: str) -> None:
        """Save the machine as it is, under a name.

        Raises:
            UsageError: that is no name for a checkpoint.
            NotOnThisBackend: its features don't include checkpoints; says what to do instead.
            CourseError: it could not be saved.
        """

    def require_checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint of that name, which the machine can be put back to.

        Raises:
            UsageError: there is no such checkpoint, or it does not fit.
            NotOnThisBackend: its features don't include checkpoints; says what to do instead.
        """

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """The checkpoints of the machine, oldest first."""


class Backend(Protocol):
    """One way to run machines."""

    @property
    def name(self) -> str:
        """As ``--backend`` takes it."""

    @property
    def features(self) -> Features:
        """What its machines may lack."""

    def lack(self, installation: Installation) -> Lack | None:
        """Why it can't run on this computer; nothing where it can."""

    @property
    def cost_mb(self) -> int:
        """What a machine that runs something small takes of its computer's memory, in MB."""

    def fast(self, installation: Installation) -> bool:
        """Whether its machines run at the processor's own speed here."""

    def findings(self, installation: Installation) -> list[Finding]:
        """What it needs of this computer; ``required`` where it can't run without."""

    def prepare(self, installation: Installation, progress: Progress, *, like: Origin | None = None, boot: bool = False) -> Origin:
        """Make what machines are made from, where it is missing.

        Args:
            installation: gets it.
            progress: shows the steps.
            like: of a machine of this backend, such as the box: the new ones shall be its like; without one they follow the current recipe.
            boot: the machine is to boot, so that no template is needed.

        Returns:
            What a new machine is made from.

        Raises:
            CourseError: a step failed; says why and what to do.
        """

    def driver(self, directory: InstanceDir, origin: Origin, *, boot: bool = False) -> Driver:
        """The driver of one machine.

        Args:
            directory: the machine's.
            origin: what it is, or will be, made from.
            boot: it starts from its kernel on, and is no clone.
        """

    def open_segment(self, installation: Installation, origin: Origin) -> str:
        """Make the network that machines of this origin see each other on, where it is missing.

        Returns:
            The first three parts of the addresses on it.

        Raises:
            CourseError: it could not be made.
        """

    def same_computer(self, origin: Origin) -> bool:
        """Whether such machines take the memory of this computer, and not of another."""

    def remove_all(self, installation: Installation, record: Record | None) -> None:
        """Remove whatever the installation has made outside its own directories, such as containers and volumes.

        Args:
            installation: whose.
            record: of the box, where there is one.

        Raises:
            CourseError: what the box runs on can't be reached.
        """
