"""Eight pods on three nodes: one fits on none of them, although together they have more than enough left for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from autograder.checks.nodes.placement import Placement, belongs, look, no_node_overcommitted, nodes_from, pods_from
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import said, text
from lab.box.machine import Machine
from lab.objects.node import Node, fits, schedule, why_not
from lab.objects.quantity import NOTHING, cpu_text, memory_text
from lab.objects.spec import PodSpec

ROLES = ("n1", "n2", "n3")
COUNT = 8
CPU, MEMORY = "cpu", "memory"
CALLED = {CPU: r"\b(?:cpus?|processors?)\b", MEMORY: r"\b(?:memory|ram)\b"}
ENOUGH = rf"(?<!not )\b(?:enough|sufficient)\s+(?:\w+\s+)?(?:{CALLED[CPU]}|{CALLED[MEMORY]})"
"""What is there, and so is not lacking."""
RUN = (
    "Where a pod goes decides what is left for the next. Which ones are hardest to place?",
    "The biggest first, each where the least is left over: that is what schedule(pods, nodes) does, and Cluster.run after it.",
)
PENDING = (
    "Compare what it asks for with what each node has when nothing runs on it.",
    "What Cluster.run returns has the pods that are pending, and why.",
)
WHY = (
    "It lacks something on each node, and not the same on all of them. Say of each node what there is too little of.",
    'why="n1: too little …; n2: too little …; n3: too little …", with cpu or memory. The plan says it in such words.',
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """Nodes of three sizes, and pods that fill them; drawn again until a first fit leaves out more pods than necessary."""
    while True:
        kinds = dice.some([("2", "256Mi"), ("1", "768Mi"), ("500m", "256Mi")], 3, 3)
        nodes = [f"{role} {cpu} {memory}" for role, (cpu, memory) in zip(ROLES, kinds, strict=True)]
        huge = (1150 + 50 * dice.integer(0, 3), 368 + 16 * dice.integer(0, 3))
        small = [(50 * dice.integer(1, 9), 16 * dice.integer(2, 11)) for _ in range(COUNT - 1)]
        names = dice.some([f"{key}-{number}" for number in range(1, COUNT + 1)], COUNT, COUNT)
        lines = sorted(f"{name} {cpu}m {memory}Mi" for name, (cpu, memory) in zip(names, [huge, *small], strict=True))
        if list(schedule(pods_from(lines), nodes_from(nodes)).pending) == [names[0]] and _worth_it(lines, nodes, names[0]):
            return {"nodes": nodes, "pods": lines}


def _worth_it(lines: Sequence[str], nodes: Sequence[str], huge: str) -> bool:
    """Whether the order of pods matters, the nodes together have room for the pending pod, and it does not lack the same on each node."""
    there = nodes_from(nodes)
    pods = {it.name: it for it in pods_from(lines)}
    left = sum((node.capacity for node in there), NOTHING) - sum((it.requests for it in pods.values()), NOTHING)
    plan = schedule(list(pods.values()), there)
    held = {node.name: [pods[name] for name, on in plan.placements.items() if on == node.name] for node in there}
    why = [why_not(pods[huge], node, held[node.name]) for node in there]
    differs = not all(CPU in one for one in why) and not all(MEMORY in one for one in why)
    return left.cpu >= 0 and left.memory >= 0 and differs and len(first_fit(list(pods.values()), there)) < COUNT - 1


def first_fit(pods: Sequence[PodSpec], nodes: Sequence[Node]) -> dict[str, str]:
    """The node of each pod, by pod, if each in turn is placed on the first node that has room; without those that find none."""
    held: dict[str, list[PodSpec]] = {node.name: [] for node in nodes}
    found = {}
    for it in pods:
        if node := next((node for node in nodes if fits(it, node, held[node.name])), None):
            held[node.name].append(it)
            found[it.name] = node.name
    return found


@check("nodes.packing", kind="state", parts=4, answers=("pending", "why"), draw=draw, machines=ROLES)
def packing(machine: Machine, task: Task) -> Iterator[Fact]:
    """Run eight pods on three nodes, none of which is asked for more than it has; report the one that fits nowhere, and why."""
    placement = look(nodes_from(task.nodes, task.machines), pods_from(task.pods))
    huge = next(it for it in placement.pods.values() if not any(fits(it, node) for node in placement.nodes.values()))
    fitting = [name for name in placement.pods if name != huge.name]
    once = [name for name in fitting if len(placement.nodes_of(name)) == 1]

    yield Fact("pods that fit, and run", once == fitting, f"{len(once)} of {len(fitting)}", (_missing(placement, fitting, once), *RUN))
    yield no_node_overcommitted(placement, shown=len(once) > len(fitting) // 2)
    on_the_box = any(belongs(it["Names"][0][1:], huge.name) for it in machine.docker.api.containers())
    yield _pending(placement, huge, task, shown=bool(once), on_the_box=on_the_box)
    yield _why(placement, huge, task)


def _missing(placement: Placement, fitting: Sequence[str], once: Sequence[str]) -> str:
    if placement.down:
        return f'{", ".join(sorted(placement.down))}: there is no answer. Begin again: task("nodes.packing", again=True)'
    if twice := [name for name in fitting if len(placement.nodes_of(name)) > 1]:
        return f"{twice[0]} runs on more than one node."
    if not once:
        return "Nothing of it runs on the nodes. A container belongs to the pod that its name begins with."
    left = [name for name in fitting if name not in once]
    return f"There is a way to place all but one of the {len(placement.pods)}. Not yet running: {', '.join(left)}."


def _pending(placement: Placement, huge: PodSpec, task: Task, *, shown: bool, on_the_box: bool) -> Fact:
    told = text(task.answers.get("pending"))
    where = placement.nodes_of(huge.name) | ({"your box"} if on_the_box else set())
    right = told == huge.name and not where and shown
    if where:
        first, saw = f"{huge.name} runs on {', '.join(sorted(where))}, and is not to run: no node has room for it.", "it runs"
    elif told in placement.pods and told != huge.name:
        first, saw = f"There is a node that takes {told} when it is empty.", said(told)
    elif told == huge.name:
        first, saw = "That counts once the others run.", said(told)
    else:
        first, saw = "One of the pods fits on no node, and is not started. Report its name.", said(task.answers.get("pending"))
    return Fact("the pod that is pending", right, saw, (first, *PENDING))


def _why(placement: Placement, huge: PodSpec, task: Task) -> Fact:
    """The fact that the learner names, for each node, something that it lacks, and nothing that it has enough of."""
    told = text(task.answers.get("why"))
    named = named_by(told, list(placement.nodes))
    for name, node in placement.nodes.items():
        lacks = {what for what in (CPU, MEMORY) if what in why_not(huge, node, placement.pods_on(name))}
        if not named[name]:
            return Fact("why", ok=False, saw=_short(told), hints=(f"It says nothing of {name}.", *WHY))
        if wrong := named[name] - lacks:
            free = node.free(placement.pods_on(name))
            asked = huge.requests
            has = cpu_text(free.cpu, asked.cpu) if CPU in wrong else memory_text(free.memory, asked.memory)
            hint = f"{name} has {has} of {' and '.join(sorted(wrong))} left, and that is enough for it."
            return Fact("why", ok=False, saw=_short(told), hints=(hint, *WHY))
    return Fact("why", ok=any(placement.nodes_of(name) for name in placement.pods), saw=_short(told), hints=WHY)


def named_by(told: str, nodes: Sequence[str]) -> dict[str, set[str]]:
    """What a text says that each node lacks, by node: what stands behind its name, up to the next node's.

    Or before it, where it begins with what is lacking and ends with a node, such as ``memory on n1; cpu on n2``.
    """
    first, *rest = re.split(rf"\b({'|'.join(map(re.escape, nodes))})\b(?=\W|$)", told, flags=re.IGNORECASE)
    names, behind = rest[::2], [_lacking(words) for words in rest[1::2]]
    before = [_lacking(first), *behind]
    found: dict[str, set[str]] = {node: set() for node in nodes}
    for node, lacks in zip(names, before if before[0] and not before[-1] else behind, strict=False):
        found[node.lower()] |= lacks
    return found


def _lacking(words: str) -> set[str]:
    """What of processor and memory some words name, where they do not say that there is enough of it."""
    lacks = re.sub(ENOUGH, "", words, flags=re.IGNORECASE)
    return {what for what, pattern in CALLED.items() if re.search(pattern, lacks, re.IGNORECASE)}


def _short(told: str) -> str:
    return said(told[:57] + "…" if len(told) > 58 else told) if told else said(None)
