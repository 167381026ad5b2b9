"""``make rubric``: a table that says yes or no, what is missing below it, and an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rubric.__main__ import main
from rubric.course import lessons
from rubric.lesson import Cell, Lesson
from rubric.tasks import Evidence

if TYPE_CHECKING:
    import pytest

TEXT = Cell("c00-text", "markdown", "It holds, and it breaks. " + "word " * 40, frozenset(["analogy"]))
CODE = Cell("c00-code", "code", "task('things.one')", frozenset(["do"]))


def test_a_lesson_that_misses_a_point_is_named_with_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([Lesson("00_tour", (TEXT, CODE), {"things.one": Evidence(steps=1)})]) == 1

    said = capsys.readouterr().out
    assert "00_tour, point 8: things.one has 1 hints at most" in said
    assert "✗ no: 0 of 1 tasks" in said
    assert said.count("point ") == 2  # the heading, and that one


def test_one_that_misses_nothing_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([Lesson("00_tour", (TEXT, CODE), {"things.one": Evidence(steps=3)})]) == 0
    assert "✗" not in capsys.readouterr().out


def test_a_lesson_is_read_with_its_tasks_and_its_widgets() -> None:
    lesson = next(lesson for lesson in lessons() if lesson.number == "02")
    assert {"containers.walls", "containers.limits"} <= set(lesson.tasks)
    assert lesson.known["containers.walls"].steps == 3
    assert lesson.known["containers.walls"].wrong >= 2
    assert not lesson.known["start.greeting"].graded
