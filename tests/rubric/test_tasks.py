"""What the sources of a check and of its tests tell, from small ones."""

from __future__ import annotations

import pytest

from rubric.tasks import Evidence, shown, steps

CHECK = """
MORE = ("where", "how")
BY_KIND = {"net": ("where", "how"), "pid": ()}
def look(machine, task):
    hint, last = "this", ("that",)
    yield Fact("a thing", ok, "saw", %s)
    yield say("this", MORE); yield told.say("this", last, more=MORE)
def say(self, first, one, more=()):
    return first
"""
TESTS = """
TASKS = ("one", "two")
MANY: list = [("one", "a", "b"), ("three", "a", "b"), ("three", "c", "d")]
WRONG = [("a", 1), ("b", 2), ("c", 3)]
@pytest.mark.parametrize("task", TASKS)
def test_nothing(graded, task):
    assert graded(f"things.{task}").score == 0
@pytest.mark.parametrize("way", [BY_HAND, BY_COMPOSE])
def test_model(graded, way):
    assert graded("things.one", way).score == 1
@pytest.mark.parametrize(("act", "hint"), WRONG)
def test_wrong(graded, act, hint):
    assert hint in hints(graded("things.one", act))
def test_half(graded):
    verdict = graded("things.two", "act")
    assert (verdict.score, "that" in hints(verdict)) == (0.5, True)
def test_a_score_alone(graded):
    assert graded("things.two", "act").score == 0.5
def test_a_model_that_is_said_well(graded):
    verdict = graded("things.two", "act")
    assert verdict.score == pytest.approx(1)
    assert "well done" in verdict.text()
@pytest.mark.parametrize(("task", "act", "hint"), MANY)
def test_many(graded, task, act, hint):
    assert hint in hints(graded(f"things.{task}", act))
def helper(graded):
    assert graded("things.two", "act").score == 1
"""


@pytest.mark.parametrize(
    ("hints", "number"),
    [
        ("()", 0),
        ("(hint,)", 1),
        ("(hint, *MORE)", 3),
        ("(hint, *(last if ok else MORE))", 3),
        ("(hint, *last)", 2),
        ("(hint,) + MORE", 3),
        ("(hint, *BY_KIND[kind])", 3),
        ("hints=(hint, *MORE)", 3),
        ("(first, *one)", 3),
        ("(first, *one, *more)", 5),
        ("(hint, *unheard_of)", 1),
    ],
)
def test_hints_are_counted_where_they_stand(hints: str, number: int) -> None:
    assert steps(CHECK % hints) == number


def test_a_check_without_a_fact_has_no_hint() -> None:
    assert steps("MORE = ('a', 'b', 'c')") == 0


def test_tests_count_for_what_they_assert() -> None:
    assert shown(TESTS, {"things.one", "things.two", "things.three"}) == {
        "things.one": Evidence(empty=1, model=2, wrong=4),
        "things.two": Evidence(empty=1, model=1, wrong=1),
        "things.three": Evidence(wrong=2),
    }


def test_what_no_test_shows_is_said() -> None:
    assert Evidence(3, 1, 1, 2).untested == ()
    assert Evidence(3, 0, 0, 1).untested == ("no empty answer", "no model answer", "1 wrong answers")
