"""A node dies, and its pods run on other nodes within a minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from autograder.checks.nodes.placement import Placement, first_nodes, look, no_node_overcommitted, nodes_from, pods_from, start, started
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from lab.box.machine import Machine
from lab.box.parallel import in_parallel

ROLES = ("n1", "n2", "n3")
CPU, MEMORY = "2", "256Mi"
WITHIN_S = 60
SEEN, PORT = "/run/last-seen", 7999
SPEAK = f"setsid socat TCP-LISTEN:{PORT},reuseaddr,fork PIPE >/dev/null 2>&1 </dev/null &"
LISTEN = f"""
cat > {SEEN}.py <<'END'
import os, socket, sys, time
while True:
    try:
        socket.create_connection((sys.argv[1], {PORT}), 1).close()
        with open("{SEEN}.new", "w") as note:
            note.write(str(time.time()))
        os.rename("{SEEN}.new", "{SEEN}")
    except OSError:
        pass
    time.sleep(0.5)
END
setsid python3 -IS {SEEN}.py "$name" >/dev/null 2>&1 </dev/null &
timeout {WITHIN_S} sh -c "until [ -e {SEEN} ]; do sleep 0.1; done"
"""
"""A heartbeat, as every cluster has one: programs on the other nodes note when a program on the node last answered."""
DIE = ("A machine that is asked to shut down ends its pods first. Pull the plug.", "machines[…].stop()")
ELSEWHERE = (
    "A machine that is gone can't tell what ran on it. Who knew it before?",
    "A Cluster that was made while the node was there knows its pods; it has a method that asks who is there still.",
)
QUICK = (
    "Have everything ready before you pull the plug, and do both in one cell.",
    'To try again, begin again: task("nodes.failure", again=True)',
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """Two pods on the node that is to die, and one on each other node, which has room for one more."""
    node, *others = dice.some(ROLES, 3, 3)
    at_first = [node, node, *others]
    pods = [f"{key}-{number} 100m {16 * dice.integer(6, 8)}Mi {there}" for number, there in enumerate(at_first, 1)]
    nodes = [f"{role} {CPU} {MEMORY}" for role in ROLES]
    return {"node": node, "nodes": nodes, "pods": dice.some(pods, 4, 4), "seconds": WITHIN_S}


def prepare(machine: Machine, task: Task) -> None:  # noqa: ARG001
    """Start all pods, and have the other nodes listen for the one that is to die."""
    start(task, task.pods)
    others = dict(task.machines)
    others.pop(task.node).sh(SPEAK, check=True)
    listen = f"name={task.roles[task.node]}\n{LISTEN}"
    in_parallel(lambda other: other.sh(listen, check=True), others.values())


@check("nodes.failure", kind="state", parts=4, draw=draw, prepare=prepare, machines=ROLES)
def failure(machine: Machine, task: Task) -> Iterator[Fact]:  # noqa: ARG001  (the pods are on other machines)
    """Pull the plug of a node; within a minute its pods run on the others, and no node is asked for more than it has."""
    placement = look(nodes_from(task.nodes, task.machines), pods_from(task.pods))
    at_first = first_nodes(task.pods)
    orphans = [name for name, node in at_first.items() if node == task.node]
    dead = task.node in placement.down

    yield Fact(f"node {task.node}", dead, "it is gone" if dead else "it answers", (f"{task.node} is to die, with all that is on it.", *DIE))
    if others := sorted(placement.down - {task.node}):
        hint = f'Only {task.node} was to die. Begin again: task("{task.name}", again=True)'
        yield Fact("the other nodes", ok=False, saw=f"{', '.join(others)} does not answer", hints=(hint,))
        return
    once = [name for name in placement.pods if len(placement.nodes_of(name) - {task.node}) == 1]
    moved = dead and set(orphans) <= set(once)
    saw = f"{len(once)} of {len(placement.pods)}"
    yield Fact("pods that run on another node", dead and len(once) == len(placement.pods), saw, (_lost(placement, dead=dead), *ELSEWHERE))
    yield no_node_overcommitted(placement, shown=moved)
    yield _in_time(placement, task, orphans, moved=moved)


def _lost(placement: Placement, *, dead: bool) -> str:
    if not dead:
        return "It counts when the node is gone."
    if lost := [name for name in placement.pods if not placement.nodes_of(name)]:
        return f"Nobody runs {', '.join(lost)} any more."
    return "Each pod is to run once, on one of the nodes that are left."


def _in_time(placement: Placement, task: Task, orphans: Sequence[str], *, moved: bool) -> Fact:
    """The fact that the pods were away for a short time: from when the others last heard of the node to the start of the last pod."""
    what = "how long they were away"
    if not moved:
        saw = "they still are" if task.node in placement.down else "not yet"
        return Fact(what, ok=False, saw=saw, hints=("It counts when they run again.", *QUICK))
    away = []
    for name in orphans:
        (node,) = placement.nodes_of(name)
        heard = float(placement.nodes[node].machine.sh(f"cat {SEEN}").stdout or 0)
        away.append(started(placement, name, node) - heard)
    if min(away) < -1:
        hint = f"They ran elsewhere before {task.node} died. That is a drain: a failure does not wait for you."
        return Fact(what, ok=False, saw="they ran elsewhere before", hints=(hint, *QUICK))
    late = f"{task.seconds} s were allowed, counted from the moment when the other nodes last heard of {task.node}."
    return Fact(what, max(away) <= task.seconds, f"{max(away):.1f} s", (late, *QUICK))
