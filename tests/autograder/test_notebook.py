"""What a notebook says to the grader, and what it is told when it says it badly."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell

import autograder
from autograder.framework.fact import Fact
from autograder.framework.task import LARGEST_ANSWER, Task, load
from lab.box.core.inside import NBGRADER
from lab.box.errors import CourseError, UsageError
from lab.learner_record import read
from tests.autograder.conftest import Checked
from tests.support.machine import Local

if TYPE_CHECKING:
    from lab.box.machine import Machine


def answered(_: Machine, task: Task) -> Iterator[Fact]:
    """Report one and two."""
    yield Fact("one", task.answers.get("one") == 1, str(task.answers.get("one")), ("look for one", "closer", "it is a number"))
    yield Fact("two", task.answers.get("two") == "two", str(task.answers.get("two")), ("look for two",))


def test_a_check_gives_points_as_a_plain_float(checked: Checked) -> None:
    name = checked(answered)
    scores = []
    for answers in ({}, {"one": 1}, {"one": 1, "two": "two"}):
        autograder.answer(name, **answers)
        scores.append(autograder.check(name))
    assert scores == [0.0, 2.0, 4.0]
    assert read().tasks == {name: 1.0}
    assert {type(score) for score in scores} == {float}


def test_what_is_open_is_said_and_not_taken(machine: Local, checked: Checked, capsys: pytest.CaptureFixture[str]) -> None:
    name = checked(answered)
    autograder.answer(name, one=..., two="two")
    assert "1 of 2 answers given, open: one" in capsys.readouterr().out
    begun = load(machine, name)
    assert begun
    assert begun.answers == {"two": "two"}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (math.nan, "not a number that can be compared"),
        (math.inf, "not a number that can be compared"),
        ([[1], [2]], "A list may hold text and numbers"),
        ({"a": {"b": 1}}, "It is a dict"),
        (object(), "It is a object"),
        ("x" * (LARGEST_ANSWER + 1), "characters"),
        (list(range(LARGEST_ANSWER)), "characters"),
    ],
)
def test_an_answer_of_another_kind_is_refused_in_a_sentence(machine: Local, checked: Checked, answer: object, why: str) -> None:
    name = checked(answered)
    autograder.answer(name, two="two")
    with pytest.raises(UsageError) as raised:
        autograder.answer(name, one=answer)
    assert why in raised.value.why
    begun = load(machine, name)
    assert begun
    assert begun.answers == {"two": "two"}  # what was good before is kept


def test_an_answer_that_nobody_asked_for_is_said(machine: Local, checked: Checked) -> None:
    name = checked(answered, answers=("one", "two"))
    with pytest.raises(UsageError, match="asks for no 'tow'"):
        autograder.answer(name, one=1, tow="two")
    autograder.answer(name, one=IPv4Address("10.0.0.1"), two=None)
    begun = load(machine, name)
    assert begun
    assert begun.answers == {"one": "10.0.0.1"}


@pytest.mark.usefixtures("machine")
def test_a_typo_is_told_what_there_is() -> None:
    for act in (autograder.task, autograder.check, autograder.solution):
        with pytest.raises(UsageError, match=r"containers\.wals") as raised:
            act("containers.wals")  # type: ignore[operator]
        assert raised.value.try_next == 'check("containers.walls")'


@pytest.mark.usefixtures("machine")
def test_a_task_that_has_not_begun_is_said() -> None:
    with pytest.raises(CourseError, match="has not begun") as raised:
        autograder.check("containers.walls")
    assert raised.value.try_next == 'task("containers.walls"), in its notebook'


def test_one_hint_more_each_time_and_then_the_solution(
    checked: Checked, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = checked(answered)
    monkeypatch.setattr("autograder.notebook._solutions", lambda _: ["the solution"])
    with pytest.raises(CourseError, match="too early"):
        autograder.solution(name)
    for shown in (1, 2, 3, 3):
        capsys.readouterr()
        autograder.check(name)
        said = capsys.readouterr().out
        assert [hint in said for hint in ("look for one", "closer", "it is a number")] == [number < shown for number in range(3)]
        assert (f'solution("{name}")' in said) == (shown == 3)
    autograder.solution(name)
    assert "the solution" in capsys.readouterr().out


def test_the_solution_is_the_model_answer_of_the_assignment() -> None:
    from autograder.notebook import _solutions  # noqa: PLC0415

    assert any("exec python3" in cell for cell in _solutions("containers.graceful-stop"))


def test_a_parameter_that_was_typed_is_warned_about(
    machine: Local, checked: Checked, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = checked(answered, draw=lambda dice, _: {"port": dice.ports(1)[0], "policy": "Always", "image": "app:v1"})
    begun = load(machine, name)
    assert begun
    shell = InteractiveShell()
    shell.user_ns["it"] = begun
    shell.user_ns["In"] = ["", f'it = task("{name}")', f"box.url({begun.port})", f"x = {begun.port}1"]
    monkeypatch.setattr("autograder.notebook._shell", lambda: shell)
    autograder.check(name)
    said = capsys.readouterr().out
    assert f"A cell holds {begun.port} itself" in said
    assert "write it.port." in said
    shell.user_ns["In"] = ["", f'it = task("{name}")', "box.url(it.port)", "case $policy in Always)", "docker run app:v1"]
    autograder.check(name)
    assert "itself" not in capsys.readouterr().out


def test_nothing_reaches_standard_error(checked: Checked, capsys: pytest.CaptureFixture[str]) -> None:
    def loud(_machine: Machine, _task: Task) -> Iterator[Fact]:
        """Say much."""
        thread = threading.Thread(target=lambda: print("from a thread", file=sys.stderr))
        thread.start()
        thread.join()
        print("from the check", file=sys.stderr)
        yield Fact("one", ok=True, saw="")
        yield Fact("two", ok=True, saw="")

    assert autograder.check(checked(loud)) == 4
    assert capsys.readouterr().err == ""


def test_validate_shows_facts_as_an_error_and_grading_as_a_number(
    checked: Checked, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = checked(answered)
    autograder.answer(name, one=1)
    monkeypatch.setenv(NBGRADER, "autograde")
    assert autograder.check(name) == 2
    assert "look for two" in capsys.readouterr().out
    monkeypatch.setenv(NBGRADER, "validate")
    with pytest.raises(CourseError, match="look for two") as raised:
        autograder.check(name)
    assert max(map(len, str(raised.value).splitlines())) < 87
    autograder.answer(name, one=1, two="two")
    assert autograder.check(name) == 4
