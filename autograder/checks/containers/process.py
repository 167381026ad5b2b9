"""What a container's process is, seen from the box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import addresses, container, number, said, state, task_container_lost, text
from lab.box.machine import Machine

FIND_PID = ("The engine knows it: look through what it can tell about the container.", "docker inspect has a State with a Pid.")
FIND_ADDRESS = (
    "The engine gave it the address, and the container knows it, too.",
    "docker inspect, NetworkSettings; or ip address inside.",
)
FIND_PARENT = ("The box's list of processes has a column for the parent.", "ps -o pid,ppid,args -p, and the process id.")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:  # noqa: ARG001
    """One container to look at."""
    return {"container": f"{key}-web"}


def start(machine: Machine, task: Task) -> None:
    """Start what the learner looks at."""
    machine.sh(f"docker run -d --name {task.container} app:v1", check=True)


@check("containers.process", kind="answer", parts=3, answers=("pid", "address", "parent"), draw=draw, prepare=start)
def process(machine: Machine, task: Task) -> Iterator[Fact]:
    """Report pid, address and parent of a container's process, as the box sees them."""
    found = container(machine, task.container)
    if not found or state(found) not in ("running", "paused"):
        yield task_container_lost(task, found, task.container)
        return
    pid = int(found["State"]["Pid"])
    programs = _programs(machine)
    if pid not in programs:  # it has just ended
        yield task_container_lost(task, found, task.container)
        return
    parent = programs[pid][0]

    told = number(task.answers.get("pid"))
    yield Fact("its process id", told == pid, said(task.answers.get("pid")), (_about_pid(told, parent, programs), *FIND_PID))

    address = text(task.answers.get("address")).partition("/")[0].strip()
    right = address in addresses(found)
    yield Fact("its address", right, said(task.answers.get("address")), (_about_address(address), *FIND_ADDRESS))

    told = number(task.answers.get("parent"))
    yield Fact("its parent", told == parent, said(task.answers.get("parent")), (_about_parent(told, pid, programs), *FIND_PARENT))


def _programs(machine: Machine) -> dict[int, tuple[int, str]]:
    """The parent and the name of every process on the box, by process id."""
    rows = [row.split(maxsplit=2) for row in machine.sh("ps -eo pid=,ppid=,comm=", check=True).stdout.splitlines()]
    return {int(pid): (int(parent), name) for pid, parent, name in rows}


def _about_pid(told: float | None, parent: int, programs: Mapping[int, tuple[int, str]]) -> str:
    if told == 1:
        return "1 is the number that the process has behind its own wall. The box counts every process there is, and gives it another."
    if told == parent:
        return "That process holds on to the container's, and is not in the container itself."
    if told is not None and told in programs:
        return f"That is the process id of {programs[int(told)][1]}."
    return "The box has one number for each process; one of them is the container's process 1."


def _about_address(told: str) -> str:
    if told.startswith("127."):
        return "By that address everything calls itself; from the box it leads to the box."
    if told.endswith(".0.1"):
        return "That is the way out of the container's network: the box's own end of it."
    return "The container has a network of its own, and an address in it."


def _about_parent(told: float | None, pid: int, programs: Mapping[int, tuple[int, str]]) -> str:
    if told == 0:
        return "0 is what the container sees: its parent is behind the wall. Ask the box."
    if told == pid:
        return "That is the process itself."
    if told == 1:
        return "Process 1 is one generation further up."
    if told is not None and told in programs and "dockerd" in programs[int(told)][1]:
        return "It is not the engine: that asks somebody else to start the process and hold on to it."
    return "Somebody on the box started the process and holds on to it."
