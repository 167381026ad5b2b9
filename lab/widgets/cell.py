"""What a cell shows ends when the cell has run again: its output is gone by then, and its threads would go on looking for nobody.

JupyterLab names the cell that it runs in its request. Where no front end does, as when nbclient runs a notebook from top to bottom, nothing
ends before its kernel. What was shown earlier ends *after* the cell, so that what took its place has the same feed by then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.core.getipython import get_ipython

_shown: dict[str, list[tuple[str, Callable[[], None]]]] = {}
"""By cell: which run of it showed something, and what ends that."""


def ends_with_its_cell(close: Callable[[], None]) -> None:
    """Have something called when the cell that runs now has run again; nothing where there is no such cell.

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
    """The cell that runs, and this run of it, by the ids that the front end gave them; empty where it gave none."""
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return str(request.get("metadata", {}).get("cellId") or ""), str(request.get("header", {}).get("msg_id"))


def _ran(shell: Any) -> None:
    cell, run = _running(shell)
    shown = _shown.get(cell, [])
    for earlier, close in shown:
        if earlier != run:
            close()
    shown[:] = [one for one in shown if one[0] == run]
