"""The task of lesson 00, on a real box."""

from __future__ import annotations

import pytest

from autograder.testing import Graded, graded, hints, oks

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
GREETING = "docker run -d --name $container -e GREETING=$greeting app:v1"


def test_an_empty_answer_is_worth_nothing(graded: Graded) -> None:
    verdict = graded("start.greeting")
    assert (verdict.score, [fact.saw for fact in verdict.facts]) == (0, ["missing"])
    assert "and to go on running" in hints(verdict)


def test_a_container_that_says_the_greeting(graded: Graded) -> None:
    assert graded("start.greeting", GREETING).score == 1


def test_another_greeting_is_half_right(graded: Graded) -> None:
    verdict = graded("start.greeting", GREETING.replace("-e GREETING=$greeting", ""))
    assert oks(verdict) == [True, False]
    assert "what its variable GREETING holds" in hints(verdict)


def test_a_container_that_has_ended_says_nothing(graded: Graded) -> None:
    verdict = graded("start.greeting", f"{GREETING} true; docker wait $container")
    assert (oks(verdict), verdict.facts[0].saw) == ([False], "exited")
