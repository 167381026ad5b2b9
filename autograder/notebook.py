"""What a notebook says: ``task(…)`` begins one, ``answer(…)`` reports, ``check(…)`` tells how far it is.

``check`` stands alone on the last line of a test cell and returns the points.  nbgrader takes that number, and it takes a good deal else
for *full* marks: no number at all (a semicolon is enough), ``nan``, any object.  So what is not a verdict is an error, which nbgrader
counts as nothing, and nothing is ever written to standard error, which would cost a right answer its points.

Run by nbgrader, to grade or to validate, the notebook gets a pristine box of its own, which goes when its kernel does.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from autograder.checks.register import checks, find
from autograder.checks.run import begin, begun, judge
from autograder.checks.task import DIRECTORY, Task, give
from autograder.points import SOURCES, grade_id, points
from lab.box import connect as current_machine
from lab.box.errors import CourseError, UsageError
from lab.box.machine import Machine
from lab.learner_record import reached

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

NBGRADER = "NBGRADER_EXECUTION"
"""nbgrader sets it to ``validate`` or ``autograde``."""
HINTS = 3
LITERAL = 4
"""A parameter of fewer characters may stand in a cell for something else, and so may a word, such as Always."""


class NotYet(CourseError):
    """Validate shows a learner errors and nothing else: this one holds the facts of a verdict that is not full."""


def connect() -> Machine:
    """The machine to work on: your box; a pristine one of its own where nbgrader runs the notebook; inside a box, that box.

    Raises:
        CourseError: there is none; says how to get one.
    """
    from lab.box import INSIDE  # noqa: PLC0415

    if NBGRADER in os.environ and not INSIDE.exists():
        from lab.box.beside import enter  # noqa: PLC0415  (only graders start boxes)

        return enter()
    return current_machine()


def task(name: str, *, again: bool = False) -> Task:
    """Begin a task, or go on with the one that has begun: its parameters are drawn, and what you start from is put on the machine.

    Args:
        name: such as ``containers.walls``.
        again: draw anew; what was made for the one before is removed.

    Raises:
        UsageError: there is no such task.
    """
    return begin(current_machine(), find(name), again=again)


def answer(task: Task | str, **answers: object) -> None:
    """Report what you found: text, numbers, or lists or sets of them.  Those that are still ``...`` or None are left open.

    Raises:
        UsageError: there is no such task or answer, or the answer is of another kind, or too long.
    """
    name = task.name if isinstance(task, Task) else task
    if known := find(name).answers:
        for unknown in set(answers) - set(known):
            raise UsageError(f"{name} asks for no {unknown!r}.", f"It asks for: {', '.join(known)}.", f'answer("{name}", {known[0]}=…)')
    given = give(current_machine(), name, answers)
    if feed := sys.modules.get("lab.picture.feed"):  # who follows the machine has imported it
        feed.poke()
    left = [answer for answer in answers if answer not in given]
    print(f"{name}: {len(given)} of {len(answers)} answers given{', open: ' + ', '.join(left) if left else ''}.")  # noqa: T201


def check(name: str) -> float:
    """Tell how far a task is; the points that it is worth now, or, where it is not graded, how many of its facts are right.

    Args:
        name: such as ``containers.walls``.

    Raises:
        UsageError: there is no such task, or its result would not be seen.
        CheckFailed: it could not be checked.
        NotYet: in Validate, where it is not complete.
    """
    with _silent():
        shell = _shell()
        if shell and shell.displayhook.quiet():  # type: ignore[no-untyped-call]
            raise UsageError("The result of this check would not be seen.", "Its line ends in a semicolon.", f'check("{name}")')
        wanted, machine = find(name), current_machine()
        worth = points(name) if wanted.graded else None
        mine = begun(machine, name, asking=NBGRADER not in os.environ)
        verdict = judge(machine, wanted, mine, so_far=None if NBGRADER in os.environ else lambda soon: print(soon.text(worth)))  # noqa: T201
        verdict = replace(verdict, warnings=tuple(_literals(mine, shell)))
    if NBGRADER not in os.environ:
        reached(name, verdict.score)
    hints = 1 if NBGRADER in os.environ else min(HINTS, mine.asked)
    text = verdict.text(worth, hints)
    if os.environ.get(NBGRADER) == "validate" and not verdict.passed:
        raise NotYet(text)
    print(text)  # noqa: T201
    if not verdict.passed and hints >= HINTS and wanted.graded and NBGRADER not in os.environ:
        print(f'That was the last hint. To see one way to do it: solution("{name}")')  # noqa: T201
    return round((wanted.parts if worth is None else worth) * verdict.score, 2)


def tidy(*names: str) -> None:
    """Remove what was made for tasks, and their parameters: the box is as it was.

    Args:
        names: of the tasks; all of them where none is named.
    """
    machine = current_machine()
    there = set(machine.sh(f"ls {DIRECTORY} 2>/dev/null").stdout.split())
    for name in sorted(there & set(names or checks())):
        if NBGRADER in os.environ:
            begun(machine, name).dismiss()  # the box goes as a whole; machines cost too much to wait for that
        else:
            begun(machine, name).clear(machine)


def solution(name: str) -> None:
    """Show a worked solution, after the third hint.  It is there for who learns alone: in a course, the teacher has it.

    Raises:
        UsageError: there is no such task.
        CourseError: it is too early, or the solution is not here.
    """
    find(name)
    if NBGRADER in os.environ or begun(current_machine(), name).asked < HINTS:
        raise CourseError("It is too early for the solution.", f"It is shown after the {HINTS}rd hint.", f'check("{name}")')
    print("\n\n".join(_solutions(name)))  # noqa: T201


def _solutions(name: str) -> list[str]:
    """The solution cells of a task, which stand above its test cell."""
    found: list[str] = []
    for notebook in sorted(SOURCES.glob("*/*.ipynb")):
        for cell in json.loads(notebook.read_text())["cells"]:
            metadata = cell["metadata"].get("nbgrader", {})
            if metadata.get("solution") and str(metadata["grade_id"]).startswith(grade_id(name)):
                found.append("".join(cell["source"]))
    if not found:
        raise CourseError(
            f"There is no solution of {name} here.", "The course's own notebooks are not on this computer.", "ask your teacher"
        )
    return found


def _literals(mine: Task, shell: InteractiveShell | None) -> Iterator[str]:
    """Warnings about parameters that were typed: the next run has others."""
    sources = [source for source in (shell.user_ns.get("In", []) if shell else []) if "task(" not in source]
    for parameter, value in mine.values.items():
        word = str(value)
        common = len(word) < LITERAL or word.isalpha() or isinstance(value, list)
        if not common and any(re.search(rf"\b{re.escape(word)}\b", source) for source in sources):
            yield f"A cell holds {word} itself. The next run, such as the one that is graded, has another: write task.{parameter}."


def _stderr_is_stdout() -> None:
    """Where nbgrader runs the notebook, complaints are ordinary output, a student's threads' and programs' included."""
    sys.stderr = sys.stdout
    with suppress(OSError):
        os.dup2(1, 2)


if NBGRADER in os.environ:
    _stderr_is_stdout()


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing goes to standard error: nbgrader would take it for a failure, whoever said it."""
    kept, sys.stderr = sys.stderr, io.StringIO()
    try:
        yield
    finally:
        sys.stderr = kept


def _shell() -> InteractiveShell | None:
    from IPython.core.getipython import get_ipython  # noqa: PLC0415

    return get_ipython()
