"""A lesson is read from its notebook: cells with their tags, what its code calls, and the tasks that it names."""

from __future__ import annotations

from rubric.lesson import Cell, Lesson, numbered
from rubric.tasks import Evidence

NOTEBOOK = {
    "cells": [
        {
            "id": "c02-title",
            "cell_type": "markdown",
            "source": ["# Things\n", "\n", "1. See one (`things.one`),\n", "   twice.\n", "2. Make one."],
            "metadata": {},
        },
        {
            "id": "c02-watch",
            "cell_type": "code",
            "source": ["%box ls\n", "watch('things.two')\n", "found = task(name)"],
            "metadata": {"tags": ["do"]},
        },
    ]
}
KNOWN = {"things.one": Evidence(), "things.two": Evidence(), "others.one": Evidence()}


def test_a_notebook_is_read_with_ids_and_tags() -> None:
    lesson = Lesson.read("02_things", NOTEBOOK, KNOWN, {})
    assert (lesson.number, [cell.id for cell in lesson.prose], [cell.id for cell in lesson.code]) == ("02", ["c02-title"], ["c02-watch"])
    assert lesson.tagged("do") == lesson.tagged("do", "code") == lesson.code
    assert lesson.tagged("do", "markdown") == ()
    assert lesson.objectives == ("See one (`things.one`),\n   twice.", "Make one.")


def test_its_tasks_are_those_of_the_objectives_and_those_that_the_code_names() -> None:
    assert Lesson.read("02_things", NOTEBOOK, KNOWN, {}).tasks == ("things.one", "things.two")


def test_magics_are_no_python_and_calls_are_found_all_the_same() -> None:
    cell = Cell("c", "code", "%%box\nls -l | wc")
    assert (list(cell.calls("watch")), cell.lines) == ([], 1)
    cell = Cell("c", "code", "%box ls\nview.watch(1); watch(2)")
    assert [call.args[0].value for call in cell.calls("watch")] == [1, 2]  # type: ignore[attr-defined]


def test_words_and_items_are_counted() -> None:
    assert Cell("c", "markdown", "It's a well-known *fact*.\n").words == 4
    assert Cell("c", "markdown", "<details><summary>An answer</summary>\n\nOne.\n\n</details>\n\nTwo.").words == 1
    assert numbered("Text.\n\n1. one\n2. two\n   goes on\n\nMore text.") == ("one", "two\n   goes on")
