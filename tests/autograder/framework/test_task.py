"""A task is kept on the machine: its parameters, the answers, and how often it was checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.framework.task import LARGEST_ANSWER, Task, give, load
from lab.box.errors import CourseError, UsageError
from tests.support.machine import Local

TASK = Task("test.it", "it-abcd", {"port": 9100, "_secret": "x"}, roles={"web": "it-abcd-web"})


def test_what_has_begun_is_found_again_without_what_is_for_prepare_alone(machine: Local) -> None:
    assert load(machine, "test.it") is None
    begun = TASK.begin(machine)
    assert begun == load(machine, "test.it")
    assert (begun.port, dict(begun.roles)) == (9100, {"web": "it-abcd-web"})
    with pytest.raises(AttributeError, match="it has: port"):
        _ = begun._secret


@pytest.mark.parametrize("name", ["name", "key", "machines", "clear"])
def test_a_parameter_that_something_else_would_hide_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"can't be called {name}"):
        Task("test.it", "it-abcd", {name: 1})


def test_each_time_that_it_is_checked_is_counted(machine: Local) -> None:
    TASK.begin(machine)
    asked = [load(machine, "test.it", asking=asking) for asking in (True, False, True)]
    assert [task.asked for task in asked if task] == [1, 1, 2]


def test_answers_take_the_place_of_those_before(machine: Local) -> None:
    TASK.begin(machine)
    for answers in ({"one": 1, "two": 2}, {"one": {3, 1}, "two": ...}):
        give(machine, "test.it", answers)
    task = load(machine, "test.it")
    assert task
    assert task.answers == {"one": [1, 3]}


@pytest.mark.parametrize("kept", ["{", "{}", '{"key": "a", "values": 1}', "[]"])
def test_a_file_that_is_no_task_is_said(machine: Local, tmp_path: Path, kept: str) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/test.it").write_text(kept)
    with pytest.raises(CourseError, match="makes no sense") as raised:
        load(machine, "test.it")
    assert raised.value.try_next == 'task("test.it", again=True)'


def test_what_can_not_be_kept_is_refused(machine: Local) -> None:
    with pytest.raises(UsageError, match="too long"):
        give(machine, "test.it", {"one": "x" * LARGEST_ANSWER})
    with pytest.raises(UsageError, match="can't be the name"):
        give(machine, "../it", {"one": 1})


def test_a_task_that_is_cleared_is_forgotten(machine: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    deleted: list[str] = []
    monkeypatch.setattr("autograder.framework.task_machines.delete", lambda roles: deleted.extend(roles.values()))
    task = TASK.begin(machine)
    give(machine, "test.it", {"one": 1})
    task.clear(machine)
    assert load(machine, "test.it") is None
    assert deleted == ["it-abcd-web"]


def test_it_shows_parameters_and_machines() -> None:
    assert repr(Task("a.b", "b-abcd", {"port": 9100}, roles={"web": "b-abcd-web"})) == "a.b\n  port         9100\n  machine web  b-abcd-web"
