"""Leaves to a person what must not become a mark: what failed on the course's side, and a number that did not arrive.

A check that raises an error, an engine that does not answer, a task that could not begin: nbgrader gives 0 for any of them, and tells
nobody but the student; and it gives *full* marks for a test cell without a number.  This preprocessor runs last in ``nbgrader autograde``.
It takes such a mark back, writes a warning to the log, and marks the cell, so that the formgrader lists it.  That a student has not begun a
task, or that their own code is wrong, is no such failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.framework.run import CheckFailed, NotBegun
from lab.box.errors import BoxNotRunning, BuildError, CourseError, NoBackend, WaitTimeout

THE_STUDENTS_OWN = (NotBegun.__name__,)
"""Errors that are the student's, in a test cell."""
NOT_THE_STUDENTS = tuple(error.__name__ for error in (BoxNotRunning, BuildError, CheckFailed, CourseError, NoBackend, WaitTimeout))
"""Errors that are not the student's, in a cell of their own."""


class Review(NbGraderPreprocessor):  # type: ignore[misc]
    """The step of ``nbgrader autograde`` that looks at the test cells of one submission."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Take back the marks that are none, and return the notebook unchanged."""
        about = resources["nbgrader"]
        if found := dict(unmarked(nb.cells)):
            with Gradebook(about["db_url"]) as gradebook:
                for cell, why in found.items():
                    grade = gradebook.find_grade(cell, about["notebook"], about["assignment"], about["student"])
                    grade.auto_score, grade.needs_manual_grade = None, True
                    self.log.warning("%s of %s has no mark until a person has looked: %s", cell, about["student"], why)
                gradebook.db.commit()
        return nb, resources


def unmarked(cells: list[Any]) -> Iterator[tuple[str, str]]:
    """The names of the test cells that can't be marked by what they came to, each with the reason.

    Args:
        cells: of a notebook, as they were run.
    """
    set_up = begun = since = ""
    first = True
    for cell in (cell for cell in cells if cell.cell_type == "code"):
        name, error = error_of(cell)
        if utils.is_grade(cell):
            if why := _why_unmarked(cell, name, error, set_up or begun or since):
                yield cell.metadata.nbgrader.grade_id, why
            since = ""
        elif utils.is_locked(cell):  # one of the course's own
            begun, set_up, first = error, error if first else set_up, False
        elif name in NOT_THE_STUDENTS:
            since = error


def _why_unmarked(cell: Any, name: str, error: str, before: str) -> str:
    """Why a test cell has no mark; empty where it has one.  *before* is an error that came before it, and that is not the student's."""
    if error and name not in THE_STUDENTS_OWN:
        return error
    if error:
        return before
    if not any(map(_is_number, cell.outputs)):
        return "Its number did not arrive."
    score, most = utils.determine_grade(cell)
    return before if score < most else ""


def _is_number(output: Any) -> bool:
    try:
        return output.output_type == "execute_result" and float(output.data["text/plain"]) >= 0
    except (ValueError, KeyError):
        return False


def error_of(cell: Any) -> tuple[str, str]:
    """The kind of error that a cell ended in, and what it says, in one line; both are empty where there was none."""
    errors = (output for output in cell.get("outputs", []) if output.output_type == "error")
    return next(((error.ename, " ".join(str(error.evalue).split())[:300] or error.ename) for error in errors), ("", ""))
