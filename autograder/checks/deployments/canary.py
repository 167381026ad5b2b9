"""A canary: one request in ten gets the new version, and nobody who asks the old one notices.

Two sets of copies have one label, and whoever asks the group is answered by any of them.  How many requests a version gets is a matter of
chance, so the check allows for that.  Of 1,000 requests 100 are expected at the new version, with a standard deviation of 9.5 (binomial:
the root of 1,000 · 0.1 · 0.9).  It accepts 62 to 138, which is four of these either way: a right answer is refused once in 16,000 times,
and one request in five, or in thirty, is accepted less than once in 100,000.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autograder.checks.deployments import copies, group, program
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import Ran, is_there
from lab.box.machine import Machine

OLD, NEW = "v1", "v2"
REQUESTS, LEAST, MOST = 1000, 62, 138
FEW = 100
"""Enough to see that one in ten is still there: all of them miss it once in 37,000 times."""
SETTLE_S = 40.0
WRITE = (
    "Try it yourself: bash PROGRAM start, then docker ps --filter label=…; the program has the label's value in $app.",
    'In a shell: case "$1" in start) … ;; canary) … ;; back) … ;; esac. Or two Deployments, with the label in both templates.',
)
SHARE = (
    "Ask each of the copies which version it is. Every copy gets the same share of the requests.",
    "Nine copies of the old, one of the new, and the label on all ten.",
)
LOST = (
    "The check has a long request under way at each copy, always. What ends while it answers has lost one.",
    "Don't touch the old ones at all, or end them with docker stop, one after the other: app:v1 answers first, then ends.",
)
BACK = (
    "What has the label is asked. Who is to be asked no longer has to go.",
    "docker rm -f $(docker ps -q --filter label=… --filter ancestor=app:v2)",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:  # noqa: ARG001
    """The value of the label, and where the program is."""
    return {"app": key, "label": f"app={key}", "program": f"/root/{key}/canary"}


@check(
    "deployments.canary", kind="program", parts=4, draw=draw, prepare=lambda machine, _: program.bring_the_course(machine), timeout_s=900
)
def canary(machine: Machine, task: Task) -> Iterator[Fact]:
    """Leave a program that gives one request in ten to the new version, and takes that back; the old one loses no request meanwhile."""
    if not is_there(machine, task.program):
        hint = f"Leave it in {task.program}. The check calls it with start, then canary, then back."
        yield Fact("your program", ok=False, saw="there is none", hints=(hint, *WRITE))
        return
    copies.remove(machine, task.label)
    try:
        yield from _judged(machine, task)
    finally:
        copies.remove(machine, task.label)


def _judged(machine: Machine, task: Task) -> Iterator[Fact]:
    """What is seen while the program is called with one word after the other."""
    start = _step(machine, task, "start", FEW)
    yield Fact("start", start.only_old, start.saw, (_about_start(task, start), *WRITE))
    if not start.answers.by:
        return
    with group.watched(machine, task.label) as stop:
        during = _step(machine, task, "canary", REQUESTS)
        back = _step(machine, task, "back", FEW)
        seen = stop()
    share = during.answers.by.get(NEW, 0)
    both = LEAST <= share <= MOST and during.answers.by.get(OLD, 0) > 0
    yield Fact("canary: one in ten", both and start.only_old, during.saw, (_about_share(during, share), *SHARE))
    lost = seen.lost.get(OLD, 0) + seen.lost.get("nobody", 0)
    tried = during.answers.by.get(NEW, 0) > 0
    saw = f"{lost} lost" if tried or lost else "nothing to see: no copy of the new version"
    yield Fact("requests of the old version", tried and start.only_old and not lost, saw, (_about_lost(seen), *LOST))
    yield Fact("back", tried and back.only_old, back.saw, (_about_back(during, back), *BACK))


@dataclass(frozen=True)
class Step:
    """What came of calling the program with a word.

    Args:
        name: the word.
        ran: how the program went.
        answers: of the group, afterwards.
        found: the copies.
    """

    name: str
    ran: Ran
    answers: group.Answers
    found: copies.Copies

    @property
    def only_old(self) -> bool:
        """Whether the old version answers all requests."""
        return set(self.answers.by) == {OLD} and not self.answers.lost

    @property
    def saw(self) -> str:
        """Who has answered how many."""
        each = [f"{number} by {version}" for version, number in sorted(self.answers.by.items())]
        return f"of {self.answers.sent} requests {', '.join(each)}" if each else "nobody answers"


def _step(machine: Machine, task: Task, name: str, requests: int) -> Step:
    ran = program.run(machine, task.program, name, {"app": task.app})
    wanted = {OLD, NEW} if name == "canary" else {OLD}

    def as_wanted(found: copies.Copies) -> bool:
        return {part.version for copy in found.each for part in copy.apps} == wanted

    found = copies.settled(machine, task.label, as_wanted, timeout_s=SETTLE_S)
    answers = group.send(machine, task.label, requests) if found.each else group.Answers({}, {}, {})
    return Step(name, ran, answers, found)


def _about_start(task: Task, it: Step) -> str:
    if (words := program.in_words(it.ran)) and not it.only_old:
        return words
    if it.found.outside:
        return f"{it.found.outside[0].name} is in the network of the box itself. A copy has one of its own."
    if not it.found.each:
        return f"After start no app with the label {task.label} runs. The program finds the label's value in $app."
    if it.answers.by.get(NEW):
        return f"At first the old version is alone: after start there are {len(it.found.of(NEW))} copies of {NEW}."
    return "Copies run, and not every request is answered: does each of them listen on port 8080, and have an address?"


def _about_share(it: Step, share: int) -> str:
    old, new = len(it.found.of(OLD)), len(it.found.of(NEW))
    if (words := program.in_words(it.ran)) and not share:
        return words
    if not new:
        return f"No copy of {NEW} has the label, so nobody asks one."
    if not old:
        return f"All copies are {NEW} now: that is a rollout, and no canary."
    if not LEAST <= share <= MOST:
        return f"{new} of {old + new} copies are {NEW}, and each gets the same share of the requests. One in ten is wanted."
    return f"At start the old version is to be alone: then it shows who brought {NEW} in."


def _about_lost(seen: group.Answers) -> str:
    if seen.lost.get("nobody"):
        return "For a while nobody accepted a request: all copies were away, or still starting."
    if lost := seen.lost.get(OLD):
        return f"Copies of {OLD} broke off {lost} requests: they were killed while they answered. docker rm -f does not wait for anybody."
    return "It counts when there is a canary, and the old version was alone before."


def _about_back(during: Step, back: Step) -> str:
    if (words := program.in_words(back.ran)) and not back.only_old:
        return words
    if not during.answers.by.get(NEW):
        return "There was no canary that could be taken back."
    if not back.answers.by:
        return "After back nobody answers any more. Only the new version was to go."
    if back.answers.by.get(NEW):
        return f"After back {NEW} still answers: {len(back.found.of(NEW))} of {len(back.found.each)} copies are of it."
    return "After back not every request is answered."
