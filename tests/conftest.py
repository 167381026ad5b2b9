"""Fixtures for all tests: a Docker engine, and boxes on both backends.

Boxes are real.  What they are made from is built once into a state directory of the tests' own (``COURSE_TEST_STATE``, else ``.tests`` in
the checkout) and kept there, so that only the first run pays for it.

A test says that it takes a box by the fixture ``running``, or one that is built on it: ``here``, ``box`` or ``fresh``.  Each process that
runs tests has one box on each backend, which its tests share.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from lab.box import lifecycle
from lab.box.core.installation import Installation
from lab.box.drivers.microvm import qemu
from lab.box.errors import CourseError
from lab.box.instances.box import Box
from tests.support.course import HOME, WORKER, prepare_template, state_directory
from tests.support.engine import answering_engine, private_engine, why_not

ROOT = Path(__file__).parents[1]
BACKENDS = ("microvm", "container")
TEMPLATE = pytest.StashKey[subprocess.Popen[bytes]]()


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
    """Mark tests by the backend whose box they take, so that ``-m microvm`` selects them, and put those that take none first.

    The first box is built meanwhile.  Then come the lessons and what else is at the top of the tree, because it takes longest.
    """
    for item in items:
        if backend := backend_of(item.nodeid):
            item.add_marker(backend)
            if backend == "microvm" and item.get_closest_marker("above"):
                item.add_marker("full")
    items.sort(key=lambda item: (bool(backend_of(item.nodeid)), len(item.path.parts)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin with the template of the emulated boxes, if a test takes one: it needs minutes, and one core."""
    if os.environ.get(WORKER, "") in {"", "gw0"} and any(item.get_closest_marker("microvm") for item in session.items):
        session.config.stash[TEMPLATE] = prepare_template()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if process := session.config.stash.get(TEMPLATE, None):
        process.terminate()
        process.wait()


class EachTestToWhoeverIsFree(LoadScopeScheduling):
    """Gives tests out one by one, in their order: tests of one module come one after the other, and share what it has made."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid


def backend_of(nodeid: str) -> str:
    """The backend whose box a test takes, by the parameter in its name; empty if it takes none."""
    found = re.search(r"[\[-](microvm|container)(?=[\]-])", nodeid)
    return found[1] if found else ""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> EachTestToWhoeverIsFree:
    return EachTestToWhoeverIsFree(config, log)


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


@pytest.fixture(scope="session")
def boxes(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Running]]:
    """Starts a box on a backend; there is one on each, for all tests of this process."""
    with ExitStack() as stack:

        @cache
        def box_on(backend: str) -> Running:
            engine = request.getfixturevalue("engine") if backend == "container" else ""
            return stack.enter_context(box_up(backend, engine))

        yield box_on


@contextmanager
def box_up(backend: str, engine: str) -> Iterator[Running]:
    """A box that runs as long as the ``with`` block."""
    chosen = {"COURSE_STATE": str(state_directory(backend))} | ({"DOCKER_HOST": engine} if engine else {})
    with pytest.MonkeyPatch.context() as patch:
        for name, value in chosen.items():
            patch.setenv(name, value)
        installation = Installation.open()
        lifecycle.down(installation, forget=True)  # of a run that was killed
        running = Running(backend, installation, lifecycle.up(backend, installation=installation), dict(os.environ))
    yield running
    with pytest.MonkeyPatch.context() as patch:
        for name, value in chosen.items():
            patch.setenv(name, value)
        lifecycle.down(installation)


@pytest.fixture(scope="module", params=BACKENDS)
def running(request: pytest.FixtureRequest, boxes: Callable[[str], Running]) -> Running:
    """An installation on each backend in turn; its box is shared, so a test that changes it asks for ``fresh``, or cleans up."""
    if request.param == "microvm" and qemu.version() is None:
        pytest.skip(f"{qemu.PROGRAM} is not installed: tools/system-packages test")
    return boxes(request.param)


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
