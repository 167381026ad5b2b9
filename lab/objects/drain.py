"""Emptying a node that a controller puts pods on: it takes no new ones, and those that somebody makes anew are removed.

As ``kubectl cordon``, ``drain`` and ``uncordon`` do it, but for two things: a pod that nobody would make anew stays, and is named, where
kubectl refuses to begin; and no budget (``PodDisruptionBudget``) says how many of a group may be away at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.box.errors import UsageError
from lab.box.parallel import in_parallel
from lab.objects.departure import depart
from lab.objects.replicas import Observer
from lab.objects.store import CORDONED, Store

if TYPE_CHECKING:
    from lab.box.machine import Machine
    from lab.objects.node import Node


@dataclass(frozen=True)
class Drained:
    """What became of the pods of a node.

    Args:
        removed: the names of those that a controller makes anew elsewhere.
        stayed: the names of those that nobody would make anew.
    """

    removed: tuple[str, ...]
    stayed: tuple[str, ...]

    def __repr__(self) -> str:
        stayed = [f"stays, for nobody would make it anew: {name}" for name in self.stayed]
        return "\n".join([*(f"removed: {name}" for name in self.removed), *stayed]) or "nothing was on it"


def cordon(name: str, *nodes: Node) -> Node:
    """Give a node no new pods.

    Args:
        name: of the node.
        nodes: as the controller has them.

    Raises:
        UsageError: there is no such node.
    """
    node = _known(name, nodes)
    Store(nodes[0].machine, CORDONED).put(name, {})
    return node


def uncordon(name: str, *nodes: Node) -> Node:
    """Give a node new pods again; likewise."""
    node = _known(name, nodes)
    Store(nodes[0].machine, CORDONED).delete(name)
    return node


def drain(name: str, *nodes: Node) -> Drained:
    """Give a node no new pods, and remove those that a controller makes anew elsewhere.

    Raises:
        UsageError: there is no such node.
        CourseError: it does not answer.
    """
    node = cordon(name, *nodes)
    seen = sorted(Observer(node).look(), key=lambda one: one.replica.name)
    ours = [one for one in seen if one.owner]
    in_parallel(lambda one: depart(nodes[0].machine, one.pod), ours)
    return Drained(tuple(one.replica.name for one in ours), tuple(one.replica.name for one in seen if not one.owner))


def cordoned(machine: Machine) -> set[str]:
    """The names of the nodes that get no new pods.

    Args:
        machine: of the first node.
    """
    return set(Store(machine, CORDONED).all())


def _known(name: str, nodes: tuple[Node, ...]) -> Node:
    there = {node.name: node for node in nodes}
    if name not in there:
        raise UsageError(f"There is no node {name}.", f"There are: {', '.join(there) or 'none'}.", f'drain("{next(iter(there), "n1")}", …)')
    return there[name]
