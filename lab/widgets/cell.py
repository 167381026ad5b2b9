"""Ends what a cell has shown, such as a live picture, when the cell has run again.

The output of the earlier run is gone by then, and without this its threads would go on working for nobody.  JupyterLab sends the id of the
cell with each request.  Where no front end does, as when nbclient runs a notebook from top to bottom, everything lives as long as the
kernel.

What the earlier run has shown ends *after* the cell has run again.  So a picture that takes the place of another one can share its feed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.core.getipython import get_ipython

_shown: dict[str, list[tuple[str, Callable[[], None]]]] = {}
"""By the id of a cell: the ids of the runs that have shown something, each with what ends that."""


def ends_with_its_cell(close: Callable[[], None]) -> None:
    """Have a function called when the cell that runs now has run again; nothing happens outside a cell.

    Args:
        close: ends what the cell shows.
    """
    shell: Any = get_ipython()
    cell, run = _running(shell)
    if not cell:
        return
    if not _shown:
        shell.events.register("post_run_cell", lambda _: _ran(shell))
    _shown.setdefault(cell, []).append((run, close))


def _running(shell: Any) -> tuple[str, str]:
    """The ids of the cell that runs, and of this run of it, as the front end has sent them; empty if it has sent none."""
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return str(request.get("metadata", {}).get("cellId") or ""), str(request.get("header", {}).get("msg_id"))


def _ran(shell: Any) -> None:
    cell, run = _running(shell)
    shown = _shown.get(cell, [])
    for earlier, close in shown:
        if earlier != run:
            close()
    shown[:] = [one for one in shown if one[0] == run]
