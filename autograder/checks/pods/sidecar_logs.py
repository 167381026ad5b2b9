"""A sidecar prints what the app logs: the app does not know of it, and they have only a directory in common."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from secrets import token_hex

from autograder.checks.pods.diagnosis import log, run_in_one_network
from autograder.checks.pods.members import Member, look, names, ports_of, shared_directories
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import listeners, look_until, page
from lab.box.machine import Machine

ROLES = ("app", "sidecar")
SHIPPED_S = 6
MOUNT = (
    "docker inspect lists what a container has mounted, under Mounts.",
    "The same -v NAME:DIRECTORY for both; in a manifest, an emptyDir and a volumeMount each.",
)
SHIP = (
    "The app also writes its log to the file that ACCESS_LOG names; the sidecar prints what is added to that file.",
    "tail -F FILE waits for a file that is not there yet, and goes on with what is added.",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The names of two containers, and a port to listen on."""
    return {**names(key, *ROLES), "port": dice.ports(1)[0]}


@check("pods.sidecar-logs", kind="state", parts=4, draw=draw)
def sidecar_logs(machine: Machine, task: Task) -> Iterator[Fact]:
    """The sidecar prints what the app logs: a request that is made now is found there."""
    pod = look(machine, task, *ROLES)
    app, sidecar = pod["app"], pod["sidecar"]
    yield run_in_one_network(machine, pod)
    if not pod.all_run:
        return
    shared = shared_directories(app, sidecar)
    hint = "A file of one container is not there in another, whatever network they share: mnt is a wall that stands. Give both a directory."
    yield Fact("a directory in common", bool(shared), f"{len(shared)} found" if shared else "none", (hint, *MOUNT))

    mark = f"asked-{token_hex(4)}"
    page(machine, app.pid, task.port, f"/?{mark}", patience_s=6)
    answers = task.port in ports_of(app, listeners(machine, app.pid))
    hint = f"The app is to listen on port {task.port} of the pod; PORT tells it so."
    yield Fact(f"the app on port {task.port}", answers, "answers" if answers else "does not listen", (hint, *SHIP))
    shipped = answers and look_until("a line of the log", bool, lambda: mark in log(machine, sidecar), timeout_s=SHIPPED_S, every_s=0.2)
    saw = "printed by the sidecar" if shipped else f"not printed within {SHIPPED_S} s" if answers else "not tried"
    hint = "First the app is to answer."
    if answers and not shipped:
        hint = _where(machine, pod["app"], shared, mark)
    yield Fact("a request made now", shipped, saw, (hint, *SHIP))


def _where(machine: Machine, app: Member, shared: list[str], mark: str) -> str:
    """A hint that says how far the request has come."""
    places = " ".join(map(shlex.quote, shared))
    if places and machine.sh(f"timeout 5 grep -rqsF {mark} {places}").code == 0:
        return "The request is in a file that both see, and was not printed. Which file does the sidecar read, and does it keep lines back?"
    if mark in log(machine, app):
        return "The app has logged it, but not to a file in the directory that both see."
    return "The app has not logged the request at all. Is it an image that logs?"
