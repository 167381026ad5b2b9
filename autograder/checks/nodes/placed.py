"""Where the pods of a task run: asked of the engines on its nodes, whoever started them and with what.

A pod is found by its name.  A container whose name begins with it belongs to it, which is true of a pod of ``lab.objects`` as of one that
was made with ``docker run``; pause alone is not taken for a pod.  What pods ask for and what nodes have are parameters of the task, a line
each: ``NAME CPU MEMORY``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from autograder.checks.fact import Fact
from autograder.checks.task import Task
from lab.box.errors import CourseError
from lab.box.machine import Machine
from lab.objects.engine import in_parallel
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
    """The app as a pod, which asks for so much."""
    asks = {"resources": {"requests": {"cpu": cpu, "memory": memory}}}
    spec = {"terminationGracePeriodSeconds": GRACE_S, "containers": [{"name": "app", "image": "app:v1", **asks}]}
    return read({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def asked(lines: Iterable[str]) -> list[PodSpec]:
    """Pods, from lines of a task; what stands after the memory is left out."""
    return [pod(*line.split()[:3]) for line in lines]


def having(lines: Iterable[str], machines: Mapping[str, Machine] | None = None) -> list[Node]:
    """Nodes, from lines of a task; for arithmetic alone where no machines are given."""
    return [Node(name, (machines or {}).get(name, Machine()), cpu, memory) for name, cpu, memory in map(str.split, lines)]


def belongs(container: str, pod: str) -> bool:
    """Whether a container is a pod's, by their names."""
    return container == pod or container.startswith(f"{pod}-")


def start(task: Task, lines: Iterable[str]) -> None:
    """Start pods on the nodes that their lines name at the end."""
    machines = task.machines

    def run(line: str) -> None:
        *asks, node = line.split()
        Pod.create(machines[node], pod(*asks), node=node).start()

    in_parallel(run, lines)


@dataclass(frozen=True)
class Copy:
    """A container of a pod that runs on a node.

    Args:
        pod: whose it is.
        node: that it runs on.
        id: of the container.
    """

    pod: str
    node: str
    id: str


@dataclass(frozen=True)
class Placed:
    """Pods on nodes, at a moment.

    Args:
        pods: all there are in the task.
        nodes: likewise.
        copies: what runs.
        down: the names of the nodes that do not answer.
    """

    pods: Mapping[str, PodSpec]
    nodes: Mapping[str, Node]
    copies: Sequence[Copy]
    down: frozenset[str] = frozenset()

    def where(self, pod: str) -> set[str]:
        """The nodes that a pod runs on."""
        return {copy.node for copy in self.copies if copy.pod == pod}

    def on(self, node: str) -> list[PodSpec]:
        """The pods that run on a node."""
        return [spec for name, spec in self.pods.items() if node in self.where(name)]

    @property
    def over(self) -> list[str]:
        """Which nodes are asked for more than they have, and for how much more."""
        free = {name: node.free(self.on(name)) for name, node in self.nodes.items()}
        return [f"{name} is asked for {_more(left)} more than it has" for name, left in free.items() if left.cpu < 0 or left.memory < 0]


def _more(left: Resources) -> str:
    lacks = NOTHING - left
    parts = [f"{cpu_text(lacks.cpu)} cpu" if lacks.cpu > 0 else "", f"{memory_text(lacks.memory)} memory" if lacks.memory > 0 else ""]
    return " and ".join(filter(None, parts))


def look(nodes: Sequence[Node], pods: Sequence[PodSpec]) -> Placed:
    """What runs where now; a node whose engine does not answer is down."""
    names = [it.name for it in pods]
    found = dict(zip((node.name for node in nodes), in_parallel(lambda node: _running(node, names), nodes), strict=True))
    down = frozenset(name for name, there in found.items() if there is None)
    everyone = [copy for there in found.values() for copy in there or ()]
    return Placed({it.name: it for it in pods}, {node.name: node for node in nodes}, everyone, down)


def _running(node: Node, names: Sequence[str]) -> list[Copy] | None:
    """Its containers, by a shell: a client of a dead machine's engine leaves sockets behind.  Nothing where there is no answer."""
    try:
        said = node.machine.sh(LIST, timeout=ANSWER_S)
        listed = json.loads(said.stdout) if said.code == 0 else None
    except (CourseError, OSError, ValueError):
        return None
    if listed is None:
        return None
    there = [(it["Names"][0][1:], it["Id"]) for it in listed if it["State"] == "running" and it["Image"] != PAUSE]
    return [Copy(pod, node.name, one) for pod in names for name, one in there if belongs(name, pod)]


def started(placed: Placed, pod: str, node: str) -> float:
    """When the first container of a pod was started on a node: seconds since 1970, by that machine's clock."""
    api = placed.nodes[node].machine.docker.api
    moments = [api.inspect_container(copy.id)["State"]["StartedAt"] for copy in placed.copies if (copy.pod, copy.node) == (pod, node)]
    return min(datetime.fromisoformat(f"{moment[:26].rstrip('Z')}+00:00").timestamp() for moment in moments)


def room(placed: Placed, *, shown: bool) -> Fact:
    """That no node is asked for more than it has, once something was *shown*."""
    over = placed.over
    saw = "; ".join(over) if over else "none" if shown else "nothing to see yet"
    first = f"{over[0]}." if over else "It counts once the pods are there."
    return Fact("nodes asked for too much", shown and not over, saw, (first, *COUNT))
