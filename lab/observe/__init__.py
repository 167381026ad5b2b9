"""What a lesson observes on a machine; nothing here changes the machine.

All of it is read where the kernel says what a container is: from files under ``/proc`` and ``/sys/fs/cgroup``.  Each module has one noun:
``namespace`` (the walls around containers), ``process``, ``control_group`` (what containers use), ``web`` (what servers answer).  Lessons
import their functions from here.
"""

from __future__ import annotations

from lab.observe.control_group import used_mb
from lab.observe.namespace import NAMESPACES, WALLS, Between, Walls, between, namespaces, walls
from lab.observe.process import cpu_share, pid, processes, took
from lab.observe.web import APP, localhost, page

__all__ = [
    "APP", "NAMESPACES", "WALLS", "Between", "Walls", "between", "cpu_share", "localhost", "namespaces", "page", "pid", "processes", "took",
    "used_mb", "walls",
]  # fmt: skip
