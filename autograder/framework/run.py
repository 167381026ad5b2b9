"""Begin a task, and run its check.  A check may raise an error, hang, or find the engine gone: each becomes an error with a sentence."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from traceback import extract_tb
from typing import TypeVar, cast

from autograder.framework import task_machines
from autograder.framework.dice import Dice
from autograder.framework.fact import Verdict
from autograder.framework.register import Check
from autograder.framework.task import Task, load
from lab.box.errors import CourseError, WaitTimeout
from lab.box.machine import Machine

T = TypeVar("T")
HOLD_S = 2.0
"""Seconds that a state must last to be confirmed."""
EVERY_S = 0.5
"""Seconds between two looks in that time."""


class CheckFailed(CourseError):
    """The check itself could not be carried out, so it says nothing about the learner's work."""


class NotBegun(CourseError):
    """The task is not on the machine yet, because the cell that begins it has not run."""


def begin(machine: Machine, check: Check, *, again: bool = False, dice: Dice | None = None) -> Task:
    """The task as it has begun on the machine, or a new one: its parameters are drawn, its machines made, and the machine is prepared.

    Args:
        machine: where the task begins.
        check: of the task.
        again: begin anew in any case, and remove what was made for the run before.
        dice: where parameters come from.

    Raises:
        CourseError: its machines can't be made.
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
        task_machines.create(machine, check.name, task.roles, cold=check.cold)
    try:
        check.prepare(machine, task)
        return task.begin(machine)
    except BaseException:
        task_machines.delete(task.roles)
        raise


def begun(machine: Machine, name: str, *, asking: bool = False) -> Task:
    """The task as the machine keeps it; see ``load``.

    Raises:
        NotBegun: it has not begun.
    """
    if task := load(machine, name, asking=asking):
        return task
    raise NotBegun(f"The task {name} has not begun on this machine.", "Its parameters are drawn first.", f'task("{name}"), in its notebook')


def judge(machine: Machine, check: Check, task: Task | None = None, *, so_far: Callable[[Verdict], None] | None = None) -> Verdict:
    """Run a check, and give its verdict.

    A *state* that is as it should be is looked at for two seconds more, because it may not last.  The task is loaded from the machine once,
    however many looks follow.

    Args:
        machine: to look at.
        check: to run.
        task: as it was loaded; None to load it now.
        so_far: called with a verdict that is good and not confirmed yet; without it there is a single look, and no confirmation.

    Raises:
        CheckFailed: the check raised an error or took too long, or the machine does not answer.
        NotBegun: the task has not begun.
    """
    task = task or _within(check.timeout_s, check.name, lambda: begun(machine, check.name))
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


def _look(machine: Machine, check: Check, task: Task) -> Verdict:
    facts = tuple(check.look(machine, task))
    if len(facts) > check.parts:
        saw = f"It saw {len(facts)} facts and said that there are {check.parts}."
        raise CheckFailed(f"The check {check.name} is at fault, not you.", saw, f"parts={len(facts)}, in its @check")
    return Verdict(task.name, facts, check.parts)


def _within(timeout_s: float, name: str, action: Callable[[], T]) -> T:
    """What an action of a check returns.  It runs in a thread of its own, so that it can be left behind when it hangs."""
    result: queue.SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def run() -> None:
        try:
            result.put((action(), None))
        except BaseException as error:  # noqa: BLE001  (raised again where the result is wanted)
            result.put((None, error))

    threading.Thread(target=run, name=f"check-{secrets.token_hex(2)}", daemon=True).start()
    try:
        returned, error = result.get(timeout=timeout_s)
    except queue.Empty:
        raise CheckFailed(
            f"The check {name} did not end within {timeout_s:g} s.", "It was left.", "check again, or course status"
        ) from None
    if error is None:
        return cast("T", returned)
    if isinstance(error, CourseError) and not isinstance(error, WaitTimeout):
        raise error
    raise _failure(name, error) from error


def _failure(name: str, error: BaseException) -> CheckFailed:
    """What a check raised, in words that tell the learner whose fault it is."""
    if isinstance(error, OSError | WaitTimeout) or type(error).__module__.startswith(("docker.", "requests.")):
        return CheckFailed(f"The check {name} could not look.", f"{type(error).__name__}: {error}", "course status, and check again")
    where = next((f" ({frame.filename}, line {frame.lineno})" for frame in reversed(extract_tb(error.__traceback__))), "")
    return CheckFailed(f"The check {name} is at fault, not you.", f"{type(error).__name__}: {error}{where}", "tell who teaches this course")
