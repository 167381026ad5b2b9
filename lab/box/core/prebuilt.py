"""What was built before, for many: an image brings a build and packed templates along, and a session uses them."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "COURSE_PREBUILT"
"""The variable that names their directory; in it are ``build/`` and ``templates/``, as in a state directory."""


def find(kind: str, name: str) -> Path | None:
    """What was built before, if it is there.

    Args:
        kind: ``build`` or ``templates``.
        name: of the directory; it changes with whatever decides the content, so what is found is what would be made.
    """
    root = os.environ.get(VARIABLE)
    found = Path(root) / kind / name if root else None
    return found if found and found.is_dir() else None
