"""Who listens on a machine's ports, and how a check ends a process: a program is known by its port, whatever started it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.box.machine import Machine

DEAD_S = 10
LISTENERS = r"""
listeners() {
  listening=$(nsenter --target "$1" --net ss -Hltnp)
  echo "$listening"
  find /proc/1/ns/mnt $(echo "$listening" | grep -o 'pid=[0-9]*' | sort -u | sed 's|pid=\(.*\)|/proc/\1/ns/mnt|') \
    -maxdepth 0 -printf '%h %l\n' 2>/dev/null
}
"""
"""A function for a shell script: ``listeners PID`` prints who listens in the network of a process, for ``parse_listeners`` to read."""
KILL = r"""
dead() { for process in $*; do grep -qs '^State:.[^ZX]' "/proc/$process/status" && return 1; done; return 0; }
kill -9 $processes 2>/dev/null
for look in $(seq $looks); do dead $processes && exit 0; sleep 0.1; done
exit 1
"""
"""A process that its parent has not collected stays as a zombie.  It is as dead as any other."""


@dataclass(frozen=True)
class Listener:
    """A process that listens on a TCP port.

    Args:
        port: as it is numbered in the network of the process.
        pid: of the process, as the machine counts.
        program: its name.
        mnt: the kernel's number of its mount namespace, which tells the container that it belongs to; empty where it has just ended.
    """

    port: int
    pid: int
    program: str
    mnt: str


def listeners(machine: Machine, pid: int = 1) -> list[Listener]:
    """Everybody who listens on a TCP port in one network.

    Args:
        machine: to look at.
        pid: a process that is in the network, as the machine counts; 1 for the machine's own network.
    """
    return parse_listeners(machine.sh(f"{LISTENERS}listeners {pid}").stdout)


def parse_listeners(printed: str) -> list[Listener]:
    """The listeners that the shell function ``listeners`` has printed, one for each process and port."""
    mnt = dict(re.findall(r"^/proc/(\d+)/ns mnt:\[(\d+)\]$", printed, re.MULTILINE))
    found = {}
    for port, owners in re.findall(r"^LISTEN +\d+ +\d+ +\S+:(\d+) +\S+ +(\S.*)$", printed, re.MULTILINE):
        for program, pid in re.findall(r'\("([^"]*)",pid=(\d+)', owners):
            found[port, pid] = Listener(int(port), int(pid), program, mnt.get(pid, ""))
    return list(found.values())


def kill(machine: Machine, *pids: int) -> bool:
    """Kill processes with SIGKILL, and wait until they are dead; whether they are after ten seconds."""
    return machine.sh(f"processes='{' '.join(map(str, pids))}' looks={DEAD_S * 10}\n{KILL}").code == 0
