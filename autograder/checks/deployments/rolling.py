"""A rolling update: copies of v2 take the place of those of v1, one after the other, and nobody who asks notices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.checks.deployments.background import Status, left_by_the_learner, missing
from autograder.checks.deployments.survey import IDLE_S, survey
from autograder.checks.deployments.timeline import Moment
from autograder.checks.deployments.update import (
    CLIENTS,
    FIRST_S,
    START,
    UPDATE_S,
    V1,
    V2,
    complete,
    make_images,
    number,
    readiness,
    replace_s,
    requests,
    versions,
    why_not_complete,
)
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from lab.box.machine import Machine

SOON_S, MOST_S = 3, 12
"""Seconds until a copy is ready, at least and at most.  In between it is twice what it takes to replace one: a slow machine would otherwise
do the waiting for a program that does not wait."""


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """Where the program is, the label and the images of its copies, and how many there are to be."""
    images = {version: f"{key}:{version}" for version in (V1, V2)}
    return {"program": f"/root/{key}/update", "label": f"app={key}", **images, "replicas": dice.integer(3, 4)}


def prepare(machine: Machine, task: Task) -> None:
    """Make the two images, whose copies take a while to be ready."""
    ready_s = min(MOST_S, round(SOON_S + 2 * replace_s(machine, task)))
    make_images(machine, task, (str(ready_s), str(ready_s)))


@check("deployments.rolling", kind="program", parts=5, draw=draw, prepare=prepare, timeout_s=295)
def rolling(machine: Machine, task: Task) -> Iterator[Fact]:
    """Write the program that updates copies from one image to another, so that nobody who asks notices."""
    if fact := missing(machine, task, "Write the program that brings all copies to one image."):
        yield fact
        return
    with left_by_the_learner(machine, task) as program:
        with survey(machine, task, versions(task)) as seen:
            program.start(image=task.v1, replicas=task.replicas)
            begun = seen.settled(complete(V1, task.replicas), FIRST_S, program, MOST_S + IDLE_S)
            yield _complete(V1, task, begun, seen.now, program.status)
        if not begun:
            return
        program.kill()
        with survey(machine, task, versions(task), CLIENTS) as seen:
            program.start(image=task.v2, replicas=task.replicas)
            done = seen.settled(complete(V2, task.replicas), UPDATE_S, program, MOST_S + IDLE_S)
            yield _complete(V2, task, done, seen.now, program.status)
            timeline = seen.since(0)
    tried = any(one.version == V2 for one in timeline.everyone)
    yield requests(timeline, tried=tried)
    yield readiness(timeline, task.replicas, tried=tried)
    yield number(timeline, task.replicas, tried=tried)


def _complete(version: str, task: Task, done: bool, now: Moment, status: Status) -> Fact:
    """The fact that all copies are there, of one version, and ready."""
    what = f"{task.replicas} of {version}, all ready"
    which, how = START
    return Fact(what, done, now.versions, (why_not_complete(now, version, task, status), which, how))
