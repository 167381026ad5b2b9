"""A driver that runs nothing, for tests of what happens around one: it stands where a real one does, at the protocol."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from lab.box.core.instance_dir import InstanceDir
from lab.box.core.processes import Process
from lab.box.core.record import Launched, Origin
from lab.box.drivers.base import Checkpoint, Driver, Features
from lab.box.errors import CourseError, UsageError


@dataclass
class Agent:
    """Takes the place of the access channel: what it was asked is kept."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    error: Exception | None = None

    def control(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        if self.error:
            raise self.error
        return {}

    def ping(self) -> None:
        """The engine answers at once."""


class FakeDriver:
    """What it was told to do is kept in *done*; a launch waits for *go*, where that is not set."""

    features = Features(checkpoints=True, boots=False, own_kernel=False, beside_others=False)
    origin = Origin("recipe", "native")

    def __init__(self, directory: InstanceDir, relay: Process) -> None:
        self.directory, self.relay, self.access = directory, relay, Agent()
        self.done: list[str] = []
        self.go, self.launching = threading.Event(), threading.Event()
        self.go.set()
        self.error: Exception | None = None
        self.outdated, self.runs = False, True

    def launch(self, name: str, checkpoint: str = "", original: Driver | None = None) -> Launched:  # noqa: ARG002
        self.done.append(f"launch {name} {checkpoint}".strip())
        self.launching.set()
        self.go.wait(20)
        if self.error:
            raise self.error
        (self.directory.sockets / "dial.sock").touch()
        return Launched(self.relay)

    def interface(self) -> dict[str, str]:
        return {}

    def stop(self) -> None:
        self.done.append("stop")

    def start_relay(self) -> Process:
        self.done.append("start relay")
        return self.relay

    def engine_log(self) -> str:
        return ""

    def resume(self) -> None:
        """It never stops."""

    def alive(self) -> bool:
        return self.runs

    def checkpoint(self, name: str) -> None:
        self.done.append(f"checkpoint {name}")

    def require_pristine(self) -> None:
        if self.outdated:
            raise CourseError("No pristine box can be made.", "Its template is gone.", "course up")

    def require_checkpoint(self, name: str) -> Checkpoint:
        if name != "lunch":
            raise UsageError(f"There is no checkpoint {name!r}.", "There are: lunch.", "course checkpoint")
        return Checkpoint("lunch", "box-1234")
