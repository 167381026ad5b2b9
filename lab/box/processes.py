"""Processes that outlive the command that started them, and how to be sure that it is still them.

A process id alone may have been given to somebody else since; the id together with the time of its start may not.
"""

from __future__ import annotations

import os
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
    """Start a process in a session of its own, so that neither Ctrl-C nor a closed terminal ends it, and nobody waits for its end.

    Args:
        command: program, as a path, and arguments.
        log: gets its output.
        fds: file descriptors that it inherits, with their numbers.
        env: set in its environment.
    """
    for fd in fds:
        os.set_inheritable(fd, True)
    outputs = [(os.POSIX_SPAWN_OPEN, fd, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) for fd in (1, 2)]
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), *outputs]
    return Process.of(os.posix_spawn(command[0], command, {**os.environ, **(env or {})}, file_actions=actions, setsid=True))


def end_all(marker: str) -> None:
    """End every process of this user whose command line contains *marker*, such as a directory that only the course uses."""
    mine = os.getpid()
    for found in psutil.process_iter(["cmdline", "uids"]):
        command = " ".join(found.info["cmdline"] or ())
        if found.pid != mine and marker in command and found.info["uids"].real == os.getuid():
            with suppress(psutil.NoSuchProcess):
                found.kill()
                found.wait(5)
