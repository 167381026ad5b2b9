"""A box that a learner's entries leave as they have found it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.entries import END

if TYPE_CHECKING:
    from lab.box.instances.box import Box


@pytest.fixture
def as_before(box: Box) -> Iterator[None]:
    """Ends what a test's entry has started on the box, and takes its rules away."""
    yield
    box.sh(END, check=True)
