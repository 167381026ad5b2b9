"""A node is drained: each of its pods runs on another node before it ends on this one, so that no pod is away."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.checks.nodes.placement import (
    Placement,
    belongs,
    first_nodes,
    look,
    no_node_overcommitted,
    nodes_from,
    pods_from,
    start,
    started,
)
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from lab.box.machine import Machine
from lab.box.parallel import in_parallel
from lab.objects.node import schedule
from lab.objects.spec import PAUSE

ROLES = ("n1", "n2", "n3")
CAPACITY_MI = 384
CPU, MEMORY = "2", f"{CAPACITY_MI}Mi"
LOOKS = 2
GRACE_S = 3.0
"""Seconds from the moment when a paused pod goes on, because it is to end, to its end."""
EMPTY = (
    "Each pod on it is started on another node that has room, and removed here.",
    "Cluster(*nodes) finds the pods that run on its nodes; it has a method for this.",
)
ALL = ("What is on the node and nowhere else is lost when it is removed.", "Look at each node: docker ps, or pods(machine).")
ORDER = (
    "First start it elsewhere, then remove it here; one after the other, so that there is room.",
    'To try again, begin again: task("nodes.drain", again=True). What was away stays away.',
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """Five pods, three of them on the node that is to be drained; neither of the other nodes has room for all three."""
    while True:
        node, *others = dice.some(ROLES, 3, 3)
        at_first = [node, node, node, *others]
        asks = [16 * dice.integer(4, 12) for _ in at_first]
        lines = [f"{key}-{number} 100m {memory}Mi {there}" for number, (memory, there) in enumerate(zip(asks, at_first, strict=True), 1)]
        nodes = [f"{role} {CPU} {MEMORY}" for role in ROLES]
        if sum(asks[:3]) + min(asks[3:]) > CAPACITY_MI and _can_be_emptied(lines, nodes, node):
            return {"node": node, "nodes": nodes, "pods": dice.some(lines, 5, 5)}


def _can_be_emptied(lines: Sequence[str], nodes: Sequence[str], node: str) -> bool:
    """Whether the node's pods find room on the others, placed in the order of their names, each where the least is left over."""
    *going, one, other = pods_from(lines)
    takers = [it for it in nodes_from(nodes) if it.name != node]
    there = {lines[3].split()[3]: [one], lines[4].split()[3]: [other]}
    for it in going:
        plan = schedule([it], takers, there)
        if plan.pending:
            return False
        there[plan.placements[it.name]].append(it)
    return True


def prepare(machine: Machine, task: Task) -> None:  # noqa: ARG001
    """Start each pod on its first node."""
    start(task, task.pods)


@check("nodes.drain", kind="state", parts=4, draw=draw, prepare=prepare, machines=ROLES)
def drain(machine: Machine, task: Task) -> Iterator[Fact]:  # noqa: ARG001  (the pods are on other machines)
    """Empty a node: each of its pods runs on another one, which has room for it, before it ends there."""
    placement = look(nodes_from(task.nodes, task.machines), pods_from(task.pods))
    at_first = first_nodes(task.pods)
    going = [name for name, node in at_first.items() if node == task.node]
    moved = [name for name in going if placement.nodes_of(name) - {task.node}]

    left = [it.name for it in placement.pods_on(task.node)]
    if task.node in placement.down:
        hint = (
            f"{task.node} does not answer, and only its engine can tell how it was drained: leave it running. "
            f'task("{task.name}", again=True)'
        )
        yield Fact(f"pods left on {task.node}", ok=False, saw="it is down", hints=(hint,))
        return
    yield Fact(f"pods left on {task.node}", not left, ", ".join(left) or "none", (f"{task.node} is to be empty.", *EMPTY))

    once = [name for name in placement.pods if len(placement.nodes_of(name) - {task.node}) == 1]
    yield Fact(
        "pods that run on another node",
        len(once) == len(placement.pods),
        f"{len(once)} of {len(placement.pods)}",
        (_lost(placement, task), *ALL),
    )
    yield no_node_overcommitted(placement, shown=bool(moved))
    yield _away(placement, task, going, moved)


def _lost(placement: Placement, task: Task) -> str:
    where = {name: placement.nodes_of(name) - {task.node} for name in placement.pods}
    if twice := [name for name, nodes in where.items() if len(nodes) > 1]:
        return f"{twice[0]} runs on {' and '.join(sorted(where[twice[0]]))}: once is enough."
    if lost := [name for name in placement.pods if not placement.nodes_of(name)]:
        return f"{', '.join(lost)}: it runs nowhere."
    return "All five are to run, none of them on the node that is drained."


def _away(placement: Placement, task: Task, going: Sequence[str], moved: Sequence[str]) -> Fact:
    """The fact that no pod was away: none started on another node after it had ended on the node that is drained."""
    what = "pods that were away"
    if len(moved) < len(going):
        saw = f"{len(moved)} of {len(going)} have moved"
        return Fact(what, ok=False, saw=saw, hints=(f"It counts when all {len(going)} pods of {task.node} run elsewhere.", *ORDER))
    clocks = dict(zip(placement.nodes, in_parallel(lambda node: _clock(node.machine), placement.nodes.values()), strict=True))
    ended = _ended(placement.nodes[task.node].machine, going, clocks[task.node])
    away_s = {}
    for name in set(going) & set(ended):
        begun, sure = min(
            (started(placement, name, node) - clocks[node].ahead_s, clocks[node].give_s + clocks[task.node].give_s)
            for node in placement.nodes_of(name) - {task.node}
        )
        if (away := begun - ended[name]) > sure:
            away_s[name] = away
    saw = ", ".join(f"{name} for {away:.1f} s" for name, away in sorted(away_s.items())) or "none"
    first = f"{min(away_s, default='')} had ended on {task.node} before it ran elsewhere. Who asked for it then got no answer."
    return Fact(what, not away_s, saw, (first, *ORDER))


@dataclass(frozen=True)
class Clock:
    """How far a machine's clock is ahead of the clock here.

    Args:
        ahead_s: seconds; negative where it is behind.
        give_s: seconds by which that may be wrong.
    """

    ahead_s: float
    give_s: float


def _clock(machine: Machine) -> Clock:
    """A machine's clock, looked at several times: the look that took the least time is the most exact."""

    def look() -> Clock:
        before = time.time()
        there = float(machine.sh("date +%s.%N", check=True).stdout)
        took = time.time() - before
        return Clock(there - before - took / 2, took / 2)

    return min((look() for _ in range(LOOKS)), key=lambda clock: clock.give_s)


def _ended(machine: Machine, pods: Sequence[str], clock: Clock) -> dict[str, float]:
    """When each pod last ended on a machine, by the clock here and the pod's name; read from the events that the engine remembers.

    A pod that was paused, and went on only to be ended, ended when it was paused: it answers nobody from then on.
    """
    now = time.time() + clock.ahead_s
    filters = {"type": "container", "event": ["die", "pause", "unpause"]}
    found, paused, resumed = {}, {}, {}
    for event in machine.docker.api.events(since=0, until=f"{now:.6f}", filters=filters, decode=True):
        name, image, moment = event["Actor"]["Attributes"]["name"], event["from"], event["timeNano"] / 1e9 - clock.ahead_s
        for pod in pods:
            if image == PAUSE or not belongs(name, pod):
                continue
            if event["Action"] == "pause":
                paused[pod] = moment
            elif event["Action"] == "unpause":
                resumed[pod] = moment
            else:
                went_on = moment - resumed.get(pod, moment) > GRACE_S
                found[pod] = moment if went_on else paused.get(pod, moment)
    return found
