"""For tests of checks: do something on the current box, and get the verdict.

``graded`` is a pytest fixture.  It begins the task anew, performs acts one after the other, and runs the check; what was made is removed
when the test ends.  An act is a shell script, which has the task's parameters and the names of its machines as variables; or a function of
machine and task, which may return answers to give.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping

import pytest

from autograder.framework.fact import Verdict
from autograder.framework.register import find
from autograder.framework.run import begin, judge
from autograder.framework.task import Task, give
from lab.box import connect
from lab.box.machine import Machine

Act = str | Callable[[Machine, Task], Mapping[str, object] | None]
Graded = Callable[..., Verdict]
ACT_TIMEOUT_S = 150


@pytest.fixture
def graded() -> Iterator[Graded]:
    """Check a task after some acts: ``graded("containers.walls", "docker run …", lambda machine, task: {"private": ["net"]})``."""
    machine = connect()
    begun: list[Task] = []

    def grade(name: str, *acts: Act) -> Verdict:
        task = begin(machine, find(name), again=True)
        begun.append(task)
        for act in acts:
            perform(machine, task, act)
        return judge(machine, find(name))

    yield grade
    for task in begun:
        task.clear(machine)


def perform(machine: Machine, task: Task, act: Act) -> None:
    """Perform one act: run the script on the machine, or call the function and give the answers that it returns."""
    if isinstance(act, str):
        known = {**task.values, **{role.replace("-", "_"): name for role, name in task.roles.items()}}
        variables = "".join(f"export {name}={shlex.quote(str(value))}\n" for name, value in known.items())
        machine.sh(variables + act, timeout=ACT_TIMEOUT_S)
    elif answers := act(machine, task):
        give(machine, task.name, answers)


def oks(verdict: Verdict) -> list[bool]:
    """For each fact of a verdict, whether it is right."""
    return [fact.ok for fact in verdict.facts]


def hints(verdict: Verdict) -> str:
    """All hints of the facts that are wrong, in one line, for a test to look for a few words in it."""
    return " ".join(hint for fact in verdict.facts if not fact.ok for hint in fact.hints)
