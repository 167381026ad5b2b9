"""Control groups, which count and limit what containers use: memory, processor time, processes.

The engine puts each container into a group that has the container's id in its path.  The kernel keeps the figures of a group in files, of
which there are two versions: ``memory.current`` and ``cpu.stat`` (version 2), ``memory.usage_in_bytes`` and ``cpuacct.usage`` (version 1).
Both are read, because the computer that the box runs on decides which one it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.box.machine import Machine

MB = 1e6
WHOLE_MACHINE = "box"
"""The key of the machine itself among its containers."""
CLOCK = "0"
USED_MEMORY = r"""
for id in $(docker ps -q --no-trunc); do
  find /sys/fs/cgroup \( -path "*$id/memory.current" -o -path "*$id/memory.usage_in_bytes" \) -exec cat {} +
done | awk '{ sum += $1 } END { print sum + 0 }'
"""
COUNTERS = r"""
tell() {
  [ -f "$2/memory.current" ] && echo "$1 memory $(cat "$2/memory.current")"
  [ -f "$2/memory.usage_in_bytes" ] && echo "$1 memory $(cat "$2/memory.usage_in_bytes")"
  [ -f "$2/cpuacct.usage" ] && echo "$1 cpu_ns $(cat "$2/cpuacct.usage")"
  [ -f "$2/cpu.stat" ] && sed -n "s/^usage_usec \(.*\)/$1 cpu_us \1/p" "$2/cpu.stat"
}
echo "0 ns $(date +%s%N)"
for id in $ids; do
  for group in $(find /sys/fs/cgroup -path "*$id" -type d 2>/dev/null); do
    tell "$id" "$group"
    echo "$id processes $(wc -l < "$group/cgroup.procs")"
  done
done
echo "box memory $(awk '/MemTotal/ {total = $2} /MemAvailable/ {free = $2} END {print (total - free) * 1024}' /proc/meminfo)"
for group in /sys/fs/cgroup /sys/fs/cgroup/memory /sys/fs/cgroup/cpuacct; do tell box "$group"; done
echo "box processes $(ls -d /proc/[0-9]* | wc -l)"
"""
"""Prints lines of key, kind and value; where a kind comes twice for a key, the last one counts."""
CpuTimes = Mapping[str, tuple[float, float]]
"""By key: when it was read, and how much processor time had been used by then, both in seconds."""


@dataclass(frozen=True)
class Usage:
    """What a container, or the whole machine, uses at a moment.

    Args:
        memory_mb: megabytes.
        cpus: processors that were busy for it on average since the reading before; 0 in the first one.
        processes: how many it has.
    """

    memory_mb: float
    cpus: float
    processes: int


def used_mb(box: Machine) -> float:
    """Megabytes of memory that all running containers of a machine use together.

    Raises:
        CourseError: the machine does not answer, or has no engine.
    """
    return float(box.sh(USED_MEMORY, check=True).stdout) / MB


def read_usage(machine: Machine, containers: Iterable[str], before: CpuTimes) -> tuple[dict[str, Usage], CpuTimes]:
    """What some containers and the whole machine use now.

    Args:
        machine: that they are on.
        containers: their full ids.
        before: the second result of the reading before; empty for the first one.

    Returns:
        The usage by id, the machine's own under ``WHOLE_MACHINE``; and what the next reading needs to know.

    Raises:
        CourseError: the machine does not answer.
    """
    return usage(machine.sh(f"ids='{' '.join(containers)}'\n{COUNTERS}", check=True).stdout, before)


def usage(printed: str, before: CpuTimes) -> tuple[dict[str, Usage], CpuTimes]:
    """The same, from what the script ``COUNTERS`` has printed."""
    found: dict[str, dict[str, float]] = {}
    for line in printed.splitlines():
        key, kind, value = line.split()
        found.setdefault(key, {})[kind] = float(value)
    at = found.pop(CLOCK)["ns"] / 1e9
    times = {key: (at, it.get("cpu_ns", 0) / 1e9 or it.get("cpu_us", 0) / 1e6) for key, it in found.items()}
    cpus = {key: (used - before[key][1]) / (at - before[key][0]) if key in before else 0.0 for key, (_, used) in times.items()}
    return {key: Usage(it.get("memory", 0) / MB, max(0.0, cpus[key]), int(it.get("processes", 0))) for key, it in found.items()}, times
