"""What a backend has to offer: the protocols that the rest of the course speaks to, whatever runs a machine.

A ``Backend`` is one way to run machines: it says whether it can work on this computer, prepares what machines are made from, and makes a
``Driver`` for each machine.  A driver starts, saves and ends that one machine.  What a backend can't do is said by its ``Features``, so
nobody has to ask for its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.box.channel.access import Access
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir
from lab.box.core.processes import Process
from lab.box.core.progress import Progress
from lab.box.core.record import Launched, Origin, Record


@dataclass(frozen=True)
class Features:
    """What machines of a backend can do; a field is False if this backend can't do it.

    Args:
        checkpoints: a running machine can be saved, and restored later, or copied as it runs.
        boots: a machine can boot from its kernel, with a console that shows it.
        own_kernel: a machine has its own kernel, clock and random generator, not those of its host.
        beside_others: its machines can be created while the box runs on another backend.
    """

    checkpoints: bool
    boots: bool
    own_kernel: bool
    beside_others: bool


@dataclass(frozen=True)
class Unavailable:
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
        incompatibility: why the machine can't be put back any more, one sentence; empty where it can.
    """

    name: str
    hostname: str = ""
    incompatibility: str = ""

    @property
    def fits(self) -> bool:
        """Whether the machine can be put back."""
        return not self.incompatibility


class Driver(Protocol):
    """Runs one machine."""

    @property
    def access(self) -> Access:
        """The ways into the machine."""

    @property
    def features(self) -> Features:
        """What the machine can do."""

    @property
    def origin(self) -> Origin:
        """What the machine is made from."""

    def launch(self, name: str, checkpoint: str = "", original: Driver | None = None) -> Launched:
        """Start the machine and its relay.

        A clone runs when this returns; a machine that boots has only begun to boot.  The caller waits until the agent and the Docker Engine
        answer.

        Args:
            name: the machine's host name.
            checkpoint: go on from there; without one the machine is pristine.
            original: a running machine of the same origin: this one is to be a copy of it, memory included, and the original goes on.

        Raises:
            UsageError: there is no such checkpoint, or it does not fit.
            NotOnThisBackend: its features don't include checkpoints, and it is to go on from a machine's memory.
            CourseError: it could not be started; ``stop`` removes what there is of it.
        """

    def interface(self) -> dict[str, str]:
        """The settings that the agent must give to the machine's network interface on the segment.

        Returns:
            ``mac`` and ``address`` (such as ``10.30.0.11/24``); empty if the outer engine has set them already.
        """

    def connect(self) -> None:
        """Put the machine on the segment, where it was started without it.

        Raises:
            CourseError: that was refused.
        """

    def stop(self) -> None:
        """End the machine and its relay, as if its plug were pulled; what else is left of it is removed by ``startup.end``.

        Raises:
            CourseError: what runs it can't be reached.
        """

    def start_relay(self) -> Process:
        """Start a relay into the machine, which runs.

        Raises:
            BoxNotRunning: the machine has ended.
        """

    def resume(self) -> None:
        """Let the machine go on if somebody was killed who had stopped it to save it.

        Only for a caller that holds the box's lock: then nobody is saving it.

        Raises:
            CourseError: what runs it does not answer.
        """

    def alive(self) -> bool:
        """Whether the machine runs."""

    def memory_mb(self) -> float:
        """What the machine costs its computer now, in MB, its relay included; 0 where it does not run."""

    def console(self) -> str:
        """What the machine has printed: a virtual machine's kernel and init (nothing if it is a clone), a container's process 1."""

    def engine_log(self) -> str:
        """The last lines of the machine's Docker Engine, where they can be had from outside; else empty."""

    def checkpoint(self, name: str) -> None:
        """Save the machine as it is, under a name.

        Raises:
            UsageError: that is no name for a checkpoint.
            NotOnThisBackend: its features don't include checkpoints; says what to do instead.
            CourseError: it could not be saved.
        """

    def export(self, directory: Path) -> None:
        """Save the machine as it is into a directory, as files that ``adopt`` takes, on this computer or another.

        Raises:
            NotOnThisBackend: its features don't include checkpoints; says what to do instead.
            CourseError: it could not be saved.
        """

    def adopt(self, name: str, directory: Path) -> Checkpoint:
        """Take a machine that was exported among the checkpoints.  What is in the directory is data, and is not trusted.

        Args:
            name: of the checkpoint.
            directory: has the files; the machine's is moved away.

        Raises:
            UsageError: that is no name for a checkpoint.
            NotOnThisBackend: its features don't include checkpoints; says what to do instead.
            CourseError: it does not fit, or is no saved machine.
        """

    def require_pristine(self) -> None:
        """Make sure that a pristine machine can be put in the place of this one.

        Raises:
            CourseError: what it would be made from is gone.
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
        """What its machines can do."""

    def unavailable(self, installation: Installation) -> Unavailable | None:
        """Why it can't run on this computer; None if it can."""

    @property
    def cost_mb(self) -> int:
        """What a machine that runs something small takes of its computer's memory, in MB."""

    def native_speed(self, installation: Installation) -> bool:
        """Whether its machines run at the processor's own speed here."""

    def findings(self, installation: Installation) -> list[Finding]:
        """What it needs of this computer; ``required`` where it can't run without."""

    def prepare(self, installation: Installation, progress: Progress, *, origin: Origin | None = None, boot: bool = False) -> Origin:
        """Make what machines are made from, where it is missing.

        Args:
            installation: gets it.
            progress: shows the steps.
            origin: use this one again, such as the box's, so that new machines match it; None takes the current recipe.
            boot: the machine is to boot, so that no template is needed.

        Returns:
            What a new machine is made from.

        Raises:
            CourseError: a step failed; says why and what to do.
        """

    def pack(self, installation: Installation, into: Path, progress: Progress) -> None:
        """Make what machines are made from, and copy it into a directory, as small as can be, for ``prebuilt.VARIABLE``.

        Raises:
            NotOnThisBackend: its machines are made from nothing that could be copied.
            CourseError: a step failed, for want of space, say.
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

    def is_local(self, origin: Origin) -> bool:
        """Whether such machines take the memory of this computer, and not of another."""

    def remove_all(self, installation: Installation, record: Record | None) -> None:
        """Remove whatever the installation has made outside its own directories, such as containers and volumes.

        Args:
            installation: whose.
            record: of the box, where there is one.

        Raises:
            CourseError: what the box runs on can't be reached.
        """
