"""One version gives way to another while requests go on: what both ``rolling`` and ``rollback`` look at.

The check itself sends requests all the time, ten at once, each to a copy that says that it is ready: as an entry would that knows who is.
Where a copy does not take the connection, another one is asked.  So a copy that is stopped as it should be costs no request.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from autograder.checks.deployments import background
from autograder.checks.deployments.background import Status
from autograder.checks.deployments.timeline import BROKEN_OFF, NOBODY, Moment, Timeline
from autograder.framework.fact import Fact
from autograder.framework.task import Task
from lab.box.machine import Machine

V1, V2 = "v1", "v2"
CLIENTS = 10
FIRST_S, UPDATE_S = 100, 120
MAKE = r"""
make() {
  docker create --name $key-made app:$1 && docker commit --change "ENV READY=$2" $key-made $key:$1 && docker rm $key-made
}
"""
READY = (
    "curl -sf http://$address:8080/ready tells by its exit code; .NetworkSettings.Networks in docker inspect has the address.",
    "until curl -sf $address:8080/ready; do sleep 0.2; done, before the next one of the old goes.",
)
GENTLY = (
    "docker logs of a copy says which requests it has had; docker events, how it was ended.",
    "docker stop asks first, and gives it 10 s to finish what it has begun; docker kill and docker rm -f do not.",
)
ONE_BY_ONE = ("One new, and one old less; then the next.", "for old in $(docker ps -q …); do docker run -d …; …; docker stop $old; done")
START = (
    "docker ps -q --filter label=$label --filter ancestor=$image lists those of one image.",
    "docker run -d --label $label --name … $image",
)


def make_images(machine: Machine, task: Task, ready: tuple[str, str]) -> None:
    """Make the two images of a task out of the course's app, the program's folder, and bring the course's own code.

    Args:
        machine: gets them.
        task: has their names as ``v1`` and ``v2``.
        ready: for each of them, after how many seconds it is ready, or ``never``.
    """
    background.prepare(machine, task)
    machine.sh(f"key={task.key}\n{MAKE}make v1 {ready[0]} && make v2 {ready[1]}", check=True)


def replace_s(machine: Machine, task: Task) -> float:
    """The seconds that it takes on a machine to start a container and to stop another one."""
    began = time.monotonic()
    machine.sh(f"docker run -d --name {task.key}-made app:v1 && docker stop {task.key}-made", check=True)
    took = time.monotonic() - began
    machine.sh(f"docker rm {task.key}-made", check=True)
    return took


def versions(task: Task) -> dict[str, str]:
    """What to call the copies of the task's images, by the names of these."""
    return {task.v1: V1, task.v2: V2}


def complete(version: str, number: int) -> Callable[[Moment], bool]:
    """Says of a moment whether there are so many copies, all of that version, and all ready."""
    return lambda moment: len(moment.copies) == number and moment.of(version) == moment.copies and moment.copies <= moment.ready


def why_not_complete(now: Moment, version: str, task: Task, status: Status) -> str:
    """Why there are not as many ready copies of a version as there are to be, as far as it can be told."""
    right, others = now.of(version), now.copies - now.of(version)
    if not now.copies:
        who = "There is no copy" if not now.there else "Containers with the label run, of other images than the task's"
        return f"{who}. The program: {status.words}"
    if others and right:
        return f"{len(others)} of {next(iter(others)).version} are left. The program: {status.words}"
    if others:
        return f"No copy is of {version}; the image is in $image. The program: {status.words}"
    if right - now.ready:
        return f"{len(right - now.ready)} of them do not say that they are ready: port 8080, /ready."
    return f"There are to be {task.replicas}. The program: {status.words}"


def requests(seen: Timeline, *, tried: bool) -> Fact:
    """The fact that no request has failed."""
    what = "requests meanwhile"
    if not tried:
        return Fact(what, ok=False, saw="not tried: no copy of v2 came", hints=("First, the update is to begin.", *GENTLY))
    saw = f"{seen.failed} of {seen.sent} failed"
    hint = f"{seen.failed} failed, most of them because they took too long."
    if seen.requests.get(NOBODY, 0):
        hint = f"{seen.requests[NOBODY]} found nobody: there was a time when no copy was ready."
    elif seen.requests.get(BROKEN_OFF, 0):
        hint = f"{seen.requests[BROKEN_OFF]} were broken off: copies were ended while they answered. Ask them to stop, and let them finish."
    return Fact(what, bool(seen.sent) and not seen.failed, saw, (hint, *GENTLY))


def readiness(seen: Timeline, replicas: int, *, tried: bool) -> Fact:
    """The fact that at most one copy was missing at any time."""
    what, least = f"never fewer than {replicas - 1} ready", seen.least_ready
    if not tried:
        return Fact(what, ok=False, saw="not tried: no copy of v2 came", hints=("First, the update is to begin.", *READY))
    hint = "A new copy runs at once, and is ready later. Did an old one go before that, or several at a time?"
    if not least:
        hint = "There was a time when none was ready. A new copy runs at once, and is ready later."
    return Fact(what, least >= replicas - 1, f"{least} at the worst moment", (hint, *READY))


def number(seen: Timeline, replicas: int, *, tried: bool) -> Fact:
    """The fact that there was at most one copy too many at any time."""
    what, most = f"never more than {replicas + 1}", seen.most
    if not tried:
        return Fact(what, ok=False, saw="not tried: no copy of v2 came", hints=("First, the update is to begin.", *ONE_BY_ONE))
    hint = "More than one new copy was started before an old one had gone. Each takes memory that must be there."
    return Fact(what, most <= replicas + 1, f"{most} at most", (hint, *ONE_BY_ONE))
