"""The functions that a notebook uses: ``task(…)`` begins a task, ``answer(…)`` gives answers, ``check(…)`` tells how far it is.

``check`` stands alone on the last line of a test cell and returns the points, which nbgrader takes from the cell's result.  nbgrader gives
*full* marks for a result that is no number (a semicolon at the end is enough), for ``nan``, and for any object; and no marks where a cell
writes to standard error.  So ``check`` returns a number or raises an error, for which nbgrader gives no points, and writes nothing there.

Where nbgrader runs the notebook, to grade or to validate it, it gets a new box of its own, which is deleted when the kernel ends.
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
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.framework.dice import Dice
from autograder.framework.register import checks, find
from autograder.framework.run import begin, begun, judge
from autograder.framework.task import DIRECTORY, Task, give
from autograder.points import SOURCES, grade_id, points
from lab.box import connect
from lab.box.core.inside import NBGRADER
from lab.box.errors import CourseError, UsageError
from lab.learner_record import reached

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

HINTS = 3
RUNS = 8
"""A parameter that is the same in so many runs counts as one that never changes."""
LITERAL = 4
"""A parameter of fewer characters may stand in a cell by chance, and so may an ordinary word, such as Always."""


class NotYet(CourseError):
    """The facts of a verdict that is not full, as an error: nbgrader's Validate shows a learner nothing but errors."""


def task(name: str, *, again: bool = False) -> Task:
    """Begin a task, or go on with it where it has begun: its parameters are drawn, and the machine gets what you start from.

    Args:
        name: such as ``containers.walls``.
        again: begin anew in any case; what was made for the task before is removed.

    Raises:
        UsageError: there is no such task.
    """
    return begin(connect(), find(name), again=again)


def answer(task: Task | str, **answers: object) -> None:
    """Give answers to a task: text, numbers, or lists or sets of them.  An answer that is still ``...`` or None is not taken.

    Raises:
        UsageError: there is no such task or answer; or an answer is neither text nor number, or too long.
    """
    name = task.name if isinstance(task, Task) else task
    if known := find(name).answers:
        for unknown in set(answers) - set(known):
            raise UsageError(f"{name} asks for no {unknown!r}.", f"It asks for: {', '.join(known)}.", f'answer("{name}", {known[0]}=…)')
    given = give(connect(), name, answers)
    if feed := sys.modules.get("lab.picture.feed"):  # who follows the machine has imported it
        feed.poke()
    left = [answer for answer in answers if answer not in given]
    print(f"{name}: {len(given)} of {len(answers)} answers given{', open: ' + ', '.join(left) if left else ''}.")  # noqa: T201


def check(name: str) -> float:
    """Check a task, print what was seen, and return its points; where it is not graded, the number of its facts that are right.

    Args:
        name: such as ``containers.walls``.

    Raises:
        UsageError: there is no such task; or the result would not be shown as the number that it is.
        NotBegun: the task has not begun.
        CheckFailed: the check could not be carried out.
        NotYet: the task is not complete, and nbgrader validates the notebook.
    """
    with _silent():
        shell = _shell()
        wanted, machine = find(name), connect()
        worth = points(name, Path(shell.starting_dir) if shell else None) if wanted.graded else None
        if shell and (hidden := _hidden(shell, name, worth)):
            raise UsageError("The result of this check would not be seen.", *hidden)
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


def _hidden(shell: InteractiveShell, name: str, worth: float | None) -> tuple[str, str] | None:
    """Why the points would not arrive as a number, and what to do about it; None where they would.

    A float is shown as the student has set it: rounded by ``%precision``, or dressed by a formatter.
    """
    if shell.displayhook.quiet():  # type: ignore[no-untyped-call]
        return "Its line ends in a semicolon.", f'check("{name}")'
    if NBGRADER not in os.environ:
        return None
    if shell.ast_node_interactivity == "none":
        return "This notebook shows no results.", '%config InteractiveShell.ast_node_interactivity = "last_expr"'
    some = (worth or 0) + 0.25
    formatter = shell.display_formatter
    shown = formatter.format(some)[0].get("text/plain") if formatter else None  # type: ignore[no-untyped-call]
    return None if shown == repr(some) else (f"This notebook shows {some!r} as {shown}.", "take out what formats a float")


def tidy(*names: str) -> None:
    """Remove tasks, and what was made for them, from the box.

    Args:
        names: of the tasks; without names, all tasks that have begun.
    """
    machine = connect()
    there = set(machine.sh(f"ls {DIRECTORY} 2>/dev/null").stdout.split())
    for name in sorted(there & set(names or checks())):
        if NBGRADER in os.environ:
            begun(machine, name).delete_machines()  # the box is deleted as a whole; the machines take memory until then
        else:
            begun(machine, name).clear(machine)


def solution(name: str) -> None:
    """Show a worked solution, once the third hint was shown.  It is for those who learn alone: in a course, the teacher has it.

    Raises:
        UsageError: there is no such task.
        CourseError: the third hint was not shown yet, or the solution is not on this computer.
    """
    find(name)
    if NBGRADER in os.environ or begun(connect(), name).asked < HINTS:
        raise CourseError("It is too early for the solution.", f"It is shown after the {HINTS}rd hint.", f'check("{name}")')
    print("\n\n".join(_solutions(name)))  # noqa: T201


def _solutions(name: str) -> list[str]:
    """The sources of the solution cells of a task, whose names begin with the name of its test cell."""
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
    """A warning for each parameter whose value stands in a cell, and which has another value in the next run."""
    known = shell.user_ns if shell else {}
    sources = [source for source in known.get("In", []) if "task(" not in source]
    called = next(
        (name for name, it in known.items() if isinstance(it, Task) and it.name == mine.name and not name.startswith("_")), "task"
    )
    anew = [find(mine.name).draw(Dice(), f"run-{number}") for number in range(RUNS)]
    for parameter, value in mine.values.items():
        word = str(value)
        common = len(word) < LITERAL or word.isalpha() or isinstance(value, list) or all(it.get(parameter) == value for it in anew)
        if not common and any(re.search(rf"\b{re.escape(word)}\b", source) for source in sources):
            yield f"A cell holds {word} itself. The next run, such as the one that is graded, has another: write {called}.{parameter}."


def _stderr_is_stdout() -> None:
    """Make standard error standard output for the whole kernel, threads and programs of a student included.

    Done where nbgrader runs the notebook, because it takes what is on standard error for a failure of the cell.
    """
    sys.stderr = sys.stdout
    with suppress(OSError):
        os.dup2(1, 2)


if NBGRADER in os.environ:
    _stderr_is_stdout()


@contextmanager
def _silent() -> Iterator[None]:
    """Drop what is written to standard error in the ``with`` block: nbgrader would take it for a failure of the cell."""
    kept, sys.stderr = sys.stderr, io.StringIO()
    try:
        yield
    finally:
        sys.stderr = kept


def _shell() -> InteractiveShell | None:
    from IPython.core.getipython import get_ipython  # noqa: PLC0415

    return get_ipython()
