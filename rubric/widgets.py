"""What each widget of the course lacks of what a learner needs who does not see it, or has no mouse.

A widget has a *twin* where a class of ours decides what stands for it as text; and *keys* where its script makes something that the browser
itself gives the keyboard to, or listens to keys.  Whether they are good is for a test of each, and for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.panel import Panel
from autograder.progress_view import ProgressView
from lab.widgets.meters import Meters
from lab.widgets.predict import Prediction
from lab.widgets.topology import TopologyView

if TYPE_CHECKING:
    from ipywidgets import Widget

MAKERS: Mapping[str, type[Widget]] = {
    "meters": Meters,
    "predict": Prediction,
    "progress": ProgressView,
    "recall": Prediction,
    "topology": TopologyView,
    "watch": Panel,
}
"""The classes of what functions show, by the function's name."""
OURS = ("lab.", "autograder.")


def lacks(widget: type[Widget]) -> tuple[str, ...]:
    """What a widget does not have: ``text twin``, ``keys``."""
    own = [name for base in widget.__mro__ if base.__module__.startswith(OURS) for name in vars(base)]
    script = getattr(widget, "_esm", "")
    text = script.read_text() if isinstance(script, Path) else str(script)
    keys = "click" not in text or re.search(r'"(button|input|select|details)"|keydown', text)
    twin = {"_repr_mimebundle_", "_ipython_display_"} & set(own)
    return tuple(what for what, there in (("text twin", twin), ("keys", keys)) if not there)


def known() -> dict[str, tuple[str, ...]]:
    """What each function's widget lacks, by the function's name."""
    return {name: lacks(widget) for name, widget in MAKERS.items()}
