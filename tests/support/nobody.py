"""Be an ordinary user for a moment: tests in a container are often root, to whom no file is forbidden."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

NOBODY = 65534


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Open files and sockets with nobody's rights.  What is imported for the first time in here may not be found."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
