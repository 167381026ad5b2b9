"""Which test cells of a notebook that was run have no mark, and why."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest

from autograder.review import error_of, unmarked

LOCKED = {"grade": False, "solution": False, "locked": True, "task": False, "schema_version": 3}
ENGINE = "BoxNotRunning", "the engine is gone"


def cell(name: str, *, number: str = "", error: tuple[str, str] | None = None, **marks: object) -> Any:
    """A cell of an assignment as it was run: a test cell where it has points."""
    made = nbformat.v4.new_code_cell("", metadata={"nbgrader": {**LOCKED, "grade_id": name, "grade": "points" in marks, **marks}})
    if number:
        made.outputs.append(nbformat.v4.new_output("execute_result", data={"text/plain": number}))
    if error:
        made.outputs.append(nbformat.v4.new_output("error", ename=error[0], evalue=error[1]))
    return made


def own(error: tuple[str, str] | None = None) -> Any:
    return cell("own", error=error, locked=False, solution=True)


def graded(number: str = "", error: tuple[str, str] | None = None, name: str = "graded") -> Any:
    return cell(name, number=number, error=error, points=3)


NOT_BEGUN = "NotBegun", "has not begun"


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([graded("3.0")], ""),
        ([graded("0.0")], ""),
        ([graded(error=("CheckFailed", "could\nnot  look"))], "could not look"),
        ([graded(error=("KeyError", ""))], "KeyError"),
        ([graded(error=NOT_BEGUN)], ""),
        ([graded()], "Its number did not arrive."),
        ([graded("2 €")], "Its number did not arrive."),
        ([graded("nan")], "Its number did not arrive."),
        ([cell("set-up"), cell("begin", error=ENGINE), graded(error=NOT_BEGUN)], ENGINE[1]),
        ([cell("set-up"), cell("begin", error=ENGINE), graded("0.0")], ENGINE[1]),
        ([cell("set-up"), cell("begin", error=ENGINE), graded("3.0")], ""),
        ([cell("set-up"), cell("begin", error=ENGINE), cell("another"), graded("0.0")], ""),
        ([cell("set-up", error=ENGINE), cell("begin"), own(("NameError", "box")), graded("1.5")], ENGINE[1]),
        ([cell("set-up"), cell("begin"), own(ENGINE), graded("0.0")], ENGINE[1]),
        ([cell("set-up"), cell("begin"), own(("UsageError", "no such machine")), graded("0.0")], ""),
        ([cell("set-up"), own(ENGINE), graded("3.0", name="first"), graded("0.0")], ""),
    ],
)  # fmt: skip
def test_a_test_cell_has_no_mark_where_the_failure_is_not_the_students(cells: list[Any], why: str) -> None:
    assert dict(unmarked(cells)) == ({"graded": why} if why else {})


def test_an_error_is_told_in_one_line() -> None:
    noisy = graded(error=("CheckFailed", "it\n" * 1000))
    noisy.outputs.insert(0, nbformat.v4.new_output("stream", text="noise"))
    kind, said = error_of(noisy)
    assert (kind, said[:6], len(said)) == ("CheckFailed", "it it ", 300)
