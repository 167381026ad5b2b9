"""Which namespaces a container has for itself, and which it shares with the box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import container, goes_on, said, state, task_container_lost, words
from lab.box.errors import CourseError
from lab.box.machine import Machine
from lab.observe.namespace import NAMESPACES
from lab.observe.namespace import walls as walls_of

IDLE = "sh -c 'while :; do sleep 3600; done'"
ASKED = {"ipc", "mnt", "net", "pid", "user", "uts"}
DEFAULT = ASKED - {"user"}
"""What an ordinary container has for itself; cgroup is left out, because it differs between the versions of control groups."""
KINDS = set(NAMESPACES)
ALSO_CALLED = {"mount": "mnt", "network": "net"}
"""Names that the options of commands have for kinds of namespaces."""
FLAGS = {"ipc": "--ipc host", "net": "--network host", "pid": "--pid host", "uts": "--uts host"}
"""The options with which a container shares a namespace with the box, by its kind."""
JOINS = ("NetworkMode", "IpcMode", "PidMode")
"""The settings by which a container joins another one."""
COMPARE = (
    "Compare what /proc has of namespaces for process 1 of the box and for the container's.",
    "readlink /proc/1/ns/net is one of the twelve numbers to compare.",
)
LEAVE_OUT = ("docker run has an option for each of these kinds.", "docker run --help, and look for namespace.")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """A container that shares some namespaces with the box, and the one kind that another container is to share."""
    kinds = sorted(FLAGS)
    return {"container": f"{key}-open", "_shared": dice.some(kinds, 1, 2), "mine": f"{key}-mine", "leave_out": dice.one(kinds)}


def start(machine: Machine, task: Task) -> None:
    """Start a container that shares the namespaces that were drawn."""
    flags = " ".join(FLAGS[kind] for kind in task._shared)  # noqa: SLF001  (a parameter that the learner does not get)
    machine.sh(f"docker run -d --name {task.container} {flags} base {IDLE}", check=True)


@check("containers.walls", kind="answer", parts=3, answers=("private",), draw=draw, prepare=start)
def walls(machine: Machine, task: Task) -> Iterator[Fact]:
    """Report which namespaces a container has for itself, and start one that shares a certain kind with the box."""
    found = container(machine, task.container)
    there = _private(machine, task.container) if state(found) in ("running", "paused") else None
    if there is not None:
        yield from _named(task, there & ASKED)
    else:
        yield task_container_lost(task, found, task.container)
    yield _mine(machine, task)


def _private(machine: Machine, name: str) -> set[str] | None:
    """The kinds of namespaces that a container has for itself; None where it has just ended."""
    try:
        return walls_of(machine, name).private
    except CourseError:
        return None


def _named(task: Task, there: set[str]) -> Iterator[Fact]:
    """The facts about the namespaces that the learner has named; who names all of them, or none, has not answered."""
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
    private = _private(machine, task.mine) if found and goes_on(machine, found) else None
    if not found or private is None:
        hint = f"It is to share the namespace {task.leave_out} with the box, no other that a container has by itself, and to go on running."
        ended = ("A container ends when its program does; base has none that goes on. app:v1 has.",) if found else LEAVE_OUT
        saw = "it does not go on running" if state(found) == "running" else state(found)
        return Fact(what, ok=False, saw=saw, hints=(hint, *ended))
    shared = DEFAULT - private
    if strangers := sorted({str(found["HostConfig"][key]) for key in JOINS if str(found["HostConfig"][key]).startswith("container:")}):
        hint = f"A wall towards another container is gone, too: {strangers[0]}."
        return Fact(what, ok=False, saw="it shares one with another container", hints=(hint, *LEAVE_OUT))
    hint = f"Exactly one wall is to be left out, the one of {task.leave_out}, towards the box."
    if found["HostConfig"]["Privileged"]:
        hint += " --privileged leaves out none of them."
    return Fact(what, shared == {task.leave_out}, f"it shares {', '.join(sorted(shared)) or 'none of them'}", (hint, *LEAVE_OUT))
