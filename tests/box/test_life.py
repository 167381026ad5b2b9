"""Which backend runs a box: what the learner wants, and what the computer can."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.box import engine, kvm, life, machines, qemu
from lab.box.errors import BoxNotRunning, NoBackend, UsageError
from lab.box.processes import Process
from lab.box.record import Record
from lab.box.state import State

NO_ENGINE = engine.Engine("here", why="No Docker engine is here.", try_next="start Docker")
ENGINE = engine.Engine("here", answers=True, version="28.0")

BEST = {  # QEMU, KVM, engine
    (True, True, True): "microvm",
    (True, True, False): "microvm",
    (True, False, True): "container",
    (True, False, False): "microvm",
    (False, True, True): "container",
    (False, True, False): None,
    (False, False, True): "container",
    (False, False, False): None,
}
Computer = Callable[[bool, bool, bool], None]


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch) -> Computer:
    """Make this a computer that has, or has not, QEMU, a KVM that works, and a Docker engine that answers."""

    def make(has_qemu: bool, kvm_works: bool, engine_answers: bool) -> None:
        monkeypatch.setattr(qemu, "version", lambda: "9.0.0" if has_qemu else None)
        monkeypatch.setattr(kvm, "probe", lambda _: kvm.Verdict(works=kvm_works, why="as the test says"))
        monkeypatch.setattr(engine, "find", lambda _: ENGINE if engine_answers else NO_ENGINE)

    return make


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path)
    yield state
    if "runtime" in state.__dict__:
        shutil.rmtree(state.runtime, ignore_errors=True)


@pytest.mark.parametrize("has", BEST)
def test_the_best_backend_is_chosen(computer: Computer, state: State, has: tuple[bool, bool, bool]) -> None:
    computer(*has)
    if best := BEST[has]:
        assert life.choose(state) == life.choose(state, "auto") == best
    else:
        with pytest.raises(NoBackend) as raised:
            life.choose(state)
        assert str(raised.value) == (
            f"Nothing here can run a box.\n{qemu.PROGRAM} is not installed, and no Docker engine is here.\nNext: course doctor"
        )


@pytest.mark.parametrize("has", BEST)
def test_a_wanted_microvm_needs_qemu_and_nothing_else(computer: Computer, state: State, has: tuple[bool, bool, bool]) -> None:
    computer(*has)
    if has[0]:
        assert life.choose(state, "microvm") == "microvm"
    else:
        with pytest.raises(NoBackend, match="is not installed") as raised:
            life.choose(state, "microvm")
        assert raised.value.what == "The microvm backend can't run here."


@pytest.mark.parametrize("has", BEST)
def test_a_wanted_container_needs_an_engine_and_nothing_else(computer: Computer, state: State, has: tuple[bool, bool, bool]) -> None:
    computer(*has)
    if has[2]:
        assert life.choose(state, "container") == "container"
    else:
        with pytest.raises(NoBackend) as raised:
            life.choose(state, "container")
        assert str(raised.value) == "The container backend can't run here.\nNo Docker engine is here.\nNext: start Docker"


OLD = f"{qemu.PROGRAM} is too old (6.2.0; it takes 7.2 or later)"


@pytest.mark.parametrize("engine_answers", [True, False])
def test_a_qemu_that_is_too_old_runs_nothing_and_is_named(
    computer: Computer, state: State, monkeypatch: pytest.MonkeyPatch, engine_answers: bool
) -> None:
    computer(True, True, engine_answers)
    monkeypatch.setattr(qemu, "version", lambda: "6.2.0")
    with pytest.raises(NoBackend) as raised:
        life.choose(state, "microvm")
    assert str(raised.value) == f"The microvm backend can't run here.\n{OLD}.\nNext: course doctor"
    with pytest.raises(NoBackend) as raised:
        machines._kind(Record("box", "container", "native", 1.0, Process(0, 0.0)), "microvm", cold=True)
    assert str(raised.value) == f"No virtual machine can be started here.\n{OLD}.\nNext: course doctor"
    if engine_answers:
        assert life.choose(state) == "container"
    else:
        with pytest.raises(NoBackend) as raised:
            life.choose(state)
        assert str(raised.value) == f"Nothing here can run a box.\n{OLD}, and no Docker engine is here.\nNext: course doctor"


@pytest.mark.parametrize(("version", "does"), [("7.1.90", False), ("7.2.0", True), ("7.2", True), ("10.0.2", True), ("unknown", False)])
def test_which_versions_of_qemu_do(computer: Computer, state: State, monkeypatch: pytest.MonkeyPatch, version: str, does: bool) -> None:
    computer(True, True, True)
    monkeypatch.setattr(qemu, "version", lambda: version)
    assert life.choose(state) == ("microvm" if does else "container")


@pytest.mark.parametrize("wanted", ["", "vm", "Container", "kubernetes"])
def test_a_backend_that_there_is_not_is_wrong_usage(computer: Computer, state: State, wanted: str) -> None:
    computer(True, True, True)
    with pytest.raises(UsageError) as raised:
        life.choose(state, wanted)
    assert raised.value.what == f"There is no backend {wanted!r}."
    assert "auto, microvm, container" in raised.value.why
    assert raised.value.exit_code == 2


def never(*_: object) -> None:
    pytest.fail("this takes seconds where an engine hangs, and is not needed")


@pytest.mark.parametrize("wanted", ["microvm", "auto"])
def test_an_engine_that_is_not_needed_is_not_asked(computer: Computer, state: State, monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    computer(True, True, True)
    monkeypatch.setattr(engine, "find", never)
    assert life.choose(state, wanted) == "microvm"


@pytest.mark.parametrize("record", [None, "", "{", "[]", "null", '{"relay": {}}', '{"relay": null, "machine": null}'])
def test_without_a_box_there_is_a_sentence(state: State, record: str | None) -> None:
    if record is not None:
        state.boxes.mkdir()
        Record.path(state).write_text(record)
    with pytest.raises(BoxNotRunning) as raised:
        life.current(state)
    assert raised.value.try_next == "course up"


def test_taking_down_nothing_is_no_error_and_leaves_nothing(computer: Computer, state: State) -> None:
    computer(True, True, False)
    leftover = state.boxes / "microvm" / "checkpoints"
    leftover.mkdir(parents=True)
    runtime = state.room("box").parent
    for _ in range(2):
        life.down(state)
    assert not runtime.exists()
    assert not leftover.exists()
    assert [path.name for path in state.boxes.iterdir()] == [".life.lock"]
