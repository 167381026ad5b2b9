"""What a notebook says to the grader, and what it is told when it says it badly."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell

import autograder
from autograder.checks import register, run
from autograder.checks.fact import Fact
from autograder.checks.task import LARGEST_ANSWER, Task, load
from autograder.notebook import NBGRADER
from autograder.points import SOURCES
from lab.box.errors import CourseError, UsageError
from lab.learner_record import read
from tests.support.machine import Local

if TYPE_CHECKING:
    from lab.box.machine import Machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    """This computer, which is machine enough for what is not about Docker."""
    local = Local(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv(NBGRADER, raising=False)
    for module in ("autograder.notebook", "autograder.checks.run", "autograder.checks.task"):
        if hasattr(sys.modules.get(module), "DIRECTORY"):
            monkeypatch.setattr(f"{module}.DIRECTORY", str(tmp_path / "tasks"))
    monkeypatch.setattr("autograder.notebook.current_machine", lambda: local)
    monkeypatch.setattr("autograder.notebook.points", lambda _: 4.0)
    monkeypatch.setattr("autograder.checks.task.clean", lambda *_: None)
    yield local
    for name in [name for name in register.checks() if name.startswith("test.")]:
        del register._known[name]  # type: ignore[attr-defined]


@pytest.fixture
def checked() -> Callable[..., str]:
    """Make a check out of a function, and begin its task."""

    def make(look: Callable[..., Iterator[Fact]], name: str = "test.it", **options: object) -> str:
        settings: dict[str, object] = {"kind": "answer", "parts": 2, "draw": lambda dice, _: {"port": dice.ports(1)[0]}}
        register.check(name, **(settings | options))(look)  # type: ignore[arg-type]
        autograder.task(name)
        return name

    return make


def answered(_: Machine, task: Task) -> Iterator[Fact]:
    """Report one and two."""
    yield Fact("one", task.answers.get("one") == 1, str(task.answers.get("one")), ("look for one", "closer", "it is a number"))
    yield Fact("two", task.answers.get("two") == "two", str(task.answers.get("two")), ("look for two",))


def test_a_check_gives_points_as_a_plain_float(machine: Local, checked: Callable[..., str]) -> None:
    assert machine
    name = checked(answered)
    scores = []
    for answers in ({}, {"one": 1}, {"one": 1, "two": "two"}):
        autograder.answer(name, **answers)
        scores.append(autograder.check(name))
    assert scores == [0.0, 2.0, 4.0]
    assert read().tasks == {name: 1.0}
    assert {type(score) for score in scores} == {float}


def test_what_is_open_is_said_and_not_taken(machine: Local, checked: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
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
def test_an_answer_of_another_kind_is_refused_in_a_sentence(machine: Local, checked: Callable[..., str], answer: object, why: str) -> None:
    name = checked(answered)
    autograder.answer(name, two="two")
    with pytest.raises(UsageError) as raised:
        autograder.answer(name, one=answer)
    assert why in raised.value.why
    begun = load(machine, name)
    assert begun
    assert begun.answers == {"two": "two"}  # what was good before is kept


def test_an_answer_that_nobody_asked_for_is_said(machine: Local, checked: Callable[..., str]) -> None:
    name = checked(answered, answers=("one", "two"))
    with pytest.raises(UsageError, match="asks for no 'tow'"):
        autograder.answer(name, one=1, tow="two")
    autograder.answer(name, one=IPv4Address("10.0.0.1"), two=None)
    begun = load(machine, name)
    assert begun
    assert begun.answers == {"one": "10.0.0.1"}


def test_a_typo_is_told_what_there_is(machine: Local) -> None:
    assert machine
    for act in (autograder.task, autograder.check, autograder.solution):
        with pytest.raises(UsageError, match=r"containers\.wals") as raised:
            act("containers.wals")  # type: ignore[operator]
        assert raised.value.try_next == 'check("containers.walls")'


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
def test_a_check_that_fails_gives_no_points_and_says_so(
    machine: Local, checked: Callable[..., str], look: Callable[..., Iterator[Fact]], what: str
) -> None:
    assert machine
    with pytest.raises(run.CheckFailed, match=what):
        autograder.check(checked(look, timeout_s=0.5))


def test_a_task_that_has_not_begun_is_said(machine: Local) -> None:
    assert machine
    with pytest.raises(CourseError, match="has not begun") as raised:
        autograder.check("containers.walls")
    assert raised.value.try_next == 'task("containers.walls"), in its notebook'


def test_one_hint_more_each_time_and_then_the_solution(
    machine: Local, checked: Callable[..., str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine
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
    machine: Local, checked: Callable[..., str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = checked(answered, draw=lambda dice, _: {"port": dice.ports(1)[0], "policy": "Always"})
    begun = load(machine, name)
    assert begun
    shell = InteractiveShell()
    shell.user_ns["In"] = ["", f'it = task("{name}")', f"box.url({begun.port})", f"x = {begun.port}1"]
    monkeypatch.setattr("autograder.notebook._shell", lambda: shell)
    autograder.check(name)
    assert f"A cell holds {begun.port} itself" in capsys.readouterr().out
    shell.user_ns["In"] = ["", f'it = task("{name}")', "box.url(it.port)", "case $policy in Always)"]
    autograder.check(name)
    assert "itself" not in capsys.readouterr().out


def test_nothing_reaches_standard_error(machine: Local, checked: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    assert machine

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


def test_a_state_is_good_so_far_and_then_confirmed(
    machine: Local, checked: Callable[..., str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine
    monkeypatch.setattr(run, "HOLD_S", 0.01)
    looks = iter([True, False])

    def falls(_machine: Machine, _task: Task) -> Iterator[Fact]:
        """Hold."""
        yield Fact("it stands", next(looks), "")

    assert autograder.check(checked(falls, kind="state", parts=1)) == 0
    said = capsys.readouterr().out
    assert "4 of 4 points, so far" in said
    assert "0 of 4 points\n" in said


def test_a_state_that_falls_and_comes_back_has_not_held(
    machine: Local, checked: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine
    monkeypatch.setattr(run, "HOLD_S", 60)
    monkeypatch.setattr(run, "EVERY_S", 0.01)
    looks = iter([True, True, False, True])

    def flaps(_machine: Machine, _task: Task) -> Iterator[Fact]:
        """Hold."""
        yield Fact("it stands", next(looks), "")

    assert autograder.check(checked(flaps, kind="state", parts=1)) == 0
    assert next(looks)


def test_validate_shows_facts_as_an_error_and_grading_as_a_number(
    machine: Local, checked: Callable[..., str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine
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


def test_a_task_goes_on_until_it_is_begun_again(machine: Local, checked: Callable[..., str]) -> None:
    assert machine
    name = checked(answered, draw=lambda dice, _: {"word": dice.nonce(), "_secret": dice.nonce()})
    first, same, other = autograder.task(name), autograder.task(name), autograder.task(name, again=True)
    assert (first.key, first.word) == (same.key, same.word) != (other.key, other.word)
    assert "_secret" not in first.values
    with pytest.raises(AttributeError, match="it has: word"):
        _ = first.prot


def test_a_private_folder_adds_tasks(machine: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder.scaffold import new_task  # noqa: PLC0415

    assert machine
    written = new_task("test.greeting", tmp_path / "overlay")
    assert len(written) == 3
    monkeypatch.setenv(register.OVERLAY, str(tmp_path / "overlay"))
    register._load.cache_clear()
    assert register.find("test.greeting").goal == "Start a container that says a greeting."
    from autograder.points import points  # noqa: PLC0415

    assert points("test.greeting") == 2
    with pytest.raises(CourseError, match="is there already"):
        new_task("test.greeting", tmp_path / "overlay")
    for name in ("greeting", "Test.greeting", "test.", "a.b/../c"):
        with pytest.raises(UsageError, match="can't be the name"):
            new_task(name, tmp_path)
    with pytest.raises(UsageError, match="take its place"):
        new_task("containers.walls", tmp_path)


def test_what_is_wrong_with_a_private_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(register.OVERLAY, str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="There is no folder"):
        register.checks()
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/bad.py").write_text("def look(:\n")
    monkeypatch.setenv(register.OVERLAY, str(tmp_path))
    with pytest.raises(CourseError, match=r"bad.py can't be read[\s\S]+line 1"):
        register.checks()


def test_a_task_without_points_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder.points import points  # noqa: PLC0415

    monkeypatch.chdir(tmp_path)
    source = SOURCES / "containers/containers.ipynb"
    (tmp_path / "containers.ipynb").write_text(source.read_text().replace('"points": 3', '"points": 0'))
    with pytest.raises(CourseError, match="is worth nothing"):
        points("containers.walls")
