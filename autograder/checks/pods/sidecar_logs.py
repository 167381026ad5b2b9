"""A sidecar ships what the app logs: the app knows nothing of it, and a directory is all that they have in common."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from secrets import token_hex

from autograder.checks.dice import Dice
from autograder.checks.fact import Fact
from autograder.checks.pods.facts import printed, together
from autograder.checks.pods.parts import Part, common, listeners, look, names
from autograder.checks.register import check
from autograder.checks.task import Task, Value
from autograder.checks.tools import comes_true, page
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
    yield together(machine, pod)
    if not pod.run:
        return
    shared = common(app, sidecar)
    hint = "A file of one container is not there in another, whatever else they share: mnt is a wall that stands. Give both a directory."
    yield Fact("a directory in common", bool(shared), f"{len(shared)} found" if shared else "none", (hint, *MOUNT))

    mark = f"asked-{token_hex(4)}"
    page(machine, app.pid, task.port, f"/?{mark}", patience_s=6)
    answers = app.walls["mnt"] in listeners(machine, app.pid).get(task.port, set())
    hint = f"The app is to listen on port {task.port} of the pod; PORT tells it so."
    yield Fact(f"the app on port {task.port}", answers, "answers" if answers else "does not listen", (hint, *SHIP))
    shipped = answers and comes_true(lambda: mark in printed(machine, sidecar), within_s=SHIPPED_S, every_s=0.2)
    saw = "printed by the sidecar" if shipped else f"not printed within {SHIPPED_S} s" if answers else "not tried"
    hint = "First the app is to answer."
    if answers and not shipped:
        hint = _where(machine, pod["app"], shared, mark)
    yield Fact("a request made now", shipped, saw, (hint, *SHIP))


def _where(machine: Machine, app: Part, shared: list[str], mark: str) -> str:
    """How far the request has come."""
    places = " ".join(map(shlex.quote, shared))
    if places and machine.sh(f"timeout 5 grep -rqsF {mark} {places}").code == 0:
        return "The request is in a file that both see, and was not printed. Which file does the sidecar read, and does it keep lines back?"
    if mark in printed(machine, app):
        return "The app has logged it, but not to a file in the directory that both see."
    return "The app has not logged the request at all. Is it an image that logs?"
