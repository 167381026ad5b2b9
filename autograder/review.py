"""Marks for manual grading the test cells that ended in an error which is not the student's.

A check that raises an error, a misspelt name, an engine that does not answer: nbgrader gives no points for any of them, and tells nobody
but the student.  This preprocessor runs last in ``nbgrader autograde``.  It writes a warning to the log, and marks the cell, so that the
formgrader lists it.  That a student has not begun a task is no such error.
"""

from __future__ import annotations

from typing import Any

from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.framework.run import NotBegun

THE_STUDENTS_OWN = (NotBegun.__name__,)


class Review(NbGraderPreprocessor):  # type: ignore[misc]
    """The step of ``nbgrader autograde`` that marks such cells of one submission."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Mark such cells in the gradebook, and return the notebook unchanged."""
        about = resources["nbgrader"]
        failed = {cell.metadata.nbgrader.grade_id: error for cell in nb.cells if utils.is_grade(cell) and (error := error_of(cell))}
        if failed:
            with Gradebook(about["db_url"]) as gradebook:
                for cell, error in failed.items():
                    grade = gradebook.find_grade(cell, about["notebook"], about["assignment"], about["student"])
                    grade.needs_manual_grade = True
                    self.log.warning(
                        "%s of %s could not be graded, and gets 0 until a person has looked: %s", cell, about["student"], error
                    )
                gradebook.db.commit()
        return nb, resources


def error_of(cell: Any) -> str:
    """The error that a test cell ended in, in one line; empty where there was none, or where it was the student's own."""
    errors = (output for output in cell.get("outputs", []) if output.output_type == "error" and output.ename not in THE_STUDENTS_OWN)
    return next((" ".join(str(error.evalue).split())[:300] or error.ename for error in errors), "")
