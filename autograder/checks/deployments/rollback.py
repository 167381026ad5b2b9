"""An update that can't succeed: v2 never gets ready.  It stops, v1 serves all the time, and a word brings everything back to v1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from autograder.checks.deployments.background import Status, left_by_the_learner, missing
from autograder.checks.deployments.survey import survey
from autograder.checks.deployments.timeline import Moment, Timeline
from autograder.checks.deployments.update import (
    CLIENTS,
    FIRST_S,
    START,
    V1,
    V2,
    complete,
    make_images,
    number,
    readiness,
    requests,
    versions,
    why_not_complete,
)
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from lab.box.machine import Machine

LEAST_PATIENCE_S, MOST_PATIENCE_S = 8, 12
GIVE_UP_S, UNDO_S, HISTORY_S, ENDS_S = 20, 60, 15, 20
MOST_NEW = 2
"""One may be missing, and one too many: so many of v2 have a place."""
PATIENCE = (
    "A clock runs while you wait for /ready, and at its end the program ends, too.",
    "for look in $(seq $((patience * 5))); do curl … && break; sleep 0.2; done; and exit 1 where it never was.",
)
BACK = (
    "What there is of v1 is well, and stays. Only what is missing is started, and v2 goes.",
    "undo is a deploy of the image before the last, in which there is little to do.",
)
KEPT = (
    "A file beside the program, with a line for each deploy and each undo.",
    'echo "$image" >> revisions; and for history: cat -n revisions',
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """Where the program is, the label and the images of its copies, how many there are to be, and how long v2 is waited for."""
    images = {version: f"{key}:{version}" for version in (V1, V2)}
    numbers = {"replicas": dice.integer(3, 4), "patience": dice.integer(LEAST_PATIENCE_S, MOST_PATIENCE_S)}
    return {"program": f"/root/{key}/rollout", "label": f"app={key}", **images, **numbers}


def prepare(machine: Machine, task: Task) -> None:
    """Make the two images; v2 never gets ready."""
    make_images(machine, task, ("1", "never"))


@check("deployments.rollback", kind="program", parts=6, draw=draw, prepare=prepare, timeout_s=295)
def rollback(machine: Machine, task: Task) -> Iterator[Fact]:
    """Write the program that deploys, gives up what never gets ready, and goes back, with v1 serving all the time."""
    if fact := missing(machine, task, "Write the program that does deploy IMAGE, undo, and history."):
        yield fact
        return
    wish = {"replicas": task.replicas, "patience": task.patience}
    with left_by_the_learner(machine, task) as program:
        with survey(machine, task, versions(task)) as seen:
            program.start("deploy", task.v1, **wish)
            begun = seen.settled(complete(V1, task.replicas), FIRST_S, program)
            yield _deployed(task, begun, seen.now, program.wait(ENDS_S))
        if not begun:
            return
        with survey(machine, task, versions(task), CLIENTS) as seen:
            program.kill()
            program.start("deploy", task.v2, **wish)
            # One that waits in vain for each copy, and goes on, is to be seen doing so.
            gave_up = program.wait(task.patience * task.replicas + GIVE_UP_S)
            at_worst = seen.since(0)
            yield _gave_up(task, at_worst, gave_up)
            program.kill()
            before = seen.now
            program.start("undo", **wish)
            back = seen.settled(complete(V1, task.replicas), UNDO_S, program)
            undone, now, timeline = program.wait(ENDS_S), seen.now, seen.since(0)
        tried = any(one.version == V2 for one in timeline.everyone)
        yield requests(timeline, tried=tried)
        yield _stopped_early(task, timeline, tried=tried)
        yield _went_back(task, before, now, undone, back=back and tried)
        program.kill()
        program.start("history", **wish)
        program.wait(HISTORY_S)
        yield _history(task, program.output, tried=tried)


def _deployed(task: Task, done: bool, now: Moment, status: Status) -> Fact:
    what = f"deploy v1: {task.replicas} ready"
    if done and status.code is None:
        hint = "All are ready, and deploy goes on. Who called it wants to know that it is done."
        return Fact(what, ok=False, saw="it does not end", hints=(hint, *START))
    if done and status.code:
        hint = f"All are ready, and deploy says by its exit code that it has failed: {status.words}"
        return Fact(what, ok=False, saw=f"exit code {status.code}", hints=(hint, *START))
    return Fact(what, done, now.versions, (why_not_complete(now, V1, task, status), *START))


def _gave_up(task: Task, seen: Timeline, status: Status) -> Fact:
    what = "deploy v2 gives up"
    if not any(one.version == V2 for one in seen.everyone):
        hint = f"No copy of v2 was there. Whether it gets ready is known only when it was tried. The program: {status.words}"
        return Fact(what, ok=False, saw="v2 was not tried", hints=(hint, *PATIENCE))
    if status.code is None:
        hint = f"$patience was {task.patience} s, and long after that it still waits."
        return Fact(what, ok=False, saw="it waits for ever", hints=(hint, *PATIENCE))
    hint = "It ended with 0, as if all were well, and no copy of v2 was ever ready."
    return Fact(what, bool(status.code), f"exit code {status.code}", (hint, *PATIENCE))


def _stopped_early(task: Task, seen: Timeline, *, tried: bool) -> Fact:
    """The fact that at most one of v1 was missing at any time, and at most one copy too many."""
    ready, most = readiness(seen, task.replicas, tried=tried), number(seen, task.replicas, tried=tried)
    wrong = next((fact for fact in (ready, most) if not fact.ok), ready)
    saw, hints = f"{ready.saw}; {most.saw}" if tried else wrong.saw, wrong.hints
    if max(len(moment.of(V2)) for moment in seen.moments) > MOST_NEW:
        hints = ("It went on with the next one, although none of those before had ever got ready.", *hints[1:])
    return Fact(f"{task.replicas - 1} ready, {task.replicas + 1} in all", ready.ok and most.ok, saw, hints)


def _went_back(task: Task, before: Moment, now: Moment, status: Status, *, back: bool) -> Fact:
    what = f"undo: {task.replicas} of v1, ready"
    well = before.of(V1) & before.ready
    if back and (lost := well - now.copies):
        hint = f"{len(lost)} copies of v1 that were well had to go, or were started anew. Who is well stays."
        return Fact(what, ok=False, saw=f"{now.versions}, {len(lost)} of them new", hints=(hint, *BACK))
    if back and status.code != 0:
        hint = f"All are as they were, and undo does not say so: {status.words}"
        return Fact(what, ok=False, saw="it does not end with 0", hints=(hint, *BACK))
    return Fact(what, back, now.versions, (why_not_complete(now, V1, task, status), *BACK))


def _history(task: Task, printed: Sequence[str], *, tried: bool) -> Fact:
    """The fact that the revisions are named, the present one last."""
    what = "history"
    revisions = [version for line in printed for version in (V1, V2) if str(task.values[version]) in line]
    saw = ", ".join(revisions) or "no image is named"
    if not tried:
        return Fact(what, ok=False, saw=saw, hints=("It counts when v2 was tried.", *KEPT))
    hint = "It prints a line for each revision, the present one last, with the name of its image in it."
    if revisions and V2 not in revisions:
        hint = "v2 was tried, and is not in it. What has failed is history, too: somebody will ask."
    elif revisions and revisions[-1] != V1:
        hint = "All copies are of v1 again, and the last revision is not: going back is a revision of its own."
    return Fact(what, V2 in revisions and revisions[-1:] == [V1], saw, (hint, *KEPT))
