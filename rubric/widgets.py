"""What each widget of the course lacks for a learner who can't see it, or has no mouse.

A widget has a *text twin* if one of our classes says what is shown as text in its place.  It has *keys* if its script makes an element that
browsers give the keyboard to, such as a button, or listens to keys itself.  Whether both are good is left to tests, and to people.
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
from lab.widgets.save_button import SaveButton
from lab.widgets.topology import TopologyView

if TYPE_CHECKING:
    from ipywidgets import Widget

MAKERS: Mapping[str, type[Widget]] = {
    "meters": Meters,
    "predict": Prediction,
    "progress": ProgressView,
    "recall": Prediction,
    "save_button": SaveButton,
    "topology": TopologyView,
    "watch": Panel,
}
"""By the name of a function that shows a widget, the widget's class."""
OURS = ("lab.", "autograder.")


def lacks(widget: type[Widget]) -> tuple[str, ...]:
    """What a widget does not have: ``text twin``, ``keys``, both, or nothing."""
    own = [name for base in widget.__mro__ if base.__module__.startswith(OURS) for name in vars(base)]
    script = getattr(widget, "_esm", "")
    text = script.read_text() if isinstance(script, Path) else str(script)
    keys = "click" not in text or re.search(r'"(button|input|select|details)"|keydown', text)
    twin = {"_repr_mimebundle_", "_ipython_display_"} & set(own)
    return tuple(what for what, there in (("text twin", twin), ("keys", keys)) if not there)


def known() -> dict[str, tuple[str, ...]]:
    """For each function that shows a widget, by its name, what the widget lacks."""
    return {name: lacks(widget) for name, widget in MAKERS.items()}
