"""Fixtures for all tests."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.engine import answering_engine, private_engine, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator


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
