"""Fixtures for all tests: a Docker engine, and boxes on both backends.

Boxes are real.  What they are made from is built once into a state directory of the tests' own (``COURSE_TEST_STATE``, else ``.tests`` in
the checkout) and kept there, so that only the first run pays for it.

A test says that it takes a box by the fixture ``running``, or one that is built on it: ``box`` or ``fresh``.  Each process that runs tests
has one box on each backend, which its tests share.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from lab.box import lifecycle
from lab.box.core.installation import Installation
from lab.box.drivers.microvm import qemu
from lab.box.errors import CourseError
from lab.box.instances.box import Box
from tests.support.course import HOME, WORKER, prepare_template, state_directory
from tests.support.engine import answering_engine, private_engine, why_not

hypothesis.settings.register_profile("course", deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("course")

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

ROOT = Path(__file__).parents[1]
BACKENDS = ("microvm", "container")
FIRST = "gw0"
"""What pytest-xdist calls the first of the processes."""
ORDER = ("", "container", "microvm")
"""Of tests, by the box that they take."""
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
    """Mark tests by the backend whose box they take, so that ``-m microvm`` selects them, and put them in order.

    First come those that take no box, because one has to be built; last those of the emulated one.  In between, what is deep in the tree
    comes before the lessons, which need the processor that the template is still made on.
    """
    for item in items:
        if backend := backend_of(item.nodeid):
            item.add_marker(backend)
            if backend == "microvm" and item.get_closest_marker("above"):
                item.add_marker("full")
    items.sort(key=lambda item: (ORDER.index(backend_of(item.nodeid)), -len(item.path.parts)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin with the template of the emulated boxes, if a test takes one: it needs minutes, and one core."""
    if session.config.option.collectonly or os.environ.get(WORKER, FIRST) != FIRST:
        return
    if any(item.get_closest_marker("microvm") for item in session.items):
        session.config.stash[TEMPLATE] = prepare_template()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if process := session.config.stash.get(TEMPLATE, None):
        process.terminate()
        process.wait()


class Scheduler(LoadScopeScheduling):
    """Gives tests out one by one, and once each takes a box, to the first process from the end.

    So one process emulates, and needs a processor for itself, while the others take what mostly waits.  Tests of one module come one after
    the other, and share what it has made.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid

    def _assign_work_unit(self, node: WorkerController) -> None:
        if node.gateway.id == FIRST and backend_of(next(iter(self.workqueue))):
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)


def backend_of(nodeid: str) -> str:
    """The backend whose box a test takes, by the parameter in its name; empty if it takes none."""
    found = re.search(r"[\[-](microvm|container)(?=[\]-])", nodeid)
    return found[1] if found else ""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler:
    return Scheduler(config, log)


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """The address of a Docker engine: the user's own if it answers, else a private one for as long as the tests run."""
    if url := answering_engine():
        yield url
        return
    if reason := why_not():
        pytest.skip(reason)
    with private_engine(in_memory=True) as url:
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
def microvm() -> Iterator[Running]:
    """The box on the backend ``microvm``, for all tests of this process."""
    if qemu.version() is None:
        pytest.skip(f"{qemu.PROGRAM} is not installed: tools/system-packages test")
    yield from box_on("microvm", {})


@pytest.fixture(scope="session")
def container(engine: str) -> Iterator[Running]:
    """The box on the backend ``container``, for all tests of this process."""
    yield from box_on("container", {"DOCKER_HOST": engine})


def box_on(backend: str, more: dict[str, str]) -> Iterator[Running]:
    """A box that runs until the iterator goes on."""
    environment = os.environ | more | {"COURSE_STATE": str(state_directory(backend))}
    with finding(environment):
        installation = Installation.open()
        lifecycle.down(installation, forget=True)  # of a run that was killed
        box = lifecycle.up(backend, installation=installation)
    yield Running(backend, installation, box, environment)
    with finding(environment):
        lifecycle.down(installation)


@contextmanager
def finding(environment: dict[str, str]) -> Iterator[None]:
    """In the ``with`` block, ``connect()`` and the command line find the box of this environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("COURSE_STATE", "DOCKER_HOST"):
            if name in environment:
                patch.setenv(name, environment[name])
            else:
                patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module", params=BACKENDS)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """An installation on each backend in turn, which ``connect()`` and the command line find.

    Its box is shared, so a test that changes it asks for ``fresh``, or cleans up.
    """
    found: Running = request.getfixturevalue(request.param)
    with finding(found.environment):
        yield found


@pytest.fixture
def box(running: Running) -> Box:
    """A box that is up; brought up again if the test before took it down."""
    try:
        running.box.status()
    except CourseError:
        lifecycle.up(running.backend, installation=running.installation)
    return running.box


@pytest.fixture
def fresh(box: Box) -> Box:
    """A pristine box."""
    box.reset()
    return box
