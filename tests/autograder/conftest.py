"""A machine without Docker, and a task made of a function, for tests of what is not about a box."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import autograder
from autograder.framework import register
from autograder.framework.fact import Fact
from lab.box.core.inside import NBGRADER
from tests.support.machine import Local

Checked = Callable[..., str]


class CountedTrips(Local):
    """Counts how many commands were run on it."""

    trips = 0

    def ask_for_command(self) -> socket.socket:
        self.trips += 1
        return super().ask_for_command()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountedTrips]:
    """This computer, which is machine enough for what is not about Docker."""
    local = CountedTrips(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv(NBGRADER, raising=False)
    for module in ("autograder.notebook", "autograder.framework.task"):
        assert hasattr(import_module(module), "DIRECTORY")
        monkeypatch.setattr(f"{module}.DIRECTORY", str(tmp_path / "tasks"))
    monkeypatch.setattr("autograder.notebook.connect", lambda: local)
    monkeypatch.setattr("autograder.notebook.points", lambda *_: 4.0)
    monkeypatch.setattr("autograder.framework.task.clean", lambda *_: None)
    yield local
    for name in [name for name in register.checks() if name.startswith("test.")]:
        del register._known[name]  # type: ignore[attr-defined]


@pytest.fixture
def checked(machine: Local) -> Checked:  # noqa: ARG001  (the task begins on it)
    """Make a check out of a function, and begin its task; the name of the task."""

    def make(look: Callable[..., Iterator[Fact]], name: str = "test.it", **options: object) -> str:
        settings: dict[str, object] = {"kind": "answer", "parts": 2, "draw": lambda dice, _: {"port": dice.ports(1)[0]}}
        register.check(name, **(settings | options))(look)  # type: ignore[arg-type]
        autograder.task(name)
        return name

    return make
