"""Which pods of a task run on which of its nodes, as the engines on the nodes say.

A pod is found by its name: a container belongs to it if its name is the pod's, or begins with it.  That holds for a pod of ``lab.objects``
and for one that was made with ``docker run``.  A pause container alone does not count as a pod.  What pods request and what nodes have are
parameters of the task, one line each: ``NAME CPU MEMORY``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from autograder.framework.fact import Fact
from autograder.framework.task import Task
from lab.box.errors import CourseError
from lab.box.machine import Machine
from lab.box.parallel import in_parallel
from lab.objects.node import Node
from lab.objects.pod import Pod
from lab.objects.quantity import NOTHING, Resources, cpu_text, memory_text
from lab.objects.spec import PAUSE, PodSpec, read

GRACE_S = 3
ANSWER_S = 20.0
LIST = "curl -sf --unix-socket /run/docker.sock http://engine/containers/json"
COUNT = (
    "Add up what the pods there ask for, and compare it with what the node has. Whether they use it does not matter.",
    "Node(…).free([…]) does the sum. Nobody else does: an engine starts whatever it is told to.",
)


def pod(name: str, cpu: str, memory: str) -> PodSpec:
    """A pod that runs the app and requests so much of a processor and of memory."""
    asks = {"resources": {"requests": {"cpu": cpu, "memory": memory}}}
    spec = {"terminationGracePeriodSeconds": GRACE_S, "containers": [{"name": "app", "image": "app:v1", **asks}]}
    return read({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def pods_from(lines: Iterable[str]) -> list[PodSpec]:
    """The pods that lines of a task describe; what stands after the memory is left out."""
    return [pod(*line.split()[:3]) for line in lines]


def nodes_from(lines: Iterable[str], machines: Mapping[str, Machine] | None = None) -> list[Node]:
    """The nodes that lines of a task describe, on these machines; without machines they are good for arithmetic only."""
    return [Node(name, (machines or {}).get(name, Machine()), cpu, memory) for name, cpu, memory in map(str.split, lines)]


def belongs(container: str, pod: str) -> bool:
    """Whether a container belongs to a pod, by their names."""
    return container == pod or container.startswith(f"{pod}-")


def first_nodes(lines: Iterable[str]) -> dict[str, str]:
    """The node that each pod starts on, by the pod's name, from lines of a task that name it at the end."""
    return {line.split()[0]: line.split()[3] for line in lines}


def start(task: Task, lines: Iterable[str]) -> None:
    """Start each pod on the node that its line names at the end."""
    machines = task.machines

    def run(line: str) -> None:
        *asks, node = line.split()
        Pod.create(machines[node], pod(*asks), node=node).start()

    in_parallel(run, lines)


@dataclass(frozen=True)
class Copy:
    """A running container of a pod.

    Args:
        pod: the name of the pod.
        node: the name of the node that it runs on.
        id: the engine's id of the container.
    """

    pod: str
    node: str
    id: str


@dataclass(frozen=True)
class Placement:
    """Which pods run on which nodes, at one moment.

    Args:
        pods: all pods of the task, by name.
        nodes: all nodes of the task, by name.
        copies: the containers that run.
        down: the names of the nodes that do not answer.
    """

    pods: Mapping[str, PodSpec]
    nodes: Mapping[str, Node]
    copies: Sequence[Copy]
    down: frozenset[str] = frozenset()

    def nodes_of(self, pod: str) -> set[str]:
        """The names of the nodes that a pod runs on."""
        return {copy.node for copy in self.copies if copy.pod == pod}

    def pods_on(self, node: str) -> list[PodSpec]:
        """The pods that run on a node."""
        return [spec for name, spec in self.pods.items() if node in self.nodes_of(name)]

    @property
    def overcommitted(self) -> list[str]:
        """For each node whose pods request more than it has, a phrase that says how much more."""
        free = {name: node.free(self.pods_on(name)) for name, node in self.nodes.items()}
        return [f"{name} is asked for {_more(left)} more than it has" for name, left in free.items() if left.cpu < 0 or left.memory < 0]


def _more(left: Resources) -> str:
    lacks = NOTHING - left
    parts = [f"{cpu_text(lacks.cpu)} cpu" if lacks.cpu > 0 else "", f"{memory_text(lacks.memory)} memory" if lacks.memory > 0 else ""]
    return " and ".join(filter(None, parts))


def look(nodes: Sequence[Node], pods: Sequence[PodSpec]) -> Placement:
    """Which pods run on which nodes now.  A node whose engine does not answer is down."""
    names = [it.name for it in pods]
    found = dict(zip((node.name for node in nodes), in_parallel(lambda node: _running(node, names), nodes), strict=True))
    down = frozenset(name for name, there in found.items() if there is None)
    everyone = [copy for there in found.values() for copy in there or ()]
    return Placement({it.name: it for it in pods}, {node.name: node for node in nodes}, everyone, down)


def _running(node: Node, names: Sequence[str]) -> list[Copy] | None:
    """The containers on a node that belong to these pods; None where the node does not answer.

    A shell asks the engine, because a client of a dead machine's engine would leave sockets behind.
    """
    try:
        said = node.machine.sh(LIST, timeout=ANSWER_S)
        listed = json.loads(said.stdout) if said.code == 0 else None
    except (CourseError, OSError, ValueError):
        return None
    if listed is None:
        return None
    there = [(it["Names"][0][1:], it["Id"]) for it in listed if it["State"] == "running" and it["Image"] != PAUSE]
    return [Copy(pod, node.name, one) for pod in names for name, one in there if belongs(name, pod)]


def started(placement: Placement, pod: str, node: str) -> float:
    """When the first container of a pod was started on a node: seconds since 1970, by that machine's clock."""
    api = placement.nodes[node].machine.docker.api
    moments = [api.inspect_container(copy.id)["State"]["StartedAt"] for copy in placement.copies if (copy.pod, copy.node) == (pod, node)]
    return min(datetime.fromisoformat(f"{moment[:26].rstrip('Z')}+00:00").timestamp() for moment in moments)


def no_node_overcommitted(placement: Placement, *, shown: bool) -> Fact:
    """The fact that no node's pods request more than it has; it counts only once something was *shown*."""
    over = placement.overcommitted
    saw = "; ".join(over) if over else "none" if shown else "nothing to see yet"
    first = f"{over[0]}." if over else "It counts once the pods are there."
    return Fact("nodes asked for too much", shown and not over, saw, (first, *COUNT))
