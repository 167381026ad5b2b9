"""A widget that learns of a click at once, even while a cell runs.

JupyterLab sends a browser's messages to a widget through a subshell of the kernel, so that they need not wait for the cell that runs.  But
ipykernel (7.4) notes for each message to the browser from where it was sent, and puts the browser's next message there: into the queue
behind the cell.  So that note is removed.
"""

from __future__ import annotations

from typing import Any

import anywidget


class PromptWidget(anywidget.AnyWidget):
    """The base class of widgets that answer while a cell runs."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._receive_at_once()

    def _send(self, msg: object, buffers: object = None) -> None:
        super()._send(msg, buffers)
        self._receive_at_once()

    def _receive_at_once(self) -> None:
        comm: Any = self.comm
        if comm:
            comm.__dict__.pop("_reply_subshell_id", None)
