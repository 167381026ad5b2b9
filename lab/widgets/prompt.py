"""A widget that hears a click although a cell runs.

JupyterLab sends what a browser says to a widget through a subshell, so that it need not wait for the cell that runs.  But ipykernel (7.4)
notes with each message to a browser where that came from, and sends the browser's next one there: behind the cell.  That note is taken
away.
"""

from __future__ import annotations

from typing import Any

import anywidget


class PromptWidget(anywidget.AnyWidget):
    """To be derived from."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._hear_at_once()

    def _send(self, msg: object, buffers: object = None) -> None:
        super()._send(msg, buffers)
        self._hear_at_once()

    def _hear_at_once(self) -> None:
        comm: Any = self.comm
        if comm:
            comm.__dict__.pop("_reply_subshell_id", None)
