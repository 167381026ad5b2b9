"""Which backend runs a box: what the learner wants, and what the computer can."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.box import machines
from lab.box.core.installation import Installation
from lab.box.core.record import Origin, Record
from lab.box.drivers import registry
from lab.box.drivers.container import engine
from lab.box.drivers.microvm import kvm, qemu
from lab.box.errors import NoBackend, UsageError

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
        monkeypatch.setattr(kvm, "probe", lambda *_: kvm.Verdict(works=kvm_works, why="as the test says"))
        monkeypatch.setattr(engine, "find", lambda: ENGINE if engine_answers else NO_ENGINE)

    return make


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    yield installation
    if "runtime" in installation.__dict__:
        shutil.rmtree(installation.runtime, ignore_errors=True)


@pytest.mark.parametrize("has", BEST)
def test_the_best_backend_is_chosen(computer: Computer, installation: Installation, has: tuple[bool, bool, bool]) -> None:
    computer(*has)
    if best := BEST[has]:
        assert registry.choose(installation).name == registry.choose(installation, "auto").name == best
    else:
        with pytest.raises(NoBackend) as raised:
            registry.choose(installation)
        assert str(raised.value) == (
            f"Nothing here can run a box.\n{qemu.PROGRAM} is not installed. No Docker engine is here.\nNext: course doctor"
        )


@pytest.mark.parametrize("has", BEST)
def test_a_wanted_microvm_needs_qemu_and_nothing_else(computer: Computer, installation: Installation, has: tuple[bool, bool, bool]) -> None:
    computer(*has)
    if has[0]:
        assert registry.choose(installation, "microvm").name == "microvm"
    else:
        with pytest.raises(NoBackend, match="is not installed") as raised:
            registry.choose(installation, "microvm")
        assert raised.value.what == "The microvm backend can't run here."


@pytest.mark.parametrize("has", BEST)
def test_a_wanted_container_needs_an_engine_and_nothing_else(
    computer: Computer, installation: Installation, has: tuple[bool, bool, bool]
) -> None:
    computer(*has)
    if has[2]:
        assert registry.choose(installation, "container").name == "container"
    else:
        with pytest.raises(NoBackend) as raised:
            registry.choose(installation, "container")
        assert str(raised.value) == "The container backend can't run here.\nNo Docker engine is here.\nNext: start Docker"


OLD = f"{qemu.PROGRAM} is too old (6.2.0; it takes 7.2 or later)"


@pytest.mark.parametrize("engine_answers", [True, False])
def test_a_qemu_that_is_too_old_runs_nothing_and_is_named(
    computer: Computer, installation: Installation, monkeypatch: pytest.MonkeyPatch, engine_answers: bool
) -> None:
    computer(True, True, engine_answers)
    monkeypatch.setattr(qemu, "version", lambda: "6.2.0")
    with pytest.raises(NoBackend) as raised:
        registry.choose(installation, "microvm")
    assert str(raised.value) == f"The microvm backend can't run here.\n{OLD}.\nNext: course doctor"
    with pytest.raises(NoBackend) as raised:
        machines._backend(installation, Record("box", "container", Origin("", "native")), "microvm", boot=True)
    assert str(raised.value) == f"The microvm backend can't run here.\n{OLD}.\nNext: course doctor"
    if engine_answers:
        assert registry.choose(installation).name == "container"
    else:
        with pytest.raises(NoBackend) as raised:
            registry.choose(installation)
        assert str(raised.value) == f"Nothing here can run a box.\n{OLD}. No Docker engine is here.\nNext: course doctor"


@pytest.mark.parametrize(("version", "does"), [("7.1.90", False), ("7.2.0", True), ("7.2", True), ("10.0.2", True), ("unknown", False)])
def test_which_versions_of_qemu_do(
    computer: Computer, installation: Installation, monkeypatch: pytest.MonkeyPatch, version: str, does: bool
) -> None:
    computer(True, True, True)
    monkeypatch.setattr(qemu, "version", lambda: version)
    assert registry.choose(installation).name == ("microvm" if does else "container")


@pytest.mark.parametrize("wanted", ["", "vm", "Container", "kubernetes"])
def test_a_backend_that_there_is_not_is_wrong_usage(computer: Computer, installation: Installation, wanted: str) -> None:
    computer(True, True, True)
    with pytest.raises(UsageError) as raised:
        registry.choose(installation, wanted)
    assert raised.value.what == f"There is no backend {wanted!r}."
    assert "auto, microvm, container" in raised.value.why
    assert raised.value.exit_code == 2


def never(*_: object) -> None:
    pytest.fail("this takes seconds where an engine hangs, and is not needed")


@pytest.mark.parametrize("wanted", ["microvm", "auto"])
def test_an_engine_that_is_not_needed_is_not_asked(
    computer: Computer, installation: Installation, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    computer(True, True, True)
    monkeypatch.setattr(engine, "find", never)
    assert registry.choose(installation, wanted).name == "microvm"
