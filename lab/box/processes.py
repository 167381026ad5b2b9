"""Processes that outlive the command that started them, and how to be sure that it is still them.

A process id alone may have been given to somebody else since; the id together with the time of its start may not.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Process:
    """One process, told apart from a later one with the same id."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Process:
        """The running process with this id."""
        return cls(pid, psutil.Process(pid).create_time())

    @property
    def alive(self) -> bool:
        """Is it still there, and not only waiting to be collected by its parent?"""
        return self._find() is not None

    @property
    def memory_mb(self) -> float:
        """Its proportional share of memory: what it has for itself, and its part of what it shares, in MB."""
        found = self._find()
        return float(found.memory_full_info().pss) / 1e6 if found else 0.0

    def end(self, patience_s: float = 2.0) -> None:
        """Ask it to end, then make it; return when it is gone."""
        if found := self._find():
            with suppress(psutil.NoSuchProcess):
                found.terminate()
                with suppress(psutil.TimeoutExpired):
                    found.wait(patience_s)
                    return
                found.kill()
                found.wait(patience_s)

    def kill(self) -> None:
        """End it at once."""
        if found := self._find():
            with suppress(psutil.NoSuchProcess):
                found.kill()
                found.wait(2)

    def _find(self) -> psutil.Process | None:
        try:
            found = psutil.Process(self.pid)
            if abs(found.create_time() - self.started) < 1 and found.status() != psutil.STATUS_ZOMBIE:
                return found
        except psutil.NoSuchProcess:
            pass
        return None


def spawn(command: list[str], log: Path, *, fds: tuple[int, ...] = (), env: dict[str, str] | None = None) -> Process:
    """Start a process in a session of its own, so that neither Ctrl-C nor a closed terminal ends it.

    Args:
        command: program and arguments.
        log: gets its output.
        fds: file descriptors that it inherits, with their numbers.
        env: set in its environment.
    """
    with log.open("ab") as output:
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=fds, start_new_session=True,
            cwd="/", env={**os.environ, **(env or {})},
        )  # fmt: skip
    _children.append(started)
    return Process.of(started.pid)


_children: list[subprocess.Popen[bytes]] = []
"""Kept so that Python collects those that end while we run, and doesn't warn about those that don't."""


def end_all(marker: str) -> None:
    """End every process of this user whose command line contains *marker*, such as a directory that only the course uses."""
    mine = os.getpid()
    for found in psutil.process_iter(["cmdline", "uids"]):
        command = " ".join(found.info["cmdline"] or ())
        if found.pid != mine and marker in command and found.info["uids"].real == os.getuid():
            with suppress(psutil.NoSuchProcess):
                found.kill()
                found.wait(5)
