"""How a pod is: one word for the whole, and what the engine says of each of its containers.

The words are those of Kubernetes, and ``phase`` decides between them as it does, from the containers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.objects.spec import PAUSE, PodSpec
from lab.report import table

UP = ("running", "restarting", "paused")
"""Of the engine's words, those for a container that has not ended for good."""


@dataclass(frozen=True)
class Part:
    """One container of a pod.

    Args:
        name: as the manifest calls it.
        state: the engine's word, such as created, running, restarting or exited; ``gone`` where there is no such container.
        exit_code: of its last run; nothing while it runs, because the engine forgets it then.
        restarts: how often the engine has started it again, by the pod's policy.
        note: what else is to say, such as that it ran out of memory.
    """

    name: str
    state: str = "gone"
    exit_code: int | None = None
    restarts: int = 0
    note: str = ""

    @property
    def succeeded(self) -> bool:
        """It has ended for good, with 0."""
        return self.state == "exited" and self.exit_code == 0


@dataclass(frozen=True)
class Status:
    """A pod at a moment.

    Args:
        phase: Pending, Running, Succeeded or Failed.
        pause: the container that owns what the others share.
        init: those that run before the others.
        containers: the others.
    """

    phase: str
    pause: Part
    init: tuple[Part, ...]
    containers: tuple[Part, ...]

    @property
    def restarts(self) -> int:
        """Of all containers together."""
        return sum(it.restarts for it in (*self.init, *self.containers))

    def __repr__(self) -> str:
        rows = [(it.name, it.state, "" if it.exit_code is None else it.exit_code, it.restarts, it.note) for it in self._all()]
        return f"{self.phase}\n" + table(("container", "state", "exit code", "restarts", ""), *rows)

    def _all(self) -> tuple[Part, ...]:
        return (self.pause, *self.init, *self.containers)


def status(spec: PodSpec, seen: Mapping[str, Mapping[str, Any]]) -> Status:
    """A pod's status.

    Args:
        spec: what was asked for.
        seen: the engine's long answer for each container that is there, by its name in the manifest.
    """

    def part(name: str) -> Part:
        return _part(name, seen[name]) if name in seen else Part(name)

    pause, init = part(PAUSE), tuple(part(it.name) for it in spec.init)
    containers = tuple(part(it.name) for it in spec.containers)
    return Status(phase(spec.restart, pause, init, containers), pause, init, containers)


def phase(restart: str, pause: Part, init: tuple[Part, ...], containers: tuple[Part, ...]) -> str:
    """One word for a pod.

    Args:
        restart: its policy.
        pause: without which it is lost: the others keep running in namespaces that lead nowhere.
        init: those that must have ended with 0 before the others begin.
        containers: the others.
    """
    if pause.state == "created":
        return "Pending"
    if pause.state not in UP:
        return "Failed"
    if not all(it.succeeded for it in init):
        return "Failed" if any(it.state in ("exited", "dead", "gone") and not it.succeeded for it in init) else "Pending"
    if any(it.state == "created" for it in containers):
        return "Pending"
    if any(it.state in UP for it in containers):
        return "Running"
    return "Succeeded" if restart != "Always" and all(it.succeeded for it in containers) else "Failed"


def _part(name: str, details: Mapping[str, Any]) -> Part:
    state, restarts = details["State"], int(details["RestartCount"])
    ended = state["Status"] in ("exited", "dead", "restarting")
    note = "out of memory" if state["OOMKilled"] else str(state["Error"]).rpartition("failed: ")[2]
    return Part(name, str(state["Status"]), int(state["ExitCode"]) if ended else None, restarts, note)
