"""A node is emptied, and no pod is away for a moment: it runs elsewhere before it ends here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.checks.dice import Dice
from autograder.checks.fact import Fact
from autograder.checks.nodes.placed import Placed, asked, belongs, having, look, room, start, started
from autograder.checks.register import check
from autograder.checks.task import Task, Value
from lab.box.machine import Machine
from lab.objects.engine import in_parallel
from lab.objects.node import schedule
from lab.objects.spec import PAUSE

ROLES = ("n1", "n2", "n3")
CAPACITY_MI = 384
CPU, MEMORY = "2", f"{CAPACITY_MI}Mi"
LOOKS = 2
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
    """Five pods, three of them on the node that is to be emptied; neither of the others has room for those three."""
    while True:
        node, *others = dice.some(ROLES, 3, 3)
        at_first = [node, node, node, *others]
        asks = [16 * dice.integer(4, 12) for _ in at_first]
        lines = [f"{key}-{number} 100m {memory}Mi {there}" for number, (memory, there) in enumerate(zip(asks, at_first, strict=True), 1)]
        nodes = [f"{role} {CPU} {MEMORY}" for role in ROLES]
        if sum(asks[:3]) + min(asks[3:]) > CAPACITY_MI and _can_be_emptied(lines, nodes, node):
            return {"node": node, "nodes": nodes, "pods": dice.some(lines, 5, 5)}


def _can_be_emptied(lines: Sequence[str], nodes: Sequence[str], node: str) -> bool:
    """One pod after the other, in the order of their names, each where the least is left over."""
    *going, one, other = asked(lines)
    takers = [it for it in having(nodes) if it.name != node]
    there = {lines[3].split()[3]: [one], lines[4].split()[3]: [other]}
    for it in going:
        plan = schedule([it], takers, there)
        if plan.pending:
            return False
        there[plan.placements[it.name]].append(it)
    return True


def prepare(machine: Machine, task: Task) -> None:  # noqa: ARG001
    """Start all pods where they are at first."""
    start(task, task.pods)


@check("nodes.drain", kind="state", parts=4, draw=draw, prepare=prepare, machines=ROLES)
def drain(machine: Machine, task: Task) -> Iterator[Fact]:  # noqa: ARG001  (the pods are on other machines)
    """Empty a node: each of its pods runs on another one, which has room for it, before it ends there."""
    placed = look(having(task.nodes, task.machines), asked(task.pods))
    at_first = {line.split()[0]: line.split()[3] for line in task.pods}
    going = [name for name, node in at_first.items() if node == task.node]
    moved = [name for name in going if placed.where(name) - {task.node}]

    left = [it.name for it in placed.on(task.node)]
    if task.node in placed.down:
        hint = (
            f'{task.node} does not answer. A drained node may be switched off; it is not drained by that. task("{task.name}", again=True)'
        )
        yield Fact(f"pods left on {task.node}", ok=False, saw="it is down", hints=(hint,))
        return
    yield Fact(f"pods left on {task.node}", not left, ", ".join(left) or "none", (f"{task.node} is to be empty.", *EMPTY))

    once = [name for name in placed.pods if len(placed.where(name) - {task.node}) == 1]
    yield Fact(
        "pods that run on another node", len(once) == len(placed.pods), f"{len(once)} of {len(placed.pods)}", (_lost(placed, task), *ALL)
    )
    yield room(placed, shown=bool(moved))
    yield _away(placed, task, going, moved)


def _lost(placed: Placed, task: Task) -> str:
    where = {name: placed.where(name) - {task.node} for name in placed.pods}
    if twice := [name for name, nodes in where.items() if len(nodes) > 1]:
        return f"{twice[0]} runs on {' and '.join(sorted(where[twice[0]]))}: once is enough."
    if lost := [name for name in placed.pods if not placed.where(name)]:
        return f"{', '.join(lost)}: it runs nowhere."
    return "All five are to run, none of them on the node that is drained."


def _away(placed: Placed, task: Task, going: Sequence[str], moved: Sequence[str]) -> Fact:
    """How long each pod ran nowhere: from its end on the node, which the engine there remembers, to its start on another one."""
    what = "pods that were away"
    if len(moved) < len(going):
        saw = f"{len(moved)} of {len(going)} have moved"
        return Fact(what, ok=False, saw=saw, hints=(f"It counts when all {len(going)} pods of {task.node} run elsewhere.", *ORDER))
    clocks = dict(zip(placed.nodes, in_parallel(lambda node: _clock(node.machine), placed.nodes.values()), strict=True))
    ended = _ended(placed.nodes[task.node].machine, going, clocks[task.node])
    gone = {}
    for name in set(going) & set(ended):
        begun, sure = min(
            (started(placed, name, node) - clocks[node].ahead_s, clocks[node].give_s + clocks[task.node].give_s)
            for node in placed.where(name) - {task.node}
        )
        if (away := begun - ended[name]) > sure:
            gone[name] = away
    saw = ", ".join(f"{name} for {away:.1f} s" for name, away in sorted(gone.items())) or "none"
    first = f"{min(gone, default='')} had ended on {task.node} before it ran elsewhere. Who asked for it then got no answer."
    return Fact(what, not gone, saw, (first, *ORDER))


@dataclass(frozen=True)
class Clock:
    """A machine's clock beside the one here: how many seconds it is ahead, give or take so many."""

    ahead_s: float
    give_s: float


def _clock(machine: Machine) -> Clock:
    """The best of some looks: the one that took least time."""

    def look() -> Clock:
        before = time.time()
        there = float(machine.sh("date +%s.%N", check=True).stdout)
        took = time.time() - before
        return Clock(there - before - took / 2, took / 2)

    return min((look() for _ in range(LOOKS)), key=lambda clock: clock.give_s)


def _ended(machine: Machine, pods: Sequence[str], clock: Clock) -> dict[str, float]:
    """When pods ended on a machine for the last time, by the clock here: the engine remembers its last events."""
    now = time.time() + clock.ahead_s
    events = machine.docker.api.events(since=0, until=f"{now:.6f}", filters={"type": "container", "event": "die"}, decode=True)
    found = {}
    for event in events:
        name, image = event["Actor"]["Attributes"]["name"], event["from"]
        for pod in pods:
            if image != PAUSE and belongs(name, pod):
                found[pod] = event["timeNano"] / 1e9 - clock.ahead_s
    return found
