"""A program that scales: whoever is there already stays, and the copies that are left are some of those that were there.

Survival is proven by identity.  A copy whose container and process are the same before and after has lived all the time in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autograder.checks.deployments import program
from autograder.checks.deployments.copies import Copies, Identities, remove, settled
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import Ran, is_there
from lab.box.machine import Machine

SETTLE_S = 40.0
WRITE = (
    "Try it yourself: bash PROGRAM 3, then docker ps --filter label=…; the program has the label's value in $app.",
    'In a shell: there=$(docker ps -q --filter label=app=$app | wc -l), and then as many docker run -d as are missing. "$1" is the number.',
)
GROW = (
    "docker ps tells since when each of them is up. Who was there before is up for longer.",
    "Count first, and then make only what is missing.",
)
SHRINK = (
    "Who is left has the same container, and in it the same process, as before.",
    "docker ps -q --filter label=app=$app | tail -n +$(($1 + 1)) are those that are too many: remove these, and nobody else.",
)
TWICE = (
    "Call it twice with the same number, and compare docker ps before and after.",
    "By the label you know who is yours. What there is, and what is wanted: if there is no difference, nothing is done.",
)
STRANGER = """
docker run -d --name $name app:v1 && docker create --name $name-idle base
"""


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The value of the label, where the program is, and three numbers of copies: some, more, and fewer than at first."""
    few = dice.integer(3, 4)
    return {"app": key, "label": f"app={key}", "program": f"/root/{key}/scale", "numbers": [few, few + 2, few - 1]}


@dataclass(frozen=True)
class Scaled:
    """What there was after the program had been run with a number.

    Args:
        wanted: the number.
        ran: how the program went.
        found: the copies.
        before: who the copies were until then.
    """

    wanted: int
    ran: Ran
    found: Copies
    before: Identities = frozenset()

    @property
    def counted(self) -> bool:
        """Whether there were as many as wanted, and the program came to an end."""
        return len(self.found.each) == self.wanted and not self.ran.hung

    @property
    def survivors(self) -> int:
        """How many of those that were there before are there still."""
        return len(self.before & self.found.identities)

    @property
    def saw(self) -> str:
        """How many there are, and how many of them were there before."""
        old = f", {self.survivors} of them from before" if self.before else ""
        return f"{len(self.found.each)} copies{old}"


@check(
    "deployments.scale", kind="program", parts=4, draw=draw, prepare=lambda machine, _: program.bring_the_course(machine), timeout_s=1200
)
def scale(machine: Machine, task: Task) -> Iterator[Fact]:
    """Leave a program that scales to a number: up, nobody is replaced; down, who is left was there before; and again, nothing happens."""
    few, more, fewer = task.numbers
    if not is_there(machine, task.program):
        hint = f"Leave it in {task.program}. The check calls it with {few}, {more}, {fewer}, and looks what there is."
        yield Fact("your program", ok=False, saw="there is none", hints=(hint, *WRITE))
        return
    remove(machine, task.label)
    stranger = f"{task.key}-stranger"
    machine.sh(f"name={stranger}\n{STRANGER}", check=True)
    try:
        first = _scale(machine, task, few, frozenset())
        yield Fact(f"{few} copies", first.counted, first.saw, (_about_number(first), *WRITE))
        if not first.found.identities:
            return
        up = _scale(machine, task, more, first.found.identities)
        ok = up.counted and first.counted and up.survivors == few
        yield Fact(f"then {more}", ok, up.saw, (_about_growing(up), *GROW))
        down = _scale(machine, task, fewer, up.found.identities)
        ok = down.counted and up.counted and down.survivors == fewer
        yield Fact(f"then {fewer}", ok, down.saw, (_about_shrinking(down), *SHRINK))
        again = _scale(machine, task, fewer, down.found.identities)
        alive = machine.sh(f"docker ps -a --format '{{{{.State}}}}' --filter name=^{stranger}").stdout.split() == ["created", "running"]
        ok = down.counted and again.counted and again.survivors == fewer and alive
        saw = again.saw if alive else f"{again.saw}; somebody else is gone"
        yield Fact(f"{fewer} once more", ok, saw, (_about_again(again, alive=alive), *TWICE))
    finally:
        remove(machine, task.label)
        machine.sh(f"docker rm -fv {stranger} {stranger}-idle")


def _scale(machine: Machine, task: Task, wanted: int, before: Identities) -> Scaled:
    ran = program.run(machine, task.program, wanted, {"app": task.app})

    found = settled(machine, task.label, lambda there: len(there.each) == wanted, timeout_s=SETTLE_S)
    return Scaled(wanted, ran, found, before)


def _about_number(it: Scaled) -> str:
    if (words := program.in_words(it.ran)) and not it.counted:
        return words
    if it.found.outside:
        return f"{it.found.outside[0].name} is in the network of the box itself. A copy has one of its own."
    if not it.found.groups and it.found.ended:
        return f"{it.found.ended[-1]['Name'][1:]} has ended. docker logs tells why."
    if not it.found.groups:
        return "No running container has the label. The program finds the label's value in $app."
    if not it.found.each:
        return "Containers with the label run, and none of them is of app:v1."
    return f"It was called with {it.wanted}, and there are {len(it.found.each)}."


def _about_growing(it: Scaled) -> str:
    there = len(it.before)
    if len(it.found.each) == there + it.wanted:
        return f"It made {it.wanted} more. The number says how many there are to be in all."
    if not it.counted:
        return _about_number(it)
    if not it.survivors:
        return "All of them are new: those that were there were removed, and whoever was asking them heard no answer."
    return f"Only {it.survivors} of {there} are the same containers with the same process as before."


def _about_shrinking(it: Scaled) -> str:
    if len(it.found.each) > it.wanted and it.survivors == len(it.before):
        return f"Nobody was removed: there are {len(it.found.each)}, and {it.wanted} were wanted."
    if not it.counted:
        return _about_number(it)
    if not it.survivors:
        return f"Those that are left are new. {len(it.before)} were there: remove some of them, and leave the others alone."
    return "Among those that are left are some that were not there before."


def _about_again(it: Scaled, *, alive: bool) -> str:
    if not alive:
        return "A container without the label was removed as well, or started. Only those with the label are yours."
    if not it.counted:
        return _about_number(it)
    if it.survivors < len(it.before):
        return f"There were {it.wanted} already, and it replaced {len(it.before) - it.survivors} of them."
    return "First, all the numbers are to be right."
