"""A node dies, and what ran on it runs elsewhere before long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from autograder.checks.dice import Dice
from autograder.checks.fact import Fact
from autograder.checks.nodes.placed import Placed, asked, having, look, room, start, started
from autograder.checks.register import check
from autograder.checks.task import Task, Value
from lab.box.machine import Machine
from lab.objects.engine import in_parallel

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
"""What every cluster has somewhere: a note of when a node was heard of last, a program on it by programs on the others."""
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
    """Two pods on the node that is to die, and one on each of the others, which has room for one more."""
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
    placed = look(having(task.nodes, task.machines), asked(task.pods))
    at_first = {line.split()[0]: line.split()[3] for line in task.pods}
    orphans = [name for name, node in at_first.items() if node == task.node]
    dead = task.node in placed.down

    yield Fact(f"node {task.node}", dead, "it is gone" if dead else "it answers", (f"{task.node} is to die, with all that is on it.", *DIE))
    if others := sorted(placed.down - {task.node}):
        hint = f'Only {task.node} was to die. Begin again: task("{task.name}", again=True)'
        yield Fact("the other nodes", ok=False, saw=f"{', '.join(others)} does not answer", hints=(hint,))
        return
    once = [name for name in placed.pods if len(placed.where(name) - {task.node}) == 1]
    moved = dead and set(orphans) <= set(once)
    saw = f"{len(once)} of {len(placed.pods)}"
    yield Fact("pods that run on another node", dead and len(once) == len(placed.pods), saw, (_lost(placed, dead=dead), *ELSEWHERE))
    yield room(placed, shown=moved)
    yield _in_time(placed, task, orphans, moved=moved)


def _lost(placed: Placed, *, dead: bool) -> str:
    if not dead:
        return "It counts when the node is gone."
    if lost := [name for name in placed.pods if not placed.where(name)]:
        return f"Nobody runs {', '.join(lost)} any more."
    return "Each pod is to run once, on one of the nodes that are left."


def _in_time(placed: Placed, task: Task, orphans: Sequence[str], *, moved: bool) -> Fact:
    """From the moment when the others last heard of the node to the start of the last pod that ran on it."""
    what = "how long they were away"
    if not moved:
        saw = "they still are" if task.node in placed.down else "not yet"
        return Fact(what, ok=False, saw=saw, hints=("It counts when they run again.", *QUICK))
    away = []
    for name in orphans:
        (node,) = placed.where(name)
        heard = float(placed.nodes[node].machine.sh(f"cat {SEEN}").stdout or 0)
        away.append(started(placed, name, node) - heard)
    if min(away) < -1:
        hint = f"They ran elsewhere before {task.node} died. That is a drain: a failure does not wait for you."
        return Fact(what, ok=False, saw="they ran elsewhere before", hints=(hint, *QUICK))
    late = f"{task.seconds} s were allowed, counted from the moment when the other nodes last heard of {task.node}."
    return Fact(what, max(away) <= task.seconds, f"{max(away):.1f} s", (late, *QUICK))
