"""What each of a Docker engine's events means for a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOT_DRAWN = ("exec_", "top", "resize", "attach", "copy", "export", "archive", "commit", "kill", "stop", "prune")
"""How actions begin that change nothing that is drawn.  A kill or a stop is followed by another event, "die"."""
SAME_DETAILS = ("pause", "unpause", "rename", "health_status")
"""How actions begin that change only what the engine's list says, not its long answer about a container."""


@dataclass(frozen=True)
class Change:
    """What an event means for a picture.

    Args:
        container: the id of the container that it is about; empty where it is about none.
        details: whether the engine's long answer about that container may have changed.
        started: whether that container has started.
    """

    container: str
    details: bool
    started: bool


def change(event: Mapping[str, Any]) -> Change | None:
    """What an event means for a picture; nothing where nothing that is drawn has changed.

    Raises:
        AttributeError: it is no event of an engine.
    """
    kind, action, actor = event.get("Type"), str(event.get("Action", "")), event.get("Actor", {})
    if kind not in ("container", "network") or action.startswith(NOT_DRAWN):
        return None
    container = str((actor.get("Attributes", {}).get("container") if kind == "network" else actor.get("ID")) or "")
    return Change(container, bool(container) and not action.startswith(SAME_DETAILS), action == "start")
