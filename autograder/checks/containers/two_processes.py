"""Two services in one container: what the engine notices when one of them dies, and how both come back."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import container, kill, listeners, look_until, page, said, state, task_container_lost, text
from lab.box.machine import Machine
from lab.observe.namespace import namespaces

SERVICE = "python3 -I -S /srv/app/server.py"
BACK_S = 25
SAID_OTHERWISE = {"up": "running"}
"""The engine's state for what ``docker ps`` shows in another word."""
LOOK = ("Ask the engine how the container is.", "docker inspect, State, Status")
BOTH = ("PORT tells the app where to listen.", "docker logs tells what went wrong.")
BACK = (
    "Either all die with one and the engine starts them again, or somebody in the container plays init.",
    "The engine restarts a container whose process 1 ends, if told to. Process 1 drops a signal that it has no handler for: trap.",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """One container to watch fail, one to repair, and two ports."""
    first, second = dice.ports(2)
    return {"broken": f"{key}-broken", "container": f"{key}-repaired", "first": first, "second": second}


def start(machine: Machine, task: Task) -> None:
    """Start two services in one container, without a program that restarts them."""
    services = " ".join(f"PORT={port} {SERVICE} &" for port in (task.first, task.second))
    machine.sh(f"docker run -d --name {task.broken} app:v1 sh -c {shlex.quote(f'{services} wait')}", check=True)


@check("containers.two-processes", kind="program", parts=4, answers=("status",), draw=draw, prepare=start)
def two_processes(machine: Machine, task: Task) -> Iterator[Fact]:
    """Say what the engine says when one of two services in a container dies, and start a container that has both back."""
    yield _said_then(machine, task)

    found, ports = container(machine, task.container), (task.first, task.second)
    if not found or state(found) != "running":
        hint = f"Start both services in one container {task.container}, and see to it that a death has consequences."
        yield Fact(f"your container {task.container}", ok=False, saw=state(found), hints=(hint, *BACK))
        return
    serving = [port for port in ports if page(machine, int(found["State"]["Pid"]), port)]
    both_serve = len(serving) == len(ports) and _own_programs(machine, found, ports) == len(ports)
    hint = f"Both are to run in this one container: on port {task.first}, and on port {task.second}."
    yield Fact("both serve", both_serve, f"{len(serving)} answered", (hint, *BOTH))
    back = both_serve
    for times, port in enumerate(ports, 1):  # the first one twice: whoever comes back must come back as often as need be
        tried, back = back, back and all(_comes_back(machine, task, one) for one in (port, *ports[:1] * (times - 1)))
        hint = f"The service on port {port} was killed, and then the two did not both serve again. Each may be killed more than once."
        saw = "both serve again" if back else "not both serve again" if tried else "not tried: the two did not both serve"
        yield Fact(f"port {port} is killed", back, saw, (hint if tried else "First, both are to serve.", *BACK))


def _said_then(machine: Machine, task: Task) -> Fact:
    """The fact that one of the two services is dead, and that the learner reports the container's state as the engine gives it."""
    broken = container(machine, task.broken)
    if not broken:
        return task_container_lost(task, broken, task.broken)
    answer, alive = task.answers.get("status"), _services(machine, broken)
    told = text(answer).lower()
    right = alive == 1 and SAID_OTHERWISE.get(told, told) == state(broken)
    if alive > 1:
        hint = f"First let one die: the page /crash ends the service of {task.broken} that answers it."
    elif not alive:
        hint = f'Both are dead; only one was to die. Begin again: task("{task.name}", again=True)'
    else:
        hint = "That is not what it says." if told else "One is dead. Ask the engine how the container is, and report its word."
    return Fact("what the engine says then", right, said(answer), (hint, *LOOK))


def _services(machine: Machine, found: Mapping[str, Any]) -> int:
    """How many services of the app run in a container."""
    pid = found["State"]["Pid"]
    return int(machine.sh(f"pgrep -c -r RSD --ns {pid} --nslist pid python3").stdout or 0) if pid else 0


def _own_programs(machine: Machine, found: Mapping[str, Any], ports: Iterable[int]) -> int:
    """How many programs in the container itself listen on these ports; whatever starts them, and whatever they are called."""
    pid = int(found["State"]["Pid"])
    own = namespaces(machine, pid).get(pid, {}).get("mnt")
    return len({it.pid for it in listeners(machine, pid) if it.port in ports and it.mnt == own})


def _comes_back(machine: Machine, task: Task, port: int) -> bool:
    """Kill who listens on a port of the container, and wait for both services; whether both serve again."""
    found = container(machine, task.container)
    pid = int(found["State"]["Pid"]) if found else 0
    victims = [it.pid for it in listeners(machine, pid) if it.port == port] if pid else []
    if not victims:
        return False
    kill(machine, victims[0])

    def both_serve() -> bool:
        again = container(machine, task.container)
        new = int(again["State"]["Pid"]) if again else 0
        return bool(new) and all(page(machine, new, each, patience_s=2) for each in (task.first, task.second))

    return look_until("both services", bool, both_serve, timeout_s=BACK_S, every_s=0.3)
