"""A loop keeps so many copies of a container, whatever happens to the copies, to the engine, or to the loop itself.

The check starts the learner's program, disturbs, and watches all the time.  So it sees who was there in between: a program that removes
all copies and makes new ones has the right number in the end, and has lost everybody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from autograder.checks.deployments.background import Program, left_by_the_learner, missing, prepare
from autograder.checks.deployments.survey import Survey, survey
from autograder.checks.deployments.timeline import Copy, Timeline
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from lab.box.machine import Machine

IMAGE, COPY = "app:v1", "copy"
FIRST_S, WITHIN_S, GUEST_S, CALM_S, BACK_S = 60, 30, 6, 3, 60
STRANGERS_RUN = 2
ENOUGH_S = 150
"""Seconds after which no further disturbance is tried, because most have failed."""
STRANGERS = r"""
docker run -d --restart always --name $key-stranger $image &&
docker run -d --restart always --name $key-other --label $label-other $image &&
docker create --name $key-idle $image
"""
INTACT = r"docker ps -a --format '{{.Names}} {{.State}}' | grep -xcE $key'-(stranger running|other running|idle created)'"
ENGINE_BACK = r"""
before=$(pidof dockerd); kill $before
for look in $(seq $looks); do now=$(pidof dockerd) && [ "$now" != "$before" ] && docker ps -q >/dev/null 2>&1 && break; sleep 0.1; done
"""
COUNT = ("docker ps -q --filter label=$label lists the copies that run.", "docker run -d --label $label --name $name-$RANDOM $image")
TRY = (
    "Try it yourself: start it in one cell, with setsid … &, do the same to a copy in the next, and look at docker ps -a.",
    "In each round: count what runs, make what is missing, remove what is too much. Nothing else.",
)
MINE = (
    "What has not your label is not yours, whatever its name and its image are.",
    "docker ps -q --filter label=$label, and of these as many as are too much: tail -n +$((replicas + 1))",
)
ENGINE = (
    "While the engine is away each docker command fails. That is no reason to give up.",
    "In a shell: no set -e, and copies=$(docker ps …) || continue. In Python: try, except, and look again.",
)
ANEW = (
    "Who begins anew looks what is there before it makes anything, and has nothing to remember.",
    "The wish is in $replicas. All the rest is in docker ps.",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """Where the program is, the label of its copies, and how many there are to be."""
    return {"program": f"/root/{key}/loop", "label": f"app={key}", "image": IMAGE, "replicas": dice.integer(3, 4)}


@check("deployments.reconcile", kind="program", parts=6, draw=draw, prepare=prepare, timeout_s=295)
def reconcile(machine: Machine, task: Task) -> Iterator[Fact]:
    """Write the loop that keeps so many copies, whatever happens to them, to the engine, or to the loop."""
    if fact := missing(machine, task, "Write the loop."):
        yield fact
        return
    with left_by_the_learner(machine, task) as program, survey(machine, task, {IMAGE: COPY}) as seen:
        machine.sh(f"key={task.key} label={task.label} image={IMAGE}\n{STRANGERS}", check=True)
        judge = Judge(machine, task, program, seen)
        yield judge.copies_come()
        if not judge.goes_on():
            return
        for disturb in (judge.copies_are_lost, judge.a_stranger_comes, judge.engine_restarts, judge.loop_restarts, judge.fewer_are_wanted):
            if not judge.is_prepared():
                return
            yield disturb()


@dataclass(frozen=True)
class Aftermath:
    """What followed from a disturbance.

    Args:
        before: the copies that were there.
        after: those that are there now.
        wanted: how many there are to be.
        settled: whether there were as many as wanted in time, and for a while.
        timeline: everything that was seen from then on.
    """

    before: frozenset[Copy]
    after: frozenset[Copy]
    wanted: int
    settled: bool
    timeline: Timeline

    @property
    def lost(self) -> frozenset[Copy]:
        """Those that are gone, or were started anew."""
        return self.before - self.after


class Judge:
    """Disturbs, and says what followed.

    Args:
        machine: that all of it is on.
        task: of the learner.
        program: the loop.
        seen: sees the copies.
    """

    def __init__(self, machine: Machine, task: Task, program: Program, seen: Survey) -> None:
        self._machine, self._task, self._program, self._seen = machine, task, program, seen
        self._wanted, self._began = int(task.replicas), time.monotonic()

    def is_prepared(self) -> bool:
        """Whether there are as many copies as wanted, if need be those of a loop that begins anew with nothing there."""
        if self.goes_on():
            return True
        if time.monotonic() - self._began > ENOUGH_S:
            return False
        self._program.kill()
        self._sh("docker ps -aq --filter label=$label | xargs -r docker rm -fv")
        self._start()
        return self._settled(self._wanted, FIRST_S)

    def goes_on(self) -> bool:
        """Whether the loop runs, and there are as many copies as wanted."""
        return self._program.status.code is None and len(self._seen.now.copies) == self._wanted

    def copies_come(self) -> Fact:
        """None is there, and the loop begins."""
        seen = self._after(self._start, self._wanted, FIRST_S)
        return self._fact(f"{self._wanted} copies come", seen, COUNT, most=self._wanted)

    def copies_are_lost(self) -> Fact:
        """One copy is removed, and of another one the process is killed."""
        removed, killed, *_ = sorted(self._seen.now.copies, key=lambda copy: copy.id)
        seen = self._after(lambda: self._sh(f"docker rm -f {removed.id}; kill -9 {killed.pid}"), self._wanted, WITHIN_S)
        return self._fact("two are lost", seen, TRY, most=self._wanted, may_go=frozenset({removed, killed}))

    def a_stranger_comes(self) -> Fact:
        """Somebody starts a container with the same label, and removes it later; others without it have been there all the time."""
        what, before = "strangers", self._seen.now
        guest = self._sh("docker run -d --name $key-guest --label $label $image").strip()[:12]
        self._settled(self._wanted, GUEST_S)
        counted = guest not in {copy.id for copy in self._seen.now.copies} or len(self._seen.now.copies) == self._wanted
        seen = self._after(lambda: self._sh("docker rm -f $key-guest"), self._wanted, WITHIN_S)
        seen = Aftermath(before.copies, seen.after, seen.wanted, seen.settled, self._seen.since(before.at))
        if self._sh(INTACT).strip() != "3":
            hint = f"A container is gone, or was stopped, that has not the label {self._task.label}."
            return Fact(what, ok=False, saw="a container of somebody else is gone", hints=(hint, *MINE))
        if len(seen.lost) > 1:
            hint = "One with your label was too much, and more than one of your own had to go."
            return Fact(what, ok=False, saw=f"{len(seen.lost)} of your copies had to go", hints=(hint, *MINE))
        fact = self._fact(what, seen, MINE, most=self._wanted + 1, may_go=seen.before)
        return Fact(what, ok=True, saw="live; one with your label " + ("counted" if counted else "was left alone")) if fact.ok else fact

    def engine_restarts(self) -> Fact:
        """The engine is restarted; all containers end with it."""
        seen = self._after(lambda: self._sh(f"looks={BACK_S * 10}\n{ENGINE_BACK}"), self._wanted, FIRST_S)
        return self._fact("the engine restarts", seen, ENGINE, may_go=seen.before)

    def loop_restarts(self) -> Fact:
        """The loop is killed, a copy goes while nobody looks, and the loop is started again."""
        what, before = "the loop is killed", self._seen.now
        lost = min(before.copies, key=lambda copy: copy.id)
        self._program.kill()
        self._sh(f"docker rm -f {lost.id}")
        self._settled(self._wanted, CALM_S)
        idle = self._seen.now.copies
        if extra := idle - before.copies:
            hint = f"It was dead, and {len(extra)} came all the same. Who else sees to them: another loop of yours?"
            return Fact(what, ok=False, saw="copies come without it", hints=(hint, *ANEW))
        if idle != before.copies - {lost}:
            hint = "It was dead, and copies went all the same. Who else sees to them: another loop of yours?"
            return Fact(what, ok=False, saw="copies went without it", hints=(hint, *ANEW))
        seen = self._after(self._start, self._wanted, WITHIN_S)
        return self._fact(what, seen, ANEW, most=self._wanted)

    def fewer_are_wanted(self) -> Fact:
        """The loop is killed, and started again with a smaller wish."""
        fewer = self._wanted - 1
        self._program.kill()
        self._settled(self._wanted, CALM_S)
        seen = self._after(lambda: self._start(fewer), fewer, WITHIN_S)
        what = f"it begins again, with {fewer}"
        if len(seen.lost) > 1 and seen.timeline.most <= self._wanted:
            hint = "One was too much, and more than one of those that were there had to go."
            return Fact(what, ok=False, saw=f"{len(seen.lost)} had to go", hints=(hint, *MINE))
        return self._fact(what, seen, MINE, most=self._wanted, may_go=seen.lost)

    def _start(self, replicas: int | None = None) -> None:
        self._program.start(replicas=replicas or self._wanted, image=IMAGE)

    def _sh(self, script: str) -> str:
        known = f"key={self._task.key} label={self._task.label} image={IMAGE}\n"
        return self._machine.sh(known + script, timeout=BACK_S + 30).stdout

    def _settled(self, number: int, seconds: float) -> bool:
        return self._seen.settled(lambda moment: len(moment.copies) == number, seconds, self._program)

    def _after(self, disturb: Callable[[], object], wanted: int, seconds: float) -> Aftermath:
        before = self._seen.now
        disturb()
        settled = self._settled(wanted, seconds)
        return Aftermath(before.copies, self._seen.now.copies, wanted, settled, self._seen.since(before.at))

    def _fact(self, what: str, seen: Aftermath, more: tuple[str, str], *, most: int = 0, may_go: frozenset[Copy] = frozenset()) -> Fact:
        """Whether all is well after a disturbance.

        Args:
            what: the disturbance.
            seen: what followed.
            more: the second and the third hint.
            most: how many copies there may be at any time; 0 where that does not matter.
            may_go: the copies that need not be there any more.
        """
        status, number, lost = self._program.status, len(seen.after), seen.lost - may_go
        if status.code is not None:
            hint = f"A loop goes on until somebody ends it; {status.words}"
            return Fact(what, ok=False, saw="the program has ended", hints=(hint, *more))
        if not seen.settled:
            return Fact(what, ok=False, saw=f"{number} run", hints=(self._why_not_settled(number, seen.wanted, status.said), *more))
        if most and seen.timeline.most > most:
            hint = f"In between there were {seen.timeline.most}. Was it counted again before those that had just been made were up?"
            return Fact(what, ok=False, saw=f"up to {seen.timeline.most} at a time", hints=(hint, *more))
        if lost:
            hint = f"{len(lost)} of those that were well had to go, or were started anew. Who is well stays as it is."
            return Fact(what, ok=False, saw=f"{len(lost)} others were lost", hints=(hint, *more))
        return Fact(what, ok=True, saw=f"{number} run")

    def _why_not_settled(self, number: int, wanted: int, said: str) -> str:
        """Why there are not as many copies as there are to be, as far as it can be told."""
        listed = self._sh("docker ps -aq --filter label=$label | wc -l")
        others = self._seen.now.there - self._seen.now.copies
        if number > wanted:
            return "There are too many, and nobody removes one."
        if "is already in use" in said or "Conflict" in said:
            return f"A container that has ended keeps its name until it is removed. The program said last: {said}"
        if number == wanted - STRANGERS_RUN:
            return f"There are too few. {STRANGERS_RUN} containers run that have not the label: are they counted?"
        if not number and others:
            return f"Containers with the label run, and none is of the image {IMAGE}."
        if int(listed or 0) >= wanted > number:
            return "A container that has ended is still listed, by docker ps -a; it does not run."
        return f"There are too few. The program runs, and said last: {said or 'nothing'}"
