"""Which errors of a test cell are not the student's."""

from __future__ import annotations

import nbformat
import pytest

from autograder.review import error_of


@pytest.mark.parametrize(
    ("name", "message", "found"),
    [("CheckFailed", "could\nnot  look", "could not look"), ("NotBegun", "has not begun", ""), ("KeyError", "", "KeyError")],
)
def test_an_error_that_is_not_the_students_is_found(name: str, message: str, found: str) -> None:
    cell = nbformat.v4.new_code_cell("check()")
    assert error_of(cell) == ""
    cell.outputs = [nbformat.v4.new_output("stream", text="noise"), nbformat.v4.new_output("error", ename=name, evalue=message)]
    assert error_of(cell) == found
