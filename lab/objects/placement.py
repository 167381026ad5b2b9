"""Where a Swarm has placed pods, compared with where the scheduler of ``lab.objects.node`` would have placed them.

A Swarm can't be told how much room a node has.  Each engine reports what its kernel has, and nodes that are containers all report the whole
computer that they run on.  So reservations are scaled: a pod that asks for a quarter of a node reserves a quarter of what the engine
reports. As all nodes are of the same size, the same pods fit beside each other as without scaling.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.objects.env import is_late
from lab.objects.node import Node, Plan, schedule
from lab.objects.quantity import Resources, cpu_text
from lab.objects.security import Security

if TYPE_CHECKING:
    from lab.objects.spec import PodSpec

NANOS_PER_MILLI = 10**6
"""A Swarm counts processors in billionths, manifests in thousandths."""
LEAST_CPU, LEAST_MEMORY = NANOS_PER_MILLI, 4 * 2**20
"""The least that a Swarm reserves, if it reserves anything."""


@dataclass(frozen=True)
class Placement(Plan):
    """Where a Swarm has placed pods.

    Args:
        placements: the node's name, by the pod's.
        pending: why a pod fits nowhere, in the Swarm's words, by its name.
        otherwise: sentences about what the scheduler that packs would have done otherwise, and about how room was counted.
        ignored: sentences about what the manifests ask for and the Swarm was not told.
    """

    otherwise: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join([super().__repr__(), "", *self.otherwise, *self.ignored])


@dataclass(frozen=True)
class Share:
    """Converts a share of a node into a share of what its engine reports.

    Args:
        room: that a node is said to have.
        reported: that its engine says it has.
    """

    room: Resources
    reported: Resources

    def reserved(self, pod: PodSpec) -> tuple[int, int]:
        """What a pod reserves: billionths of a processor, and bytes; 0 for what it does not ask for."""
        asked = pod.requests
        cpu = asked.cpu * self.reported.cpu * NANOS_PER_MILLI // (self.room.cpu or 1)
        memory = asked.memory * self.reported.memory // (self.room.memory or 1)
        return max(LEAST_CPU, cpu) if asked.cpu else 0, max(LEAST_MEMORY, memory) if asked.memory else 0

    def __str__(self) -> str:
        cpu, memory = self.reported.cpu / (self.room.cpu or 1), self.reported.memory / (self.room.memory or 1)
        has = f"{cpu_text(self.reported.cpu)} cpu and {self.reported.memory // 2**20}Mi"
        scale = f"{cpu:.3g} times the cpu and {memory:.3g} times the memory"
        return f"Each engine reports {has}, whatever a node is said to have: reserved are {scale}."


def placement(plan: Plan, pods: Sequence[PodSpec], nodes: Sequence[Node], share: Share) -> Placement:
    """Compare a Swarm's decision with that of the scheduler that packs.

    Args:
        plan: what the Swarm decided.
        pods: all that it has decided about, in their order.
        nodes: of the Swarm.
        share: with which room was counted.
    """
    return Placement(plan.placements, plan.pending, (*_otherwise(plan, schedule(pods, nodes)), str(share)), tuple(_ignored(pods)))


def _otherwise(theirs: Plan, ours: Plan) -> Iterator[str]:
    used, needed = (len(set(it.placements.values())) for it in (theirs, ours))
    everyone = f"all {len(ours.placements) + len(ours.pending)} at once"
    yield f"Swarm took them as they came, and spread them over {used} nodes."
    yield f"Your scheduler, if it gets {everyone}, packs the biggest first, over {needed}."
    for name in sorted(theirs.pending.keys() - ours.pending.keys()):
        yield f"{name} waits in the Swarm, and would have a place in that plan: {ours.placements[name]}."
    for name in sorted(ours.pending.keys() - theirs.pending.keys()):
        yield f"{name} would wait in that plan, and has a place in the Swarm: {theirs.placements[name]}."


def _ignored(pods: Sequence[PodSpec]) -> Iterator[str]:
    """What pods ask for and their services were not told, with the pods' names."""
    asked = {
        "A service is one container and no pod; the others are left out": [it.name for it in pods if len(it.containers) > 1 or it.init],
        "Volumes are not made": [it.name for it in pods if it.volumes],
        "No port is published": [it.name for it in pods if it.host_ports],
        "No tree of processes is shared": [it.name for it in pods if it.share_pid],
        "No probe asks how they are, and no hook runs": [it.name for it in pods if any(one.probes or one.pre_stop for one in it.everyone)],
        "They run as the image says": [it.name for it in pods if any(one.security != Security() for one in it.everyone)],
        "Variables have neither an address nor a node": [it.name for it in pods if any(is_late(one.texts) for one in it.everyone)],
        "The labels of nodes are not looked at": [it.name for it in pods if it.node_selector],
    }
    return (f"{what}: {', '.join(names)}." for what, names in asked.items() if names)
