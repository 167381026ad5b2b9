"""Processes that outlive the command that started them, and how to be sure that it is still them.

A process id can be given to another process later; the id and the start time together can't.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from lab.box.errors import WaitTimeout
from lab.box.wait import wait_until

LAUNCHER = Path(__file__).with_name("detach.py")
CHECKOUT = Path(__file__).parents[3]
"""The directory that ``lab`` is in, wherever the course was found."""
GONE_S = 10


@dataclass(frozen=True)
class Process:
    """One process, told apart from a later one with the same id.

    Args:
        pid: its id.
        started: when it started; see ``_started``.
    """

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process with this id; one that has ended already is never alive."""
        try:
            return cls(pid, _started(pid))
        except psutil.NoSuchProcess:
            return cls(pid, 0.0)

    @property
    def alive(self) -> bool:
        """Is it still there, and not only waiting to be collected by its parent?"""
        return self._find() is not None

    @property
    def memory_mb(self) -> float:
        """Its proportional share of memory: what it has for itself, and its part of what it shares, in MB."""
        found = self._find()
        return float(found.memory_full_info().pss) / 1e6 if found else 0.0

    def kill(self) -> None:
        """Kill the process, and wait at most 10 s until it is gone; returns without an error if it is still there."""
        if found := self._find():
            with suppress(psutil.NoSuchProcess):
                found.kill()
            with suppress(WaitTimeout):
                wait_until(f"process {self.pid} to end", lambda: not self.alive, timeout_s=GONE_S, every_s=0.005)

    def _find(self) -> psutil.Process | None:
        try:
            found = psutil.Process(self.pid)
            if _started(self.pid) == self.started and found.status() != psutil.STATUS_ZOMBIE:
                return found
        except psutil.NoSuchProcess:
            pass
        return None


def _started(pid: int) -> float:
    """When a process started: on Linux in clock ticks since the computer did, else in seconds since the epoch.

    Whoever corrects the computer's clock changes the second, and psutil's answer with it, but not the first.

    Raises:
        psutil.NoSuchProcess: there is none with this id.
    """
    try:
        return float(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return float(psutil.Process(pid).create_time())


def spawn(command: list[str], log: Path, *, fds: tuple[int, ...] = (), env: Mapping[str, str | None] | None = None) -> Process:
    """Start a process that goes on when its starter and the terminal have ended (see ``detach.py``).

    Args:
        command: program, as a path, and arguments.
        log: gets its output.
        fds: file descriptors that it inherits, with their numbers.
        env: set in its environment; what is None is taken out of it.
    """
    environment = {name: value for name, value in {**os.environ, **(env or {})}.items() if value is not None}
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(log), *command]
    done = subprocess.run(launcher, pass_fds=fds, env=environment, stdout=subprocess.PIPE, check=True)
    return Process.of(int(done.stdout))


def spawn_module(name: str, *arguments: str, log: Path, env: Mapping[str, str | None] | None = None) -> Process:
    """Start one of the course's own modules, as ``python -m`` does, wherever the course was found; see ``spawn``."""
    paths = os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])
    return spawn([sys.executable, "-m", name, *arguments], log, env={"PYTHONPATH": paths, **(env or {})})


def end_all(marker: str) -> None:
    """Kill every process of this user whose command line contains *marker*, except this process and all its parents.

    Args:
        marker: text that only the course's command lines contain, such as its runtime directory.
    """
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for found in psutil.process_iter(["cmdline", "uids"]):
        command = " ".join(found.info["cmdline"] or ())
        if found.pid not in spared and marker in command and found.info["uids"].real == os.getuid():
            Process.of(found.pid).kill()
