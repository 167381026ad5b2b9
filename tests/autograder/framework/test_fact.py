"""What a verdict comes to, and how it reads."""

from __future__ import annotations

from autograder.framework.fact import WIDTH, Fact, Verdict

HINTS = ("Look at the first thing.", "Use a tool.", "Nearly " + "there " * 30)
RIGHT, WRONG = Fact("one", ok=True, saw="running", hints=HINTS), Fact("two", ok=False, saw="missing", hints=HINTS)


def test_facts_that_a_check_could_not_look_at_count_as_wrong() -> None:
    assert Verdict("a.b", (RIGHT, WRONG), parts=4).score == 0.25
    assert not Verdict("a.b", (RIGHT,), parts=2).passed
    assert Verdict("a.b", (RIGHT, RIGHT), parts=2).passed


def test_hints_are_shown_for_what_is_wrong_and_as_many_as_were_asked_for() -> None:
    verdict = Verdict("a.b", (RIGHT, WRONG), parts=2)
    assert verdict.text(hints=0).splitlines() == ["a.b: 1 of 2", "  ✓ one: running", "  ✗ two: missing"]
    assert [verdict.text(hints=shown).count("→") for shown in range(4)] == [0, 1, 2, 3]


def test_points_take_the_place_of_a_count() -> None:
    assert Verdict("a.b", (RIGHT, WRONG), parts=2).text(points=3).startswith("a.b: 1.5 of 3 points\n")


def test_a_good_verdict_that_is_not_confirmed_is_so_far() -> None:
    assert ", so far" in Verdict("a.b", (RIGHT,), parts=1, confirmed=False).text()
    assert ", so far" not in Verdict("a.b", (WRONG,), parts=1, confirmed=False).text()
    assert ", so far" not in Verdict("a.b", (RIGHT,), parts=1).text()


def test_lines_fit_into_what_validate_shows() -> None:
    text = Verdict("a.b", (WRONG,), parts=1, warnings=("a warning " * 20,)).text(hints=3)
    assert text.count("! a warning") == 1
    assert max(map(len, text.splitlines())) <= WIDTH
