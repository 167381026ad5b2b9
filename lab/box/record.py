"""What is remembered of the current box between commands: one JSON file, replaced as a whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.box.processes import Process
from lab.box.state import State


@dataclass(frozen=True)
class Record:
    """The current box.

    Args:
        name: its name; with a random part, it is also its host name.
        backend: ``microvm`` or ``container``.
        accelerator: ``kvm``, ``tcg`` (emulated) or ``native`` (a container needs none).
        ready_s: seconds from the request to the engine's first answer.
        running_s: seconds from the launch of its virtual machine until that ran; 0 for a container.
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

    @staticmethod
    def path(state: State) -> Path:
        """The file."""
        return state.boxes / "current.json"

    def save(self, state: State) -> None:
        """Write it."""
        path = self.path(state)
        path.parent.mkdir(exist_ok=True)
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(self), indent=1))
        scratch.rename(path)

    @classmethod
    def load(cls, state: State) -> Record | None:
        """The record of the current box, or nothing where there is none that can be read."""
        try:
            saved = json.loads(cls.path(state).read_text())
            saved["relay"] = Process(**saved["relay"])
            saved["machine"] = Process(**saved["machine"]) if saved["machine"] else None
            return cls(**saved)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    @classmethod
    def forget(cls, state: State) -> None:
        """Remove it."""
        cls.path(state).unlink(missing_ok=True)
