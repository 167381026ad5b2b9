"""What is remembered of a machine between commands: one JSON file, replaced as a whole.  The current box's is ``current.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.box.processes import Process
from lab.box.state import State


@dataclass(frozen=True)
class Record:
    """One machine: the current box, or one beside it.

    Args:
        name: its name, which is also its host name; the box's has a random part.
        backend: ``microvm`` or ``container``.
        accelerator: ``kvm``, ``tcg`` (emulated) or ``native`` (a container needs none).
        ready_s: seconds from the request to the engine's first answer.
        running_s: seconds from the launch of its virtual machine until that ran; 0 for a container.
        number: its seat on the segment; 0 for the box, which has a fixed one.
        address: where the others find it; empty for the box.
        maker: the process that creates it; while ``ready_s`` is 0 and that process lives, it is being created.
        relay: the process that serves its sockets.
        machine: QEMU's process, or nothing for a container.
        engine: the variables that name the outer engine; empty for a virtual machine.
        container: its name on the outer engine; empty for a virtual machine.
        recipe: the key of the recipe that it was made from.
    """

    name: str
    backend: str
    accelerator: str
    ready_s: float
    relay: Process
    machine: Process | None = None
    engine: dict[str, str] = field(default_factory=dict)
    container: str = ""
    recipe: str = ""
    running_s: float = 0.0
    number: int = 0
    address: str = ""
    maker: Process | None = None

    @property
    def being_made(self) -> bool:
        """Somebody is creating it."""
        return not self.ready_s and self.maker is not None and self.maker.alive

    @staticmethod
    def path(state: State) -> Path:
        """The file of the current box."""
        return state.boxes / "current.json"

    @classmethod
    def load(cls, state: State) -> Record | None:
        """The record of the current box, or nothing where there is none that can be read."""
        return cls.read(cls.path(state))

    def write(self, path: Path) -> None:
        """Replace the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(self), indent=1))
        scratch.rename(path)

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """What the file says, or nothing where it can't be read."""
        try:
            saved = json.loads(path.read_text())
            processes = {part: Process(**saved[part]) if saved[part] else None for part in ("relay", "machine", "maker")}
            return cls(**{**saved, **processes})
        except (OSError, ValueError, TypeError, KeyError):
            return None
