"""The pods of Deployments as they are: looked at on the nodes, never remembered.

One request to each node's engine lists all containers; whose pod they are of stands in their labels.  When a container got ready is asked
only once, and again when something has happened to it.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from docker.errors import DockerException

from lab.box.errors import CourseError, UsageError
from lab.box.parallel import in_parallel
from lab.objects.engine import inspect, remove_volume
from lab.objects.kubelet import client as kubelet
from lab.objects.kubelet.orders import KEY, ORDERS
from lab.objects.labels import TEMPLATE, UID
from lab.objects.options import MANIFEST, NODE, PART, Identity
from lab.objects.pod import Pod
from lab.objects.rollout import Replica
from lab.objects.spec import PodSpec, read
from lab.objects.watch import EVERYTHING

if TYPE_CHECKING:
    from lab.objects.container import ContainerSpec
    from lab.objects.node import Node

NO_ANSWER = (CourseError, OSError, HTTPException, DockerException)
"""What is raised where a node does not answer."""
ANSWER_S = 5.0
"""Seconds that a machine has to answer when it is asked whether it does."""
ALIVE = ("created", "running", "paused", "restarting")
"""The engine's words for a container that has not ended for good."""
Listed = Mapping[str, Any]
"""What the engine's list says of a container."""


@dataclass(frozen=True)
class Seen:
    """A pod that was found on a node.

    Args:
        pod: to be deleted, or started again.
        owner: the uid of its Deployment; empty where it has none.
        replica: it, as ``rollout.step`` takes it.
        started: whether all its containers were started once.
        address: IPv4; empty while it has none.
    """

    pod: Pod
    owner: str
    replica: Replica
    started: bool
    address: str

    @property
    def key(self) -> str:
        """No other pod has it, whatever their names."""
        return self.pod.key


class Observer:
    """Looks at the pods of one node.

    Args:
        node: to look at.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._api: Any = node.machine.docker.api
        self._specs: dict[str, PodSpec] = {}
        self._began: dict[str, float] = {}
        self._forgotten: deque[str] = deque()

    def forget(self, container: str) -> None:
        """Something has happened to a container, or to ``EVERYTHING``: what is known of it may be wrong.  Any thread may call it."""
        self._forgotten.append(container)

    def ask(self) -> None:
        """Return if the node's machine answers within some seconds.

        Raises:
            CourseError, OSError: it does not.
        """
        self._node.machine.sh("true", timeout=ANSWER_S)

    def look(self) -> list[Seen]:
        """The pods that are on the node now.

        Raises:
            docker.errors.DockerException, OSError, CourseError: the node does not answer.
        """
        while self._forgotten:
            if (container := self._forgotten.popleft()) == EVERYTHING:
                self._began.clear()
            else:
                self._began.pop(container, None)
        labelled: defaultdict[str, dict[str, Listed]] = defaultdict(dict)
        for it in self._api.containers(all=True, filters={"label": [f"{NODE}={self._node.name}", KEY, PART, MANIFEST]}):
            labelled[it["Labels"][KEY]][it["Labels"][PART]] = it
        specs = {key: self._specs.get(key) or _spec(parts.values()) for key, parts in labelled.items()}
        self._specs = {key: spec for key, spec in specs.items() if spec}
        pods = {key: labelled[key] for key in self._specs}
        running = [it for parts in pods.values() for it in parts.values() if it["State"] == "running"]
        self._learn([it["Id"] for it in running if it["Id"] not in self._began])
        probed = [it["Id"] for it in running if ORDERS in it["Labels"]]
        findings = kubelet.findings(self._node.machine, probed)
        return [self._seen(key, parts, findings) for key, parts in pods.items()]

    def tidy(self) -> None:
        """Remove volumes of Deployments' pods that have no container any more: whoever made or removed the pod was stopped in between."""
        there = {it["Labels"][KEY] for it in self._api.containers(all=True, filters={"label": KEY})}
        volumes = self._api.volumes(filters={"label": [UID, KEY, f"{NODE}={self._node.name}"]})["Volumes"] or ()
        in_parallel(partial(remove_volume, self._api), [it["Name"] for it in volumes if it["Labels"][KEY] not in there])

    def _learn(self, containers: Collection[str]) -> None:
        """Ask when some containers were started."""
        for it in filter(None, in_parallel(lambda one: inspect(self._api, one), containers)):
            self._began[it["Id"]] = datetime.fromisoformat(it["State"]["StartedAt"]).timestamp()

    def _seen(self, key: str, parts: Mapping[str, Listed], findings: Mapping[str, Mapping[str, Any]]) -> Seen:
        spec = self._specs[key]
        labels = next(iter(parts.values()))["Labels"]
        wanted = (*spec.sidecars, *spec.containers)
        mains = [parts.get(it.name, {}) for it in wanted]
        everyone = [parts.get(name, {}) for name in (spec.pause, *(it.name for it in spec.everyone))]
        times = [self._ready_since(it, part, findings) for it, part in zip(wanted, mains, strict=True)]
        replica = Replica(
            name=spec.name,
            template=labels.get(TEMPLATE, ""),
            node=self._node.name,
            created=min(float(it["Created"]) for it in parts.values()),
            ready_since=None if None in times else max(filter(None, times), default=None),
            failed=not all(everyone) or parts[spec.pause]["State"] not in ALIVE or any(it["State"] not in ALIVE for it in mains),
        )
        started = all(it.get("State") != "created" for it in mains)
        pod = Pod(self._node.machine, Identity(spec, key, self._node.name))
        networks = parts.get(spec.pause, {}).get("NetworkSettings", {}).get("Networks", {}).values()
        return Seen(pod, labels.get(UID, ""), replica, started, next((its["IPAddress"] for its in networks), ""))

    def _ready_since(self, it: ContainerSpec, part: Listed, findings: Mapping[str, Mapping[str, Any]]) -> float | None:
        if part.get("State") != "running" or part["Id"] not in self._began:
            return None
        began = self._began[part["Id"]]
        if it.probes:
            since: float | None = findings.get(part["Id"], {}).get("ready_since")
            return since if since and since >= began else None
        return began


def look_at(observer: Observer, *, doubtful: bool = False) -> list[Seen] | Exception:
    """The pods that are on a node now, or why nobody knows.

    Args:
        observer: of the node.
        doubtful: whether it may not answer: then it is asked for something small first, for which it has less time.
    """
    try:
        if doubtful:
            observer.ask()
        return observer.look()
    except NO_ANSWER as error:
        return error


def _spec(parts: Iterable[Listed]) -> PodSpec | None:
    """What a pod was made from; nothing where that can't be read, because somebody has made up the labels."""
    for it in parts:
        with suppress(UsageError, ValueError):
            return read(json.loads(it["Labels"][MANIFEST]))
    return None
