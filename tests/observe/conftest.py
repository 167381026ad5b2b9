"""Containers to be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lab.cleanup import clean

if TYPE_CHECKING:
    from lab.box.instances.box import Box

MINE = "look-"
"""What their names begin with."""


@pytest.fixture
def pair(box: Box, request: pytest.FixtureRequest) -> Iterator[Box]:
    """A box with the two containers that the module's ``PAIR`` starts, a script for the shell."""
    clean(box, MINE)
    box.sh(request.module.PAIR, check=True)
    yield box
    clean(box, MINE)
