"""Whether containers can be machines on this computer: a Docker engine answers, and gets the box's image."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import NoReturn

from lab.box.build.steps import build
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir
from lab.box.core.progress import Progress
from lab.box.core.record import Origin, Record
from lab.box.drivers.base import Finding, Unavailable
from lab.box.drivers.container import engine, image, network
from lab.box.drivers.container.driver import FEATURES, ContainerDriver
from lab.box.errors import NotOnThisBackend


class ContainerBackend:
    """Runs machines as containers on the learner's own Docker engine."""

    name = "container"
    features = FEATURES
    cost_mb = 150

    def unavailable(self, installation: Installation) -> Unavailable | None:  # noqa: ARG002  (others look there)
        """Why no engine can be used; nothing where one answers."""
        found = engine.find()
        return None if found.answers else Unavailable(found.why, found.try_next)

    def native_speed(self, installation: Installation) -> bool:  # noqa: ARG002  (others look there)
        """Containers always run at the processor's own speed."""
        return True

    def findings(self, installation: Installation) -> list[Finding]:  # noqa: ARG002  (others look there)
        """The engine."""
        found = engine.find()
        seen = f"version {found.version} at {found.address}" if found.answers else found.why
        return [Finding("a Docker Engine, for the container backend", found.answers, seen, found.try_next)]

    def prepare(self, installation: Installation, progress: Progress, *, origin: Origin | None = None, boot: bool = False) -> Origin:  # noqa: ARG002
        """Build what is missing, and give the engine the box's image; with *origin*, do nothing and return it.

        Raises:
            CourseError: a step failed; says why and what to do.
        """
        if origin:
            return origin
        artefacts, environment = build(installation, progress), engine.find().environment
        image.prepare(installation, artefacts, environment, progress)
        return Origin(artefacts.key, "native", environment)

    def driver(self, directory: InstanceDir, origin: Origin, *, boot: bool = False) -> ContainerDriver:  # noqa: ARG002  (it never boots)
        """The driver of one machine."""
        return ContainerDriver(directory, origin)

    def open_segment(self, installation: Installation, origin: Origin) -> str:
        """Create the segment's network on the engine if it is missing; returns the start of its addresses, such as ``10.30.0``."""
        with closing(engine.client(origin.engine)) as outer:
            return network.address_on(network.segment(outer, installation), 0).rpartition(".")[0]

    def pack(self, installation: Installation, into: Path, progress: Progress) -> NoReturn:  # noqa: ARG002
        """Its machines are made from an image that the engine has.

        Raises:
            NotOnThisBackend: always.
        """
        why = "The image of a container box is the engine's; only virtual machines are made from files."
        raise NotOnThisBackend("There is nothing to pack.", why, f"course build --into {into} --backend microvm")

    def is_local(self, origin: Origin) -> bool:
        """Whether the engine is on this computer."""
        return engine.is_local(origin.engine)

    def remove_all(self, installation: Installation, record: Record | None) -> None:
        """Remove every container, volume and network that has the installation's label.

        They are on the engine of the box; where the box is no container, what an earlier one left may be on the engine that answers.

        Raises:
            CourseError: the engine of the box can't be reached.
        """
        if record and record.backend == self.name:
            engine.remove_owned(record.origin.engine, installation.owner)
        elif (found := engine.find()).answers:
            engine.remove_owned(found.environment, installation.owner)
