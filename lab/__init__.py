"""What a lesson imports: your machine, and how to look at it.

``from lab import connect`` is the whole of a learner's vocabulary for a box.  The import is kept light (under 0.05 s), so nothing heavy is
loaded here: each name is looked up in its module when it is first used.
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
    from lab.widgets.save_button import save_button
    from lab.widgets.topology import show as topology

__all__ = ["boot", "connect", "load", "load_ipython_extension", "machines", "meters", "predict", "recall", "save_button", "topology"]
HOMES = {
    "boot": ("lab.widgets.console", "boot"),
    "connect": ("lab.box", "connect"),
    "load": ("lab.widgets.load", "load"),
    "machines": ("lab.box.machines", ""),
    "meters": ("lab.widgets.meters", "meters"),
    "predict": ("lab.widgets.predict", "predict"),
    "recall": ("lab.widgets.predict", "recall"),
    "save_button": ("lab.widgets.save_button", "save_button"),
    "topology": ("lab.widgets.topology", "show"),
}
"""The module of each name, and what the name is called there; empty where the name stands for the module itself."""


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module 'lab' has no attribute {name!r}")
    home, there = HOMES[name]
    module = import_module(home)
    return getattr(module, there) if there else module


def load_ipython_extension(shell: object) -> None:
    """Make ``%%box`` available; JupyterLab and the kernel in a box both load it from the course's IPython configuration."""
    import_module("lab.magics").register(shell)
