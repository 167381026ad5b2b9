"""Running a check: whatever it does, the learner is told, and a good state has to last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

import autograder
from autograder.framework import register, run
from autograder.framework.fact import Fact, Verdict
from autograder.framework.task import give
from tests.autograder.conftest import Checked, CountedTrips

if TYPE_CHECKING:
    from autograder.framework.task import Task
    from lab.box.machine import Machine


def raises(_machine: Machine, _task: Task) -> Iterator[Fact]:
    """Raise."""
    yield Fact("one", ok=True, saw="")
    raise ZeroDivisionError("division by zero")


def hangs(_machine: Machine, _task: Task) -> Iterator[Fact]:
    """Hang."""
    threading.Event().wait(20)
    yield Fact("one", ok=True, saw="")


def loses_its_engine(_machine: Machine, _task: Task) -> Iterator[Fact]:
    """Lose."""
    raise ConnectionRefusedError(111, "Connection refused")
    yield


def says_too_much(_machine: Machine, _task: Task) -> Iterator[Fact]:
    """Yield more than there is."""
    yield from [Fact("one", ok=True, saw="")] * 3


@pytest.mark.parametrize(
    ("look", "what"),
    [(raises, "at fault, not you"), (hangs, "did not end within"), (loses_its_engine, "could not look"), (says_too_much, "at fault")],
)
def test_a_check_that_fails_gives_no_points_and_says_so(checked: Checked, look: Callable[..., Iterator[Fact]], what: str) -> None:
    with pytest.raises(run.CheckFailed, match=what):
        autograder.check(checked(look, timeout_s=0.5))


def test_a_state_is_good_so_far_and_then_confirmed(
    checked: Checked, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "HOLD_S", 0.01)
    looks = iter([True, False])

    def falls(_machine: Machine, _task: Task) -> Iterator[Fact]:
        """Hold."""
        yield Fact("it stands", next(looks), "")

    assert autograder.check(checked(falls, kind="state", parts=1)) == 0
    said = capsys.readouterr().out
    assert "4 of 4 points, so far" in said
    assert "0 of 4 points\n" in said


def test_a_state_that_falls_and_comes_back_has_not_held(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "HOLD_S", 60)
    monkeypatch.setattr(run, "EVERY_S", 0.01)
    looks = iter([True, True, False, True])

    def flaps(_machine: Machine, _task: Task) -> Iterator[Fact]:
        """Hold."""
        yield Fact("it stands", next(looks), "")

    assert autograder.check(checked(flaps, kind="state", parts=1)) == 0
    assert list(looks) == [True]  # the look at which it had fallen was the last


def test_a_task_goes_on_until_it_is_begun_again(checked: Checked) -> None:
    name = checked(right, draw=lambda dice, _: {"word": dice.nonce(), "_secret": dice.nonce()})
    first, same, other = autograder.task(name), autograder.task(name), autograder.task(name, again=True)
    assert (first.key, first.word) == (same.key, same.word) != (other.key, other.word)
    assert "_secret" not in first.values
    with pytest.raises(AttributeError, match="it has: word"):
        _ = first.prot


def right(_machine: Machine, task: Task) -> Iterator[Fact]:
    """Be right."""
    yield Fact("one", task.answers.get("one") == 1, "")


@pytest.mark.parametrize(("kind", "looks"), [("answer", 1), ("state", 2)])
def test_a_judgement_loads_its_task_in_one_trip_however_often_it_looks(
    machine: CountedTrips, checked: Checked, monkeypatch: pytest.MonkeyPatch, kind: str, looks: int
) -> None:
    monkeypatch.setattr(run, "HOLD_S", 0.02)
    monkeypatch.setattr(run, "EVERY_S", 0.01)
    seen: list[Task] = []

    def counted(_machine: Machine, task: Task) -> Iterator[Fact]:
        """Look."""
        seen.append(task)
        yield from right(_machine, task)

    name = checked(counted, kind=kind, parts=1)
    give(machine, name, {"one": 1})
    before = machine.trips
    assert run.judge(machine, register.find(name), so_far=lambda _: None).passed
    assert machine.trips - before == 1
    assert len(seen) >= looks


def test_each_judgement_sees_the_answers_that_were_given_since(machine: CountedTrips, checked: Checked) -> None:
    check = register.find(checked(right, parts=1))
    assert not run.judge(machine, check).passed
    give(machine, check.name, {"one": 1})
    assert run.judge(machine, check).passed


def test_a_check_in_a_notebook_takes_one_trip_to_its_task(machine: CountedTrips, checked: Checked) -> None:
    name = checked(right, parts=1)
    before = machine.trips
    autograder.check(name)
    assert machine.trips - before == 1


def test_a_verdict_that_is_not_confirmed_says_so(machine: CountedTrips, checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "HOLD_S", 0.01)
    name = checked(right, kind="state", parts=1)
    give(machine, name, {"one": 1})
    soon: list[Verdict] = []
    assert run.judge(machine, register.find(name), so_far=soon.append).confirmed
    assert [verdict.confirmed for verdict in soon] == [False]
