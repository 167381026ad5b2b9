"""Nodes, and the scheduler that decides which pod goes to which of them.  It only calculates; no machine is touched.

A node is a machine of which one needs to know only how much room it has, and the labels by which pods ask for it.  What counts is what the
manifests ask for.  Whether a pod *uses* that does not matter: a request is room that is kept free for the pod, used or not.

The scheduler packs: it takes the biggest pod first, and puts each where the least room is left over.  That needs few nodes, and leaves
large gaps for large pods.  (Kubernetes takes pods as they come and spreads them, unless it is told to pack with its strategy
``MostAllocated``.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from lab.box.errors import UsageError
from lab.objects.quantity import NOTHING, Resources, cpu, cpu_text, memory, memory_text

if TYPE_CHECKING:
    from lab.box.machine import Machine
    from lab.objects.spec import PodSpec


@dataclass(frozen=True)
class Node:
    """A machine, or a share of one, that takes pods.

    Args:
        name: of the node.
        machine: that its pods run on.
        cpu: how much it has for pods, such as ``2`` or ``500m``.
        memory: how much it has for pods, such as ``512Mi``.
        labels: by which pods ask for it, beside those that every node has: see ``all_labels``.
        network: of its machine's engine, that its pods are connected to; see ``pod_network``.

    Raises:
        UsageError: one of the two is no amount.
    """

    name: str
    machine: Machine = field(repr=False)
    cpu: str
    memory: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    network: str = "bridge"

    def __post_init__(self) -> None:
        _ = self.capacity

    @property
    def all_labels(self) -> dict[str, str]:
        """Its labels, with its name and its operating system among them, as a kubelet gives them to a node."""
        return {"kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", **self.labels}

    @cached_property
    def capacity(self) -> Resources:
        """What it has for pods, as long as none is there."""
        return Resources(cpu(self.cpu, f"{self.name}: cpu"), memory(self.memory, f"{self.name}: memory"))

    def free(self, there: Iterable[PodSpec]) -> Resources:
        """What it has left for others when these pods are there; less than 0 where they ask for too much."""
        return self.capacity - sum((pod.requests for pod in there), NOTHING)


@dataclass(frozen=True)
class Plan:
    """What the scheduler decided.

    Args:
        placements: by the name of a pod, the name of its node.
        pending: by the name of a pod that fits nowhere, why.
    """

    placements: Mapping[str, str]
    pending: Mapping[str, str]

    def __repr__(self) -> str:
        rows = [f"{pod} → {node}" for pod, node in self.placements.items()]
        return "\n".join([*rows, *(f"{pod} is pending: {why}" for pod, why in self.pending.items())])


def fits(pod: PodSpec, node: Node, there: Sequence[PodSpec] = ()) -> bool:
    """Whether a node has the labels that a pod asks for, and room for it beside those that are there."""
    return not why_not(pod, node, there)


def why_not(pod: PodSpec, node: Node, there: Sequence[PodSpec] = ()) -> str:
    """What a node lacks for a pod beside those that are there, in words; empty if it has room."""
    asked, free = pod.requests, node.free(there)
    has = node.all_labels
    lacks = [f"no label {name}={value}" for name, value in sorted(pod.node_selector.items()) if has.get(name) != value]
    if asked.cpu and asked.cpu > free.cpu:
        lacks.append(f"too little cpu: {_beside(cpu_text, asked.cpu, free.cpu)}")
    if asked.memory and asked.memory > free.memory:
        lacks.append(f"too little memory: {_beside(memory_text, asked.memory, free.memory)}")
    for port, protocol in sorted(pod.host_ports.keys() & {taken for other in there for taken in other.host_ports}):
        lacks.append(f"port {port} ({protocol}) is taken")
    return ", ".join(lacks)


def _beside(written: Callable[[int, int], str], asked: int, free: int) -> str:
    left = max(0, free)
    return f"{written(asked, left)} asked, {written(left, asked)} free"


def schedule(pods: Sequence[PodSpec], nodes: Sequence[Node], there: Mapping[str, Sequence[PodSpec]] | None = None) -> Plan:
    """Decide where pods go.

    Args:
        pods: that need a node.
        nodes: that can take pods.
        there: the pods that are on the nodes already, by the node's name.

    Raises:
        UsageError: two pods, or two nodes, have the same name.
    """
    _no_duplicates("pods", (pod.name for pod in pods))
    _no_duplicates("nodes", (node.name for node in nodes))
    held = {node.name: list((there or {}).get(node.name, ())) for node in nodes}
    everything = sum((node.capacity for node in nodes), NOTHING)
    placements, pending = {}, {}
    for pod in sorted(pods, key=lambda pod: _share(pod.requests, everything), reverse=True):
        if room := [node for node in nodes if fits(pod, node, held[node.name])]:
            best = min(room, key=lambda node: _share(node.free(held[node.name]), everything))
            held[best.name].append(pod)
            placements[pod.name] = best.name
        else:
            reasons = [f"{node.name}: {why_not(pod, node, held[node.name])}" for node in nodes]
            pending[pod.name] = "; ".join(reasons) or "there is no node"
    return Plan(placements, pending)


def _share(part: Resources, whole: Resources) -> float:
    """One number for an amount of processor and memory: how large a part it is of all that there is."""
    return part.cpu / (whole.cpu or 1) + part.memory / (whole.memory or 1)


def _no_duplicates(what: str, names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise UsageError(f"{times} {what} are called {name}.", "They are told apart by their names.", "give each a name of its own")
