"""What is remembered of a machine between commands: one JSON file, replaced as a whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.box.core.processes import Process

ENGINE_VARIABLES = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT", "DOCKER_CONFIG")
"""What names a Docker engine to the ``docker`` command and its clients."""


@dataclass(frozen=True)
class Origin:
    """What a machine was made from, and where: the same origin makes the same machine again.

    Args:
        recipe: the key of the recipe.
        accelerator: ``kvm``, ``tcg`` (emulated) or ``native`` (a container needs none).
        engine: the variables that name the outer Docker engine; empty for a virtual machine.
    """

    recipe: str
    accelerator: str
    engine: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Launched:
    """What was started for a machine.

    Args:
        relay: the process that serves its sockets.
        vm: QEMU's process; nothing for a container.
        container: the container's name on the outer engine; empty for a virtual machine.
        running_s: seconds from the launch of the virtual machine until it ran; 0 for a container.
    """

    relay: Process
    vm: Process | None = None
    container: str = ""
    running_s: float = 0.0


@dataclass(frozen=True)
class Record:
    """One machine: the current box, or one beside it.

    Args:
        name: its name, which is also its host name; the box's has a random part.
        backend: ``microvm`` or ``container``.
        origin: what it was made from.
        launched: what was started for it; nothing where only its name is taken so far.
        creator: the process that creates it; while ``ready_s`` is 0 and that process lives, it is being created.
        ready_s: seconds from the request until it could be used: its engine answered (the box), or a shell on it (a machine beside it).
        number: the last part of its address on the segment; 0 for the box, which has a fixed one.
        address: where the others find it; empty for the box.
    """

    name: str
    backend: str
    origin: Origin
    launched: Launched | None = None
    creator: Process | None = None
    ready_s: float = 0.0
    number: int = 0
    address: str = ""

    @property
    def being_created(self) -> bool:
        """Whether somebody is creating it at this moment."""
        return not self.ready_s and self.creator is not None and self.creator.alive

    @property
    def alive(self) -> bool:
        """Whether the processes that were started for it run: its relay, and its virtual machine where it is one."""
        return bool(self.launched and self.launched.relay.alive and (not self.launched.vm or self.launched.vm.alive))

    def write(self, path: Path) -> None:
        """Replace the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(self), indent=1))
        scratch.rename(path)

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record in a file, or nothing where it can't be read."""
        try:
            saved = json.loads(path.read_text())
            launched, creator = saved.pop("launched"), saved.pop("creator")
            return cls(
                origin=Origin(**saved.pop("origin")), launched=_launched(launched) if launched else None,
                creator=Process(**creator) if creator else None, **saved,
            )  # fmt: skip
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None


def _launched(saved: dict[str, Any]) -> Launched:
    vm = saved.pop("vm")
    return Launched(relay=Process(**saved.pop("relay")), vm=Process(**vm) if vm else None, **saved)
