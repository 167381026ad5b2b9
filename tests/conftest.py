"""Fixtures for all tests: a Docker engine, and boxes on both backends.

Boxes are real.  What they are made from is built once into a state directory of the tests' own (``COURSE_TEST_STATE``, else ``.tests`` in
the checkout) and kept there, so that only the first run pays for it.

Tests that share a box run one after the other, in one process; those of another box run beside them (``--dist loadgroup``, see the
Makefile).  A test says which box it takes by the fixture ``running``, or one that is built on it: ``here``, ``box`` or ``fresh``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.box import lifecycle
from lab.box.core.installation import Installation
from lab.box.drivers.microvm import qemu
from lab.box.errors import CourseError
from lab.box.instances.box import Box
from tests.support.course import HOME, WORKER, state_directory
from tests.support.engine import answering_engine, private_engine, why_not

ROOT = Path(__file__).parents[1]
BACKENDS = ("microvm", "container")


def pytest_configure() -> None:
    # Ended from outside (a CI's time limit, `kill`), tests still clean up after themselves.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended by SIGTERM", returncode=128 + signal.SIGTERM))


def pytest_unconfigure() -> None:
    """Remove the boxes of processes that were ended before they could do so themselves."""
    if WORKER not in os.environ:
        for record in HOME.glob("*/boxes/current.json"):
            with suppress(CourseError):
                lifecycle.down(Installation(record.parents[1]))


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests share a box: those of one backend; the tasks, which are a third of all tests, have one of their own."""
    for item in items:
        backend = item.callspec.params.get("running") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
        if backend == "container" and "tests/autograder/" in item.nodeid:
            backend = "container of the tasks"
        if backend:
            item.add_marker(str(backend).partition(" ")[0])
        if backend or "engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(backend or "container"))


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """The address of a Docker engine: the user's own if it answers, else a private one for as long as the tests run."""
    if url := answering_engine():
        yield url
        return
    if reason := why_not():
        pytest.skip(reason)
    with private_engine() as url:
        yield url


@dataclass(frozen=True)
class Running:
    """An installation of the tests' own, on one backend, with a box that runs."""

    backend: str
    installation: Installation
    box: Box
    environment: dict[str, str] = field(repr=False)
    """For commands that shall find this installation."""


@pytest.fixture(scope="session", params=BACKENDS)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """An installation on each backend in turn; its box is shared, so a test that changes it asks for ``fresh``, or cleans up."""
    backend = request.param
    if backend == "microvm" and qemu.version() is None:
        pytest.skip(f"{qemu.PROGRAM} is not installed: tools/system-packages test")
    with pytest.MonkeyPatch.context() as patch:
        if backend == "container":
            patch.setenv("DOCKER_HOST", request.getfixturevalue("engine"))
        patch.setenv("COURSE_STATE", str(state_directory(backend)))
        installation = Installation.open()
        box = lifecycle.up(backend, installation=installation)
        yield Running(backend, installation, box, dict(os.environ))
        lifecycle.down(installation)


@pytest.fixture
def here(running: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """The installation, made the one that ``connect()`` and the command line find."""
    for name in ("COURSE_STATE", "DOCKER_HOST"):
        if name in running.environment:
            monkeypatch.setenv(name, running.environment[name])
        else:
            monkeypatch.delenv(name, raising=False)
    return running


@pytest.fixture
def box(here: Running) -> Box:
    """A box that is up; brought up again if the test before took it down."""
    try:
        here.box.status()
    except CourseError:
        lifecycle.up(here.backend, installation=here.installation)
    return here.box


@pytest.fixture
def fresh(box: Box) -> Box:
    """A pristine box."""
    box.reset()
    return box
