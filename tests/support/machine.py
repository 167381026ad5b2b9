"""This computer as a machine without Docker, for tests of what only wants a shell and files."""

from __future__ import annotations

from pathlib import Path

from lab.box.machine import Machine


class Local(Machine):
    """Commands run here.

    Args:
        home: their working directory.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def _command(self, command: str) -> list[str]:
        return ["bash", "-c", f"cd '{self._home}' && {command}"]
