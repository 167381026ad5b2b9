"""Fixtures for all tests: a Docker engine, and boxes on both backends.

Boxes are real.  What they are made from is built once into a state directory of the tests' own (``COURSE_TEST_STATE``, else ``.tests`` in
the checkout) and kept there, so that only the first run pays for it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.box import lifecycle
from lab.box.core.installation import Installation
from lab.box.drivers.microvm import qemu
from lab.box.errors import CourseError
from lab.box.instances.box import Box
from tests.support.engine import answering_engine, private_engine, why_not

ROOT = Path(__file__).parents[1]
BACKENDS = ("microvm", "container")


def pytest_configure() -> None:
    # Ended from outside (a CI's time limit, `kill`), tests still clean up after themselves.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended by SIGTERM", returncode=128 + signal.SIGTERM))


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
def built() -> Path:
    """Where the tests keep what they built: one directory per backend, which share the build."""
    home = Path(os.environ.get("COURSE_TEST_STATE") or ROOT / ".tests").absolute()
    for backend in BACKENDS:
        (home / backend).mkdir(parents=True, exist_ok=True)
        if not (home / backend / "build").exists():
            (home / "build").mkdir(exist_ok=True)
            (home / backend / "build").symlink_to("../build")
    return home


@pytest.fixture(scope="session", params=BACKENDS)
def running(request: pytest.FixtureRequest, built: Path) -> Iterator[Running]:
    """An installation on each backend in turn; its box is shared, so a test that changes it asks for ``fresh``, or cleans up."""
    backend = request.param
    if backend == "microvm" and qemu.version() is None:
        pytest.skip(f"{qemu.PROGRAM} is not installed: tools/system-packages test")
    with pytest.MonkeyPatch.context() as patch:
        if backend == "container":
            patch.setenv("DOCKER_HOST", request.getfixturevalue("engine"))
        patch.setenv("COURSE_STATE", str(built / backend))
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
