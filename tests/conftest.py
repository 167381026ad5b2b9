"""Fixtures for all tests: a Docker engine, and boxes on both backends.

Boxes are real.  What they are made from is built once into a state directory of the tests' own (``COURSE_TEST_STATE``, else ``.tests`` in
the checkout) and kept there, so that only the first run pays for it.

Tests that share a box run one after the other, in one process; those of another box run beside them (``OneBoxOneProcess``).  A test says
which box it takes by the fixture ``running``, or one that is built on it: ``here``, ``box`` or ``fresh``.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

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


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the boxes of worker processes that were ended before they could do so themselves."""
    if config.getoption("numprocesses", None) and WORKER not in os.environ:
        for record in HOME.glob("*/boxes/current.json"):
            with suppress(CourseError):
                lifecycle.down(Installation(record.parents[1]))


@pytest.hookimpl(tryfirst=True)  # before pytest looks which marks are wanted
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the backend whose box they take, so that ``-m microvm`` selects them."""
    for item in items:
        if backend := backend_of(item.nodeid):
            item.add_marker(backend)
            if backend == "microvm" and item.get_closest_marker("above"):
                item.add_marker("full")


class OneBoxOneProcess(LoadScopeScheduling):
    """Gives all tests that share a box to one process, and each other test to whoever is free.

    pytest-xdist's own ``loadgroup`` does it by a mark, which it writes into a test's name; pytest 9.2 does not let it.
    """

    def _split_scope(self, nodeid: str) -> str:
        backend = backend_of(nodeid)
        return f"{backend} of the tasks" if backend == "container" and "tests/autograder/" in nodeid else backend or nodeid


def backend_of(nodeid: str) -> str:
    """The backend whose box a test takes, by the parameter in its name; empty if it takes none."""
    found = re.search(r"[\[-](microvm|container)(?=[\]-])", nodeid)
    return found[1] if found else ""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneBoxOneProcess:
    return OneBoxOneProcess(config, log)


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
        lifecycle.down(installation, forget=True)  # of a run that was killed
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
