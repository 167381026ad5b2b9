"""Which namespaces a container has for itself, and which it shares with the box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.checks.dice import Dice
from autograder.checks.fact import Fact
from autograder.checks.register import check
from autograder.checks.task import Task, Value
from autograder.checks.tools import container, gone, said, state, words
from lab.box.machine import Machine
from lab.observe.namespace import NAMESPACES
from lab.observe.namespace import walls as walls_of

IDLE = "sh -c 'while :; do sleep 3600; done'"
ASKED = {"ipc", "mnt", "net", "pid", "user", "uts"}
DEFAULT = ASKED - {"user"}
"""What an ordinary container has for itself; cgroup is left out, because it differs between the versions of control groups."""
KINDS = set(NAMESPACES)
ALSO_CALLED = {"mount": "mnt", "network": "net"}
"""As options of commands call them."""
FLAGS = {"ipc": "--ipc host", "net": "--network host", "pid": "--pid host", "uts": "--uts host"}
"""How a wall is left out, by its kind."""
COMPARE = (
    "Compare what /proc has of namespaces for process 1 of the box and for the container's.",
    "readlink /proc/1/ns/net is one of the twelve numbers to compare.",
)
LEAVE_OUT = ("docker run has an option for each kind of namespace.", "docker run --help, and look for namespace.")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """One container that lacks some walls, and a wall to leave out of another."""
    kinds = sorted(FLAGS)
    return {"container": f"{key}-open", "_gone": dice.some(kinds, 1, 2), "mine": f"{key}-mine", "leave_out": dice.one(kinds)}


def start(machine: Machine, task: Task) -> None:
    """Start a container without the walls that were drawn."""
    flags = " ".join(FLAGS[kind] for kind in task._gone)  # noqa: SLF001  (a parameter that the learner does not get)
    machine.sh(f"docker run -d --name {task.container} {flags} base {IDLE}", check=True)


@check("containers.walls", kind="answer", parts=3, answers=("private",), draw=draw, prepare=start)
def walls(machine: Machine, task: Task) -> Iterator[Fact]:
    """Report which namespaces a container has for itself, and start one that shares a certain kind with the box."""
    found = container(machine, task.container)
    if state(found) == "running":
        yield from _named(task, walls_of(machine, task.container).private & ASKED)
    else:
        yield gone(task, found, task.container)
    yield _mine(machine, task)


def _named(task: Task, there: set[str]) -> Iterator[Fact]:
    """All answers at once, or none, are no answer."""
    told = {ALSO_CALLED.get(word, word) for word in words(task.answers.get("private"))} & KINDS
    chose = bool(told) and not told >= ASKED
    missed, invented = there - told, told - there
    if told >= ASKED:
        first = "That is all of them. One at least is open: root in this container is root on the box."
    elif "user" in invented:
        first = "user is not a wall here: root in the container is root on the box."
    else:
        first = "Two processes are behind the same wall where they have the same namespace, and the kernel has a number for each."
    yield Fact("the walls that are there", chose and not missed, said(task.answers.get("private")), (first, *COMPARE))
    saw = f"{len(invented)} of those that you named" if chose else said(task.answers.get("private"))
    yield Fact("the walls that are not", chose and not invented, saw, (first, *COMPARE))


def _mine(machine: Machine, task: Task) -> Fact:
    what = f"your container {task.mine}"
    found = container(machine, task.mine)
    if not found or state(found) != "running":
        hint = f"It is to share the namespace {task.leave_out} with the box, nothing else, and to go on running."
        ended = ("A container ends when its program does; base has none that goes on. app:v1 has.",) if found else LEAVE_OUT
        return Fact(what, ok=False, saw=state(found), hints=(hint, *ended))
    shared = DEFAULT - walls_of(machine, task.mine).private
    hint = f"Exactly one wall is to be left out, the one of {task.leave_out}, towards the box."
    if found["HostConfig"]["Privileged"]:
        hint += " --privileged leaves out none of them."
    return Fact(what, shared == {task.leave_out}, f"it shares {', '.join(sorted(shared)) or 'none of them'}", (hint, *LEAVE_OUT))
