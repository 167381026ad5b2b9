"""A picture of what is really there: ``snapshot`` (plain data) → ``graph`` (networkx) → ``elements``, ``svg``, ``text``, its drawings.

``from lab import topology`` gives this package, and a lesson calls it: ``topology(box)`` is the live picture of ``lab.widgets.topology``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lab.topology.graph import graph
from lab.topology.snapshot import Snapshot, snapshot
from lab.topology.text import text

if TYPE_CHECKING:
    from lab.box.machine import Machine

__all__ = ["Snapshot", "graph", "snapshot", "text"]


class _Package(ModuleType):
    """A package of this name is what the name means once anything in it was imported; so that is made to be callable."""

    def __call__(self, *machines: Machine) -> Any:
        """See ``lab.widgets.topology.show``, a layer further up, which is imported only here."""
        return import_module("lab.widgets.topology").show(*machines)


sys.modules[__name__].__class__ = _Package
