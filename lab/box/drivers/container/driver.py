"""Runs one machine as a container, with an engine of its own inside, on a Docker engine that the learner already has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from lab.box.channel.access import Access
from lab.box.core.instance_dir import InstanceDir
from lab.box.core.processes import Process
from lab.box.core.record import Launched, Origin
from lab.box.drivers.base import Checkpoint, Driver, Features
from lab.box.drivers.container import engine, network, node
from lab.box.drivers.container.image import image_of
from lab.box.errors import BoxNotRunning, CourseError, NotOnThisBackend

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

T = TypeVar("T")
FEATURES = Features(checkpoints=False, boots=False, own_kernel=False, beside_others=False)


class ContainerDriver:
    """The driver of one machine that is a container.

    Args:
        directory: where its sockets and logs are.
        origin: names its image, and the engine that it is on.
    """

    features = FEATURES

    def __init__(self, directory: InstanceDir, origin: Origin) -> None:
        self.origin, self.access = origin, Access(directory.sockets)
        self._directory, self._environment = directory, origin.engine

    def launch(self, name: str, checkpoint: str = "", original: Driver | None = None) -> Launched:
        """Run a pristine container, and a relay into it.

        Raises:
            NotOnThisBackend: there are no checkpoints.
            CourseError: the engine refused it.
        """
        if checkpoint:
            self.require_checkpoint(checkpoint)
        if original:
            raise _no_checkpoints(f"There can be no second {name} that goes on from here.")
        installation, image = self._directory.installation, image_of(self.origin.recipe)
        with closing(engine.client(self._environment)) as outer:
            connected = self._network(outer)
            container = node.run(outer, self._environment, installation, image=image, name=name, machine=self._directory.name, **connected)
        return Launched(self._start_relay(str(container.name)), container=str(container.name))

    def _network(self, outer: docker.DockerClient) -> dict[str, Any]:
        """How the engine is to connect it: the box with nothing at first, a machine beside it with the segment."""
        if self._directory.is_box:
            return {"network_mode": "none"}
        segment = network.segment(outer, self._directory.installation)
        address = outer.api.create_endpoint_config(ipv4_address=network.address_on(segment, self._directory.number))
        return {"network": segment.name, "networking_config": {segment.name: address}}

    def interface(self) -> dict[str, str]:
        """Nothing: the engine outside gives it its addresses."""
        return {}

    def connect(self) -> None:
        """Connect the box with the segment, where it is not yet: a container on the network ``none`` has to leave that first.

        Raises:
            BoxNotRunning: its container has ended.
            CourseError: the engine refuses.
        """
        import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

        try:
            with closing(engine.client(self._environment)) as outer:
                segment, container = network.segment(outer, self._directory.installation), outer.containers.get(self._container())
                connected = container.attrs["NetworkSettings"]["Networks"]
                if segment.name not in connected:
                    for name in connected:
                        outer.networks.get(name).disconnect(container)
                    segment.connect(container, ipv4_address=network.address_on(segment, self._directory.number))
        except (docker.errors.DockerException, OSError) as error:
            raise CourseError("Your box could not be connected with the machines.", f"{error}.", "course reset") from None

    def stop(self) -> None:
        """Remove the container and its volume, and kill the relay.

        Raises:
            CourseError: the engine can't be reached.
        """
        record = self._directory.load()
        engine.remove_owned(self._environment, self._directory.installation.owner, self._directory.name)
        if record and record.launched:
            record.launched.relay.kill()

    def start_relay(self) -> Process:
        """Start a relay into the container.

        Raises:
            BoxNotRunning: it has ended.
        """
        return self._start_relay(self._container())

    def _start_relay(self, container: str) -> Process:
        return node.start_relay_into(container, self._environment, self._directory.sockets, self._directory.log)

    def resume(self) -> None:
        """Nothing: a container is never stopped to be saved."""

    def alive(self) -> bool:
        """Whether the container runs."""
        return bool(self._ask(node.running))

    def memory_mb(self) -> float:
        """The memory of the container and of the relay, in MB; 0 where it does not run."""
        record = self._directory.load()
        if not record or not record.launched or not self.alive():
            return 0.0
        used = self._ask(lambda container: container.stats(stream=False, one_shot=True)["memory_stats"].get("usage", 0))
        return float(used or 0) / 1e6 + record.launched.relay.memory_mb

    def console(self) -> str:
        """What its first process has printed."""
        return str(self._ask(lambda container: container.logs().decode(errors="replace")) or "")

    def engine_log(self) -> str:
        """The last lines of the engine inside, or of the container where it has ended."""
        return str(self._ask(node.engine_log) or "")

    def checkpoint(self, name: str) -> NoReturn:
        """A container can't be saved while it runs.

        Raises:
            NotOnThisBackend: always.
        """
        raise _no_checkpoints(f"The checkpoint {name!r} was not saved.")

    def export(self, directory: Path) -> NoReturn:  # noqa: ARG002
        """A container can't be saved while it runs.

        Raises:
            NotOnThisBackend: always.
        """
        raise _no_checkpoints("The box was not saved.")

    def adopt(self, name: str, directory: Path) -> NoReturn:  # noqa: ARG002
        """A container can't go on from a saved machine.

        Raises:
            NotOnThisBackend: always.
        """
        raise _no_checkpoints("The saved box can't go on in a container.")

    def require_pristine(self) -> None:
        """Make sure that the engine has the image.

        Raises:
            CourseError: it has not, or can't be reached.
        """
        import docker  # noqa: PLC0415

        try:
            with closing(engine.client(self._environment)) as outer:
                outer.images.get(image_of(self.origin.recipe))
        except (docker.errors.DockerException, OSError) as error:
            raise CourseError("No pristine box can be made.", f"{error}.", "course up, once that is mended") from None

    def require_checkpoint(self, name: str) -> NoReturn:
        """A container can't be saved while it runs, so there is no checkpoint.

        Raises:
            NotOnThisBackend: always.
        """
        raise _no_checkpoints(f"The box was not rewound to {name!r}.")

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """None: see ``checkpoint``."""
        return ()

    def _container(self) -> str:
        """The name of the container.

        Raises:
            BoxNotRunning: it has ended.
        """
        record = self._directory.load()
        if record and record.launched and self.alive():
            return record.launched.container
        raise BoxNotRunning("There is no box.", "Its container has ended, or its Docker engine does not answer.", "course up")

    def _ask(self, question: Callable[[Container], T]) -> T | None:
        """What the container answers, or nothing where there is none, or its engine can't be reached."""
        import docker  # noqa: PLC0415

        record = self._directory.load()
        if not record or not record.launched or not record.launched.container:
            return None
        with suppress(docker.errors.DockerException, OSError), closing(engine.client(self._environment)) as outer:
            return question(outer.containers.get(record.launched.container))
        return None


def _no_checkpoints(what: str) -> NotOnThisBackend:
    why = "On the container backend the box is an ordinary container, whose running processes Docker can't save."
    return NotOnThisBackend(what, why, "course reset (back to pristine), or course up --backend microvm, which can go back in time")
