"""Processes of a machine: which one is a container's, what runs, how much of a processor one gets, and how long a command takes.

Process ids are those that the machine itself counts, not those that a container sees.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.box.machine import Machine

CPU_TIME = """
look() { echo $(date +%s%N) $(sed 's/.*) //' /proc/$pid/stat | cut -d' ' -f12,13); }
look; sleep $for_s; look; getconf CLK_TCK
"""
"""Prints, twice: nanoseconds since 1970, and clock ticks that a process has spent in its program and in the kernel; then ticks a second."""


def pid(box: Machine, container: str) -> int:
    """The process id, on the box, of a container's first process; 0 if the container does not run.

    Raises:
        docker.errors.NotFound: there is no such container.
    """
    return int(box.docker.api.inspect_container(container)["State"]["Pid"])


def processes(box: Machine) -> dict[int, str]:
    """The program's name of everything that runs on the box, by process id.

    Left out are the kernel's own threads, processes that have ended and were not collected yet, and the shell that looks.

    Raises:
        CourseError: the box does not answer.
    """
    own, *lines = box.sh("ps -o sid= -p $$; ps -ww -eo pid=,sid=,vsz=,args=", check=True).stdout.splitlines()
    found = [line.split(maxsplit=3) for line in lines]
    return {int(number): args.split()[0].rpartition("/")[2] for number, sid, size, args in found if sid != own.strip() and size != "0"}


def cpu_share(box: Machine, container: str, for_s: float = 2.0) -> float:
    """How much of one processor a container's first process gets, from 0 to 1, watched for some seconds.

    Raises:
        docker.errors.NotFound: there is no such container.
        CourseError: it does not run.
    """
    seen = box.sh(f"pid={pid(box, container)} for_s={for_s:g}\n{CPU_TIME}", check=True).stdout.split()
    before, user_before, kernel_before, after, user_after, kernel_after, ticks_per_s = map(int, seen)
    used_s = (user_after + kernel_after - user_before - kernel_before) / ticks_per_s
    return used_s / ((after - before) / 1e9)


def took(box: Machine, command: str) -> float:
    """The seconds that a command on the box takes, with the way there and back.

    Raises:
        CourseError: it failed.
    """
    began = time.monotonic()
    box.sh(command, check=True)
    return time.monotonic() - began
