"""What a lesson imports: your machine, and how to look at it.

``from lab import connect`` is the whole of a learner's vocabulary for a box.  The import is kept light (under half a second), so
nothing heavy is loaded here: names are resolved when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.box import connect, machines
    from lab.widgets.console import boot
    from lab.widgets.load import load
    from lab.widgets.meters import meters
    from lab.widgets.predict import predict, recall

__all__ = ["boot", "connect", "load", "load_ipython_extension", "machines", "meters", "predict", "recall", "topology"]
HOMES = {
    "boot": "lab.widgets.console", "connect": "lab.box", "load": "lab.widgets.load", "meters": "lab.widgets.meters",
    "predict": "lab.widgets.predict", "recall": "lab.widgets.predict",
}  # fmt: skip

MODULES = {"machines": "lab.box.machines", "topology": "lab.topology"}


def __getattr__(name: str) -> object:
    if name in MODULES:
        return import_module(MODULES[name])
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'lab' has no attribute {name!r}")


def load_ipython_extension(shell: object) -> None:
    """Make ``%%box`` available; JupyterLab and the kernel in a box both load it from the course's IPython configuration."""
    import_module("lab.magics").register(shell)
