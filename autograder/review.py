"""What a person should look at: a test cell that ended in an error says nothing about the student's work.

A check that raises, a misspelt name, an engine that was gone: nbgrader gives no points for any of them, and says so nowhere but in the
feedback.  This preprocessor comes last in ``nbgrader autograde``; it says it in the log, and marks the cell for manual grading, so that
the formgrader lists it.  A task that a student never began is no such error.
"""

from __future__ import annotations

from typing import Any

from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.framework.run import NotBegun

THE_STUDENTS_OWN = (NotBegun.__name__,)


class Review(NbGraderPreprocessor):  # type: ignore[misc]
    """Marks the test cells of one submission that ended in an error which is not the student's."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Mark them; the notebook stays as it is."""
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
    """What a test cell ended in that says nothing about the student's work; empty where it ended well."""
    errors = (output for output in cell.get("outputs", []) if output.output_type == "error" and output.ename not in THE_STUDENTS_OWN)
    return next((" ".join(str(error.evalue).split())[:300] or error.ename for error in errors), "")
