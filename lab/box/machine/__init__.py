"""A machine as lessons and checks hold it, from outside a box and from inside: a shell, files, a Docker client."""

from __future__ import annotations

from lab.box.machine.base import Machine

__all__ = ["Machine"]
