"""The status of a pod: one word for the whole, its phase, and what the engine says of each container.

The phases are those of Kubernetes, and ``phase`` chooses one as Kubernetes does: from the states of the containers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.objects.spec import PAUSE, PodSpec
from lab.report import table

UP = ("running", "restarting", "paused")
"""The engine's words for a container that has not ended for good."""


@dataclass(frozen=True)
class ContainerStatus:
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
        """Whether it has ended for good, with exit code 0."""
        return self.state == "exited" and self.exit_code == 0


@dataclass(frozen=True)
class PodStatus:
    """A pod at a moment.

    Args:
        phase: Pending, Running, Succeeded or Failed.
        pause: the container that owns what the others share.
        init: those that run before the others.
        containers: the others.
    """

    phase: str
    pause: ContainerStatus
    init: tuple[ContainerStatus, ...]
    containers: tuple[ContainerStatus, ...]

    @property
    def restarts(self) -> int:
        """How often its containers were restarted, all together."""
        return sum(it.restarts for it in (*self.init, *self.containers))

    def __repr__(self) -> str:
        rows = [(it.name, it.state, "" if it.exit_code is None else it.exit_code, it.restarts, it.note) for it in self._all()]
        return f"{self.phase}\n" + table(("container", "state", "exit code", "restarts", ""), *rows)

    def _all(self) -> tuple[ContainerStatus, ...]:
        return (self.pause, *self.init, *self.containers)


def pod_status(spec: PodSpec, seen: Mapping[str, Mapping[str, Any]]) -> PodStatus:
    """The status of a pod.

    Args:
        spec: of the pod.
        seen: the engine's long answer for each container that is there, by its name in the manifest.
    """

    def part(name: str) -> ContainerStatus:
        return _part(name, seen[name]) if name in seen else ContainerStatus(name)

    pause, init = part(PAUSE), tuple(part(it.name) for it in spec.init)
    containers = tuple(part(it.name) for it in spec.containers)
    return PodStatus(phase(spec.restart, pause, init, containers), pause, init, containers)


def phase(restart: str, pause: ContainerStatus, init: tuple[ContainerStatus, ...], containers: tuple[ContainerStatus, ...]) -> str:
    """The phase of a pod: Pending, Running, Succeeded or Failed.

    Args:
        restart: its restart policy.
        pause: if it does not run the pod has failed, even if other containers run: their network leads nowhere.
        init: the containers that must have ended with 0 before the others start.
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


def _part(name: str, details: Mapping[str, Any]) -> ContainerStatus:
    state, restarts = details["State"], int(details["RestartCount"])
    ended = state["Status"] in ("exited", "dead", "restarting")
    note = "out of memory" if state["OOMKilled"] else str(state["Error"]).rpartition("failed: ")[2]
    return ContainerStatus(name, str(state["Status"]), int(state["ExitCode"]) if ended else None, restarts, note)
