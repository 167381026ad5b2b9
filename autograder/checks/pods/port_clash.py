"""Several programs in one network: a port belongs to the first that listens on it, so each needs a port of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.checks.pods.diagnosis import restarting, why_again, why_not_running
from autograder.checks.pods.members import Members, look, names, ports_of
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import listeners, look_until, said, task_container_lost, words
from lab.box.machine import Machine

APPS = ("first", "second", "third", "fourth")
"""The roles of the apps, in the order in which they are started."""
CLASHES = ("0012", "0102", "0120", "0112", "0121", "0122", "0011", "0101", "0110", "0010", "0100")
"""The port that each app wants, as a digit: equal digits are one or two clashes."""
LISTEN_S = 6
SEE = ("A container that can't listen says so, and ends: docker ps -a.", "docker start the four in their order, and docker logs who ended.")
REPAIR = (
    "A container keeps the variables that it was made with: make another in its place.",
    "docker rm NAME; docker run -d --name NAME --network container:PAUSE -e PORT=… app:v1",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The names of pause and four apps, and the port that each of these wants."""
    ports = dice.ports(3)
    return {**names(key, "pause", *APPS), "ports": [ports[int(which)] for which in dice.one(CLASHES)]}


def make(machine: Machine, task: Task) -> None:
    """Start pause, and make the apps, without starting them."""
    lines = [f"docker run -d --name {task.pause} pause"]
    for app, port in zip(APPS, task.ports, strict=True):
        lines.append(f"docker create --name {task.values[app]} --network container:{task.pause} -e PORT={port} app:v1")
    machine.sh(" && ".join(lines), check=True)


@check("pods.port-clash", kind="state", parts=4, answers=("ended",), draw=draw, prepare=make)
def port_clash(machine: Machine, task: Task) -> Iterator[Fact]:
    """Say which apps of a pod end because they want a port that is taken, and have all of them serve side by side."""
    there = look(machine, task, "pause")["pause"]
    if not there.runs:
        yield task_container_lost(task, there.found, task.pause)
        return
    ended = {app for number, app in enumerate(APPS) if task.ports[number] in task.ports[:number]}
    yield _said(task, ended)

    pod = look(machine, task, *APPS)
    inside = [member for member in pod.each if member.runs and member.walls["net"] == there.walls["net"]]
    down = [member.described for member in pod.each if not member.runs]
    again = restarting(machine, pod)
    saw = f"{len(APPS) - len(down)} of {len(APPS)} run; {down[0]}" if down else f"running, {len(inside)} of {len(APPS)} in the pod"
    saw = f"{again.role} does not go on running" if again else saw
    hint = why_again(machine, again) if again else _about(machine, pod, len(inside))
    yield Fact("the four in the pod", len(inside) == len(APPS) and not again, saw, (hint, *REPAIR))
    if len(inside) < len(APPS) or again:
        return
    served = _served(machine, pod)
    idle = [app for app in APPS if not served[app]]
    hint = f"Nothing listens for {', '.join(idle)}: its container runs something else than the app."
    yield Fact("each serves on a port of its own", not idle, f"{len(APPS) - len(idle)} of {len(APPS)} do", (hint, *REPAIR))

    moved = [app for number, app in enumerate(APPS) if app not in ended and task.ports[number] not in served[app]]
    hint = f"Had a port first, and lost it: {', '.join(moved)}. Only those that came too late are to move."
    saw = "they have kept them" if not moved else f"moved: {', '.join(moved)}"
    yield Fact("the ports of those that were first", not moved, saw, (hint, *REPAIR))


def _said(task: Task, ended: set[str]) -> Fact:
    answer = task.answers.get("ended")
    roles = {task.values[app]: app for app in APPS} | {app: app for app in APPS}
    told = {roles.get(word, word) for word in words(answer)}
    hint = "Name the containers that end, by their names."
    if told - set(APPS):
        hint = f"{min(told - set(APPS))} is none of the four."
    elif "first" in told:
        hint = "When the first starts, every port of the pod is free."
    elif told and told < ended:
        hint = "One of those that end is missing. Each of the four wants one port; go through them in their order."
    elif told:
        hint = "One that you named has a port to itself by the time it starts. Whoever starts later and wants the same port comes too late."
    return Fact("who ends", told == ended, said(answer), (hint, *SEE))


def _about(machine: Machine, pod: Members, inside: int) -> str:
    down = next((member for member in pod.each if not member.runs), None)
    if down:
        return why_not_running(machine, down)
    return f"{len(APPS) - inside} of the four runs in another network now: no clash there, and no pod. It is to come back to the others."


def _served(machine: Machine, pod: Members) -> dict[str, set[int]]:
    """The ports that each app listens on, by role; asked until each listens, or the time is up."""

    def served() -> dict[str, set[int]]:
        found = listeners(machine, pod.each[0].pid)
        return {member.role: ports_of(member, found) for member in pod.each}

    return look_until("the apps to listen", lambda seen: all(seen.values()), served, timeout_s=LISTEN_S, every_s=0.3)
