"""A machine beside the box, as ``lab.machines`` gives it: made, used, unplugged and deleted by code, as with a cloud's API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.box.container import Container
from lab.box.errors import BoxNotRunning
from lab.box.microvm import Microvm
from lab.box.reached import Reached
from lab.box.template import ping
from lab.box.wait import wait_for

if TYPE_CHECKING:
    import docker

    from lab.box.place import Place

ENGINE_S = 120


@dataclass(frozen=True)
class Status:
    """What there is to say about a machine; ``memory_mb`` is 0 where it does not run."""

    name: str
    address: str
    backend: str
    alive: bool
    memory_mb: float


class Instance(Reached):
    """One machine.

    Args:
        place: where it is.
        backend: runs it.
    """

    def __init__(self, place: Place, backend: Microvm | Container) -> None:
        super().__init__(backend.access)
        self._place, self._runs = place, backend
        record = place.load()
        self.name, self.backend = place.name, place.backend
        self.address = record.address if record else ""
        """On the segment; other machines know it by name, too."""
        self.ready_s = record.ready_s if record else 0.0
        """The seconds from the request until a shell on it answered."""

    @property
    def alive(self) -> bool:
        """Does it run?"""
        return self._runs.alive()

    def gone(self) -> str:
        """What became of it, where it does not run; else empty."""
        if self.alive:
            return ""
        return "stopped, or broken down" if self._place.load() else "deleted"

    @property
    def memory_mb(self) -> float:
        """The memory that it costs the computer which it runs on, now, in MB; 0 where it does not run."""
        return round(self._runs.memory_mb(), 1)

    def status(self) -> Status:
        """How it is."""
        return Status(self.name, self.address, self.backend, self.alive, self.memory_mb)

    @property
    def host_key(self) -> str:
        """What its SSH daemon shows to prove that it is this machine."""
        return self._access.host_key

    @property
    def console(self) -> str:
        """What it has printed since it booted: the kernel and init.  A clone did not boot, so it has printed nothing."""
        return self._runs.console()

    @property
    def docker(self) -> docker.DockerClient:
        """A client of the machine's engine, once that answers: a machine that has just booted is still starting it."""
        self._require()
        wait_for(f"the Docker Engine of {self.name}", lambda: ping(self._access), timeout_s=ENGINE_S, every_s=0.1, alive=lambda: self.alive)
        return super().docker

    def _command(self, command: str) -> list[str]:
        self._require()
        return super()._command(command)

    def url(self, port: int) -> str:
        """A web address on your computer that reaches a port of the machine; see ``Box.url``."""
        self._require()
        return super().url(port)

    def stop(self) -> None:
        """Pull the plug: what was in its memory is lost.  It stays listed, and does not come back."""
        self._runs.stop()

    def delete(self) -> None:
        """Remove it, and its name from the others."""
        from lab.box.machines import delete  # noqa: PLC0415

        delete(self.name)

    def _require(self) -> None:
        """Go on where it runs, its relay started again if that was killed.

        Raises:
            BoxNotRunning: it doesn't.
        """
        record = self._place.load()
        if record and record.relay.alive:
            return
        why = self.gone()
        if not record or why:
            raise BoxNotRunning(
                f"The machine {self.name} does not run.",
                f"It was {why}.",
                f'machines.delete("{self.name}"), and machines.create("{self.name}")',
            )
        self._runs.mend(record)

    def __repr__(self) -> str:
        return f"<machine {self.name} at {self.address}, {'a virtual machine' if self.backend == 'microvm' else 'a container'}>"
