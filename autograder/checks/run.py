"""Run a check on a machine, whatever it does: it may raise, hang, or find the engine gone."""

from __future__ import annotations

import queue
import re
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from traceback import extract_tb

from autograder.checks.dice import Dice
from autograder.checks.fact import Verdict
from autograder.checks.register import Check
from autograder.checks.task import Task, load
from lab.box.core.inside import inside_a_box
from lab.box.errors import CourseError, UsageError, WaitTimeout
from lab.box.instances.peering import authorize
from lab.box.machine import Machine

HOLD_S = 2.0
"""A state must hold for so long to be confirmed."""
EVERY_S = 0.5
"""Seconds between two looks at whether it does."""


class CheckFailed(CourseError):
    """The check itself could not be carried out; nothing is said about the learner's work."""


class NotBegun(CourseError):
    """There is no such task on the machine yet: the cell that begins it has not run."""


def begin(machine: Machine, check: Check, *, again: bool = False, dice: Dice | None = None) -> Task:
    """The task of this run: the one that has begun, or a new one with parameters drawn now.

    Args:
        machine: to prepare.
        check: the task's.
        again: draw anew, and remove what was made for the one before.
        dice: where parameters come from.
    """
    if before := load(machine, check.name):
        if not again:
            return before
        before.clear(machine)
    dice = dice or Dice()
    short = check.name.rpartition(".")[2]
    key = f"{short}-{dice.nonce(4)}"
    task = Task(check.name, key, check.draw(dice, key), roles={role: f"{key}-{role}" for role in check.machines})
    if task.roles:
        _hire(machine, task, short, cold=check.cold)
    try:
        check.prepare(machine, task)
        return task.begin(machine)
    except BaseException:
        task.dismiss()
        raise


def _hire(machine: Machine, task: Task, short: str, *, cold: bool) -> None:
    """Make a task's machines, and let code inside the box reach them; those of a run that was forgotten, with a reset, say, go first.

    Raises:
        CourseError: this is inside a box, where no machine can be made; or they could not be had.
    """
    if inside_a_box():
        why = "Machines belong to the computer that the box runs on."
        raise CourseError(f"The task {task.name} needs machines, so it can't begin inside a box.", why, f'task("{task.name}"), outside')
    from lab.box import machines  # noqa: PLC0415  (whose import an emulated kernel inside a box would wait for)

    forgotten = re.compile(rf"{re.escape(short)}-[a-z0-9]{{4}}-({'|'.join(map(re.escape, task.roles))})")
    if orphans := [one.name for one in machines.all() if forgotten.fullmatch(one.name)]:
        machines.delete(*orphans)
    try:
        made = []
        with suppress(UsageError):  # a container does not boot
            made = [machines.create(name, cold=True) for name in task.roles.values() if cold]
        authorize(machine, made or machines.fleet(*task.roles.values()))
    except BaseException:
        task.dismiss()
        raise


def begun(machine: Machine, name: str, *, asking: bool = False) -> Task:
    """The task as the machine has it; see ``load``.

    Raises:
        NotBegun: it has not.
    """
    if task := load(machine, name, asking=asking):
        return task
    raise NotBegun(f"The task {name} has not begun on this machine.", "Its parameters are drawn first.", f'task("{name}"), in its notebook')


def judge(machine: Machine, check: Check, task: Task | None = None, *, so_far: Callable[[Verdict], None] | None = None) -> Verdict:
    """What a check comes to now.

    Args:
        machine: to look at.
        check: looks.
        task: as it was loaded; without it, it is loaded now.
        so_far: told of a verdict that is good but not confirmed yet; without it a single look is taken.

    Raises:
        CheckFailed: it raised, took too long, or the machine is not there.
        NotBegun: the task has not begun.
    """
    verdict = _within(check.timeout_s, check.name, lambda: _look(machine, check, task))
    if so_far and verdict.passed and check.kind == "state":
        so_far(replace(verdict, confirmed=False))
        looked = time.monotonic()
        until = looked + HOLD_S
        while looked < until:  # the last look begins when it has held for so long
            time.sleep(max(0.0, min(EVERY_S, until - time.monotonic())))
            looked = time.monotonic()
            verdict = _within(check.timeout_s, check.name, lambda: _look(machine, check, task))
            if not verdict.passed:
                break
    return verdict


def _look(machine: Machine, check: Check, task: Task | None) -> Verdict:
    task = task or begun(machine, check.name)
    facts = tuple(check.look(machine, task))
    if len(facts) > check.parts:
        saw = f"It saw {len(facts)} facts and said that there are {check.parts}."
        raise CheckFailed(f"The check {check.name} is at fault, not you.", saw, f"parts={len(facts)}, in its @check")
    return Verdict(task.name, facts, check.parts)


def _within(timeout_s: float, name: str, look: Callable[[], Verdict]) -> Verdict:
    """Run *look* in a thread of its own, so that one that hangs can be left behind."""
    result: queue.SimpleQueue[Verdict | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            result.put(look())
        except BaseException as error:  # noqa: BLE001  (all of them go to who asked)
            result.put(error)

    threading.Thread(target=run, name=f"check-{secrets.token_hex(2)}", daemon=True).start()
    try:
        found = result.get(timeout=timeout_s)
    except queue.Empty:
        raise CheckFailed(
            f"The check {name} did not end within {timeout_s:g} s.", "It was left.", "check again, or course status"
        ) from None
    if isinstance(found, Verdict):
        return found
    if isinstance(found, CourseError) and not isinstance(found, WaitTimeout):
        raise found
    if isinstance(found, OSError | WaitTimeout) or type(found).__module__.startswith(("docker.", "requests.")):
        raise CheckFailed(f"The check {name} could not look.", f"{type(found).__name__}: {found}", "course status, and check again")
    where = next((f" ({frame.filename}, line {frame.lineno})" for frame in reversed(extract_tb(found.__traceback__))), "")
    why = f"{type(found).__name__}: {found}{where}"
    raise CheckFailed(f"The check {name} is at fault, not you.", why, "tell who teaches this course") from found
