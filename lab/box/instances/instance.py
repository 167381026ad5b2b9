"""A machine beside the box, as ``lab.machines`` gives it: created, used, stopped and deleted by code, as with a cloud's API."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.box.core.instance_dir import InstanceDir
from lab.box.drivers.base import Driver
from lab.box.errors import BoxNotRunning
from lab.box.instances import inventory, membership, startup
from lab.box.instances.address import Address
from lab.box.instances.remote import RemoteMachine
from lab.box.wait import wait_for

if TYPE_CHECKING:
    import docker

ENGINE_S = 120


@dataclass(frozen=True)
class InstanceStatus:
    """How a machine is; ``memory_mb`` is 0 where it does not run."""

    name: str
    address: str
    backend: str
    alive: bool
    memory_mb: float


class Instance(RemoteMachine):
    """A machine beside the box, reached from the learner's computer.

    Args:
        directory: the machine's.
        driver: runs it.
    """

    managed = True

    def __init__(self, directory: InstanceDir, driver: Driver) -> None:
        super().__init__(driver.access)
        self._directory, self._driver = directory, driver
        self.own_kernel = driver.features.own_kernel
        record = directory.load()
        self.name, self.backend = directory.name, directory.backend
        self.address = record.address if record else ""
        """On the segment; other machines know it by name, too."""
        self._ready_s = record.ready_s if record else 0.0

    @property
    def ready_s(self) -> float:
        """The seconds from the request until a shell on it answered."""
        return self._ready_s

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._driver.alive()

    def end_reason(self) -> str:
        """Why it does not run, where it does not; else empty."""
        if self.alive:
            return ""
        return "stopped, or broken down" if self._directory.load() else "deleted"

    @property
    def memory_mb(self) -> float:
        """The memory that it costs the computer which it runs on, now, in MB; 0 where it does not run."""
        return round(self._driver.memory_mb(), 1)

    def status(self) -> InstanceStatus:
        """Its name, address, backend, whether it runs, and its memory in MB (0 if it does not run)."""
        return InstanceStatus(self.name, self.address, self.backend, self.alive, self.memory_mb)

    @property
    def host_key(self) -> str:
        """What its SSH daemon shows to prove that it is this machine."""
        return self._access.host_key

    @property
    def console(self) -> str:
        """What it has printed since it booted: the kernel and init.  A clone did not boot, so it has printed nothing."""
        return self._driver.console()

    @property
    def docker(self) -> docker.DockerClient:
        """A client of the machine's engine, once that answers: a machine that has just booted is still starting it."""
        self._require_running()
        what = f"the Docker Engine of {self.name}"
        wait_for(what, self._access.ping, timeout_s=ENGINE_S, every_s=0.1, alive=lambda: self.alive)
        return super().docker

    def ask_for_command(self) -> socket.socket:
        """A connection to the agent's ``command``, of a machine that runs."""
        self._require_running()
        return super().ask_for_command()

    def url(self, port: int) -> Address:
        """A web address on your computer that reaches a port of the machine; see ``Box.url``."""
        self._require_running()
        return super().url(port)

    def stop(self) -> None:
        """Pull the plug: what was in its memory is lost.  It stays listed, and does not come back."""
        startup.end(self._driver, self._directory)

    def delete(self) -> None:
        """Remove it, and its name from the others; what is gone already is fine.

        Raises:
            CourseError: what runs it can't be reached.
        """
        if self._directory in inventory.usable_machines(self._directory.installation).values():
            membership.remove([self._directory])

    def _require_running(self) -> None:
        """Return where it runs, its relay started again if that was killed.

        Raises:
            BoxNotRunning: it does not run.
        """
        record = self._directory.load()
        if record and record.launched and record.launched.relay.alive:
            return
        reason = self.end_reason()
        if not record or reason:
            raise BoxNotRunning(
                f"The machine {self.name} does not run.",
                f"It was {reason}.",
                f'machines.delete("{self.name}"), and machines.create("{self.name}")',
            )
        startup.repair(self._driver, self._directory)

    def __repr__(self) -> str:
        runs = "a virtual machine" if self._driver.features.own_kernel else "a container"
        return f"<machine {self.name} at {self.address}, {runs}>"
