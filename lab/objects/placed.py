"""What a Swarm has decided, beside what the scheduler of ``lab.objects.node`` would have, and how both count room.

How much room a node has is not ours to say.  An engine reports what its kernel has, and nodes that are containers all report the one
computer that they run on.  So reservations are scaled: what asks for a quarter of a node reserves a quarter of what the engine reports.
Who fits beside whom stays as it is, where all nodes are alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.objects.node import Node, Plan, schedule
from lab.objects.quantity import Resources, cpu_text

if TYPE_CHECKING:
    from lab.objects.spec import PodSpec

NANO = 10**6
"""Swarm counts processors in billionths, manifests in thousandths."""
LEAST_CPU, LEAST_MEMORY = NANO, 4 * 2**20
"""A Swarm reserves no less, unless nothing at all."""


@dataclass(frozen=True)
class Placed(Plan):
    """What a Swarm has decided.

    Args:
        placements: the node's name, by the pod's.
        pending: why a pod fits nowhere, in the Swarm's words, by its name.
        otherwise: where the scheduler that packs decides otherwise, and how room was counted.
        ignored: what the manifests ask for that a Swarm is not given here.
    """

    otherwise: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join([super().__repr__(), "", *self.otherwise, *self.ignored])


@dataclass(frozen=True)
class Share:
    """What a part of a node is in the engines' counting.

    Args:
        room: that a node is said to have.
        reported: that its engine says it has.
    """

    room: Resources
    reported: Resources

    def reserved(self, pod: PodSpec) -> tuple[int, int]:
        """What a pod asks for, as billionths of a processor and as bytes; 0 where it asks for nothing."""
        asked = pod.requests
        cpu = asked.cpu * self.reported.cpu * NANO // (self.room.cpu or 1)
        memory = asked.memory * self.reported.memory // (self.room.memory or 1)
        return max(LEAST_CPU, cpu) if asked.cpu else 0, max(LEAST_MEMORY, memory) if asked.memory else 0

    def __str__(self) -> str:
        cpu, memory = self.reported.cpu / (self.room.cpu or 1), self.reported.memory / (self.room.memory or 1)
        has = f"{cpu_text(self.reported.cpu)} cpu and {self.reported.memory // 2**20}Mi"
        scale = f"{cpu:.3g} times the cpu and {memory:.3g} times the memory"
        return f"Each engine reports {has}, whatever a node is said to have: reserved are {scale}."


def placed(plan: Plan, pods: Sequence[PodSpec], nodes: Sequence[Node], share: Share) -> Placed:
    """What a Swarm has decided, with all that there is to say of it.

    Args:
        plan: the decision.
        pods: all that it is about, in their order.
        nodes: of the Swarm.
        share: how room was counted.
    """
    return Placed(plan.placements, plan.pending, (*_otherwise(plan, schedule(pods, nodes)), str(share)), tuple(_ignored(pods)))


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
    """What pods ask for that no service is given here, with the pods' names."""
    asked = {
        "A service is one container and no pod; the others are left out": [it.name for it in pods if len(it.containers) > 1 or it.init],
        "Volumes are not made": [it.name for it in pods if it.volumes],
        "No port is published": [it.name for it in pods if it.host_ports],
        "No tree of processes is shared": [it.name for it in pods if it.share_pid],
    }
    return (f"{what}: {', '.join(names)}." for what, names in asked.items() if names)
