"""The same work as machines and as pods: how many machines that takes, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from autograder.checks.nodes.placement import Placement, look, nodes_from, pods_from
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import number, said
from lab.box.machine import Machine
from lab.objects.node import Node, schedule
from lab.objects.quantity import NOTHING, Resources
from lab.objects.spec import PodSpec

ROLES = ("vm", "node")
COUNT = 9
CPU_M, MEMORY_MI = 1000, 512
MB = 1 << 20
NEAR = 1.5
"""How many times more or less than what is measured now a figure of memory may be, because memory use changes."""
ALONE = (
    "One service, whichever, and nothing else: that is how it was done with machines.",
    'Pod.create(density.machines["vm"], manifest).start()',
)
FULL = ("As many as the node has room for, by what they ask for.", "Cluster(Node(…)).run(…) starts what fits, and says what is pending.")
MACHINES = (
    "As machines: one for each service. As pods: as few nodes of this size as will do.",
    "Give schedule(pods, nodes) one node more, until nothing is pending.",
)
PAID = (
    "What a machine costs its host is memory_mb. One of a kind is measured, and there are so many of them.",
    'density.machines["vm"].memory_mb, times the number of machines',
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """Services that need one node more than the sum of their requests, and no other with our scheduler; drawn again until that is so."""
    while True:
        asks = [(50 * dice.integer(5, 11), 16 * dice.integer(2, 6)) for _ in range(COUNT)]
        lines = [f"{key}-{one} {cpu}m {memory}Mi" for one, (cpu, memory) in enumerate(asks, 1)]
        pods = pods_from(lines)
        count = by_sum(pods) + 1
        if fewest_nodes(pods) == count and not schedule(pods, _nodes(count)).pending:
            return {"size": f"{CPU_M}m {MEMORY_MI}Mi", "services": lines}


def fewest_nodes(pods: Sequence[PodSpec]) -> int:
    """The least number of nodes of the task's size that have room for all pods, by trying every way to place them."""
    asked = sorted((it.requests for it in pods), key=lambda it: (-it.cpu, -it.memory))
    size = _nodes(1)[0].capacity

    def can_be_placed(rest: Sequence[Resources], free: list[Resources]) -> bool:
        if not rest:
            return True
        for room in set(free):  # of nodes with as much room, one is tried
            if (left := room - rest[0]).cpu >= 0 and left.memory >= 0:
                others = free.copy()
                others.remove(room)
                if can_be_placed(rest[1:], [*others, left]):
                    return True
        return False

    return next(count for count in range(by_sum(pods), len(pods) + 1) if can_be_placed(asked, [size] * count))


def by_sum(pods: Sequence[PodSpec]) -> int:
    """The least number of nodes that the sum of the requests needs, as if pods could be cut into pieces."""
    total = sum((it.requests for it in pods), NOTHING)
    return max(math.ceil(total.cpu / CPU_M), math.ceil(total.memory / (MEMORY_MI * MB)))


def _nodes(count: int) -> list[Node]:
    return nodes_from(f"n{one} {CPU_M}m {MEMORY_MI}Mi" for one in range(1, count + 1))


@check("nodes.density", kind="answer", parts=6, answers=("vms", "nodes", "vms_mb", "nodes_mb"), draw=draw, machines=ROLES)
def density(machine: Machine, task: Task) -> Iterator[Fact]:  # noqa: ARG001  (the pods are on other machines)
    """Run one service on a machine of its own and as many as fit on a node; report machines and memory for all of them, both ways."""
    pods = pods_from(task.services)
    placement = look(nodes_from([f"vm {task.size}", f"node {task.size}"], task.machines), pods)
    alone, there = placement.pods_on("vm"), placement.pods_on("node")
    saw = ", ".join(it.name for it in alone) or "nothing"
    yield Fact("what runs on vm", len(alone) == 1, saw, (f"{len(alone)} of the services run there, and one is to.", *ALONE))
    left = [it.name for it in pods if it not in there and not schedule([it], [placement.nodes["node"]], {"node": there}).pending]
    yield _full(placement, there, left)

    answers = task.answers
    vms, nodes = number(answers.get("vms")), number(answers.get("nodes"))
    hint = f"There are {len(pods)} services." if vms else "Report how many machines it takes if each service has one of its own."
    yield Fact("machines, one for each", vms == len(pods), said(answers.get("vms")), (hint, *MACHINES))
    fewest = fewest_nodes(pods)
    yield Fact("nodes", nodes == fewest, said(answers.get("nodes")), (_about_nodes(nodes, fewest, by_sum(pods)), *MACHINES))
    for name, role, count, counted in (("vms_mb", "vm", len(pods), vms), ("nodes_mb", "node", fewest, nodes)):
        one = float(getattr(placement.nodes[role].machine, "memory_mb", 0))
        yield _paid(name, answers.get(name), one, count, counted, ready=bool(placement.pods_on(role)))


def _full(placement: Placement, there: Sequence[PodSpec], left: Sequence[str]) -> Fact:
    what = "what runs on node"
    if over := replace(placement, nodes={"node": placement.nodes["node"]}).overcommitted:
        return Fact(what, ok=False, saw=over[0], hints=(f"{over[0]}.", *FULL))
    first = f"There is room for {left[0]} yet." if left else "Nothing of it runs there."
    return Fact(what, bool(there) and not left, f"{len(there)} services", (first, *FULL))


def _about_nodes(told: float | None, fewest: int, summed: int) -> str:
    if told is None:
        return "Report how many nodes of this size take all services as pods."
    if told == summed:
        return "That many would do if a pod could be cut into pieces. Try to place them."
    return "It can be done with fewer." if told > fewest else "So few have not even room for the sum."


def _paid(name: str, answer: object, one: float, count: int, counted: float | None, *, ready: bool) -> Fact:
    told = number(answer)
    what = "memory as machines, MB" if name == "vms_mb" else "memory as pods, MB"
    right = told is not None and ready and _near(told, one * count)
    if not ready:
        first = "It is measured while the services run."
    elif told is None and answer is not None:
        first = f"Report {name} as a number, without its unit."
    elif told is None:
        first = f"Report what all of them cost together, under the name {name}."
    elif _near(told, one):
        first = "That is what one of them costs."
    elif told < one:
        first = "That is what the programs take, perhaps. Paid is for machines: kernel, engine and all."
    elif counted and counted != count and _near(told, one * counted):
        first = f"That is what {counted:g} of them cost. It is their number that is not right."
    else:
        first = f"All of them together cost {'less' if told > one * count else 'more'}."
    return Fact(what, right, said(answer), (first, *PAID))


def _near(told: float, seen: float) -> bool:
    return seen / NEAR <= told <= seen * NEAR
