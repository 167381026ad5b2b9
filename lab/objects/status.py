"""The status of a pod: one word for the whole, its phase, and what the engine says of each container.

The phases are those of Kubernetes, and ``phase`` chooses one as Kubernetes does: from the states of the containers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.objects.spec import PodSpec
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
        ready: whether it runs, and its probes, if it has any, say that it can be asked.
        note: what else is to say, such as that it ran out of memory.
    """

    name: str
    state: str = "gone"
    exit_code: int | None = None
    restarts: int = 0
    ready: bool = False
    note: str = ""

    @property
    def columns(self) -> tuple[object, ...]:
        """What a table says of it between its state and its note."""
        return "yes" if self.ready else "no", "" if self.exit_code is None else self.exit_code, self.restarts

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
        init: those that are run to their ends before the others.
        containers: the others.
        sidecars: those that begin before the others, and go on.
    """

    phase: str
    pause: ContainerStatus
    init: tuple[ContainerStatus, ...]
    containers: tuple[ContainerStatus, ...]

    sidecars: tuple[ContainerStatus, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether all of its containers, and its sidecars, are ready."""
        return all(it.ready for it in (*self.sidecars, *self.containers))

    @property
    def restarts(self) -> int:
        """How often its containers were restarted, all together."""
        return sum(it.restarts for it in self._all())

    def __repr__(self) -> str:
        rows = [(it.name, it.state, *it.columns, it.note) for it in self._all()]
        return f"{self.phase}\n" + table(("container", "state", "ready", "exit code", "restarts", ""), *rows)

    def _all(self) -> tuple[ContainerStatus, ...]:
        return (self.pause, *self.init, *self.sidecars, *self.containers)


def pod_status(spec: PodSpec, seen: Mapping[str, Mapping[str, Any]], probed: Mapping[str, Mapping[str, Any]] | None = None) -> PodStatus:
    """The status of a pod.

    Args:
        spec: of the pod.
        seen: the engine's long answer for each container that is there, by its name in the manifest.
        probed: what the kubelet has found out about those that have probes, by the container's id.
    """

    def part(name: str) -> ContainerStatus:
        return _part(name, seen[name], _finding(spec, name, seen[name], probed or {})) if name in seen else ContainerStatus(name)

    pause, init = part(spec.pause), tuple(part(it.name) for it in spec.init if not it.sidecar)
    sidecars, containers = (tuple(part(it.name) for it in some) for some in (spec.sidecars, spec.containers))
    return PodStatus(phase(spec.restart, pause, init, containers, sidecars), pause, init, containers, sidecars)


def phase(
    restart: str,
    pause: ContainerStatus,
    init: tuple[ContainerStatus, ...],
    containers: tuple[ContainerStatus, ...],
    sidecars: tuple[ContainerStatus, ...] = (),
) -> str:
    """The phase of a pod: Pending, Running, Succeeded or Failed.

    Args:
        restart: its restart policy.
        pause: if it does not run the pod has failed, even if other containers run: their network leads nowhere.
        init: the containers that must have ended with 0 before the others start.
        containers: the others.
        sidecars: must have begun before the others; while one runs, so does the pod.
    """
    if pause.state == "created":
        return "Pending"
    if pause.state not in UP:
        return "Failed"
    if not all(it.succeeded for it in init):
        return "Failed" if any(it.state in ("exited", "dead", "gone") and not it.succeeded for it in init) else "Pending"
    if any(it.state == "created" for it in (*sidecars, *containers)):
        return "Pending"
    if any(it.state in UP for it in (*sidecars, *containers)):
        return "Running"
    return "Succeeded" if restart != "Always" and all(it.succeeded for it in containers) else "Failed"


def _finding(spec: PodSpec, name: str, details: Mapping[str, Any], probed: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the kubelet has found out about the present run of a container: whether it is ready, and why not."""
    if not any(it.name == name and it.probes for it in spec.everyone):
        return {"ready": True, "why": ""}
    found = probed.get(details["Id"], {})
    return found if found.get("began") == details["State"]["StartedAt"] else {"ready": False, "why": "not probed yet"}


def _part(name: str, details: Mapping[str, Any], finding: Mapping[str, Any]) -> ContainerStatus:
    state, restarts = details["State"], int(details["RestartCount"])
    ended = state["Status"] in ("exited", "dead", "restarting")
    note = "out of memory" if state["OOMKilled"] else str(state["Error"]).rpartition("failed: ")[2]
    ready, why = (bool(finding["ready"]), str(finding["why"])) if state["Status"] == "running" else (False, "")
    return ContainerStatus(name, str(state["Status"]), int(state["ExitCode"]) if ended else None, restarts, ready, note or why)
