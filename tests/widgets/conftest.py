"""The picture's box, for the widgets that show what is on it."""

from __future__ import annotations

from tests.picture.conftest import bare

__all__ = ["bare"]
