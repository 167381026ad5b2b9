"""``meters(box, "c02-web", …)``: what containers use, side by side and live: memory, processor, processes, and how long each took to start.

The figures are the kernel's own, from the control group of each container; the machine itself stands beside them.  They
have to be looked up (no event tells them), once a second by default; after a while that ends by itself.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

import ipywidgets

from lab.box.errors import CourseError
from lab.box.machine import Machine
from lab.look import table
from lab.widgets.cell import ends_with_its_cell

THE_BOX = "the whole box"
KEPT = 60
"""Figures of each kind that are drawn."""
WIDE, HIGH = 120, 24
"""Pixels of a curve."""
MB = 1e6
LOOK = r"""
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
"""Lines of id, kind and value; where a kind comes twice, the last one counts."""


@dataclass(frozen=True)
class Figures:
    """What one thing uses at a moment.

    Args:
        memory_mb: megabytes.
        cpus: processors, since the look before; 0 in the first one.
        processes: how many.
    """

    memory_mb: float
    cpus: float
    processes: int


def figures(said: str, before: Mapping[str, tuple[float, float]]) -> tuple[dict[str, Figures], dict[str, tuple[float, float]]]:
    """What a look found, by id; and what the next one needs to know of it.

    Args:
        said: by ``LOOK``.
        before: time and processor time (both in seconds) of the look before, by id.
    """
    found: dict[str, dict[str, float]] = {}
    for line in said.splitlines():
        key, what, value = line.split()
        found.setdefault(key, {})[what] = float(value)
    at = found.pop("0")["ns"] / 1e9
    used = {key: (at, it.get("cpu_ns", 0) / 1e9 or it.get("cpu_us", 0) / 1e6) for key, it in found.items()}
    shares = {key: (cpu - before[key][1]) / (at - before[key][0]) if key in before else 0.0 for key, (_, cpu) in used.items()}
    return {key: Figures(it.get("memory", 0) / MB, max(0.0, shares[key]), int(it.get("processes", 0))) for key, it in found.items()}, used


class Meters(ipywidgets.HTML):  # type: ignore[misc]
    """A table of curves.

    Args:
        machine: the things are on it.
        names: of containers.
        every_s: seconds between two looks.
        for_s: seconds, after which no more looks are taken.
    """

    def __init__(self, machine: Machine, names: Sequence[str], *, every_s: float, for_s: float) -> None:
        super().__init__()
        self._machine, self._names = machine, tuple(names)
        self._every_s, self._until = every_s, time.monotonic() + for_s
        self._seen: dict[str, deque[Figures]] = {}
        self._start_s: dict[str, float] = {}
        self._note = "looking …"
        self._closed = threading.Event()
        self._draw()
        threading.Thread(target=self._run, name="meters", daemon=True).start()
        ends_with_its_cell(self.close)

    def close(self) -> None:
        """Stop looking, and take the table away."""
        self._closed.set()
        super().close()

    def text(self) -> str:
        """The figures of the last look, as a table of text."""
        rows = [(name, *self._words(name)) for name in (*self._names, THE_BOX)]
        return f"{table(('', 'memory', 'processor', 'processes', 'started in'), *rows)}\n{self._note}"

    def _run(self) -> None:
        before: dict[str, tuple[float, float]] = {}
        while not self._closed.is_set() and time.monotonic() < self._until:
            try:
                ids = self._ids()
                seen, before = figures(self._machine.sh(f"ids='{' '.join(ids)}'\n{LOOK}", check=True).stdout, before)
                for key, name in {**ids, "box": THE_BOX}.items():
                    if key in seen:
                        self._seen.setdefault(name, deque(maxlen=KEPT)).append(seen[key])
                self._note = f"live; looked at {time.strftime('%H:%M:%S')}"
            except Exception as error:  # noqa: BLE001  (whatever it is: it is shown, and a thread must not end in a traceback)
                self._note = f"stale since {time.strftime('%H:%M:%S')}: {str(error)[:120]}"
            if not self._closed.is_set():
                self._draw()
            self._closed.wait(self._every_s)
        if not self._closed.is_set():
            self._note = f"ended at {time.strftime('%H:%M:%S')}; run the cell again for more"
            self._draw()

    def _ids(self) -> dict[str, str]:
        """Name by id, of those that run now."""
        found = {}
        for name in self._names:
            details = self._inspect(name)
            if details and details["State"]["Pid"]:
                found[details["Id"]] = name
                created, started = (_moment(text) for text in (details["Created"], details["State"]["StartedAt"]))
                self._start_s.setdefault(name, started - created)
            else:
                self._seen.pop(name, None)
        return found

    def _inspect(self, name: str) -> Any:
        from docker.errors import NotFound  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

        try:
            return self._machine.docker.api.inspect_container(name)
        except NotFound:
            return None

    def _words(self, name: str) -> tuple[str, str, str, str]:
        if not self._seen.get(name):
            return ("does not run", "", "", "")
        last = self._seen[name][-1]
        started = f"{self._start_s[name]:.2f} s" if name in self._start_s else ""
        return (f"{last.memory_mb:.1f} MB", f"{last.cpus:.2f}", str(last.processes), started)

    def _draw(self) -> None:
        heads = "".join(f'<th scope="col" style="text-align:left;padding:0 8px">{head}</th>' for head in HEADS)
        rows = "".join(self._row(name) for name in (*self._names, THE_BOX))
        self.value = (
            f'<table aria-label="What they use" style="border-collapse:collapse"><tr>{heads}</tr>{rows}</table>'
            f'<p role="status" style="margin:2px 8px">{escape(self._note)}</p>'
        )

    def _row(self, name: str) -> str:
        memory, cpus, processes, started = self._words(name)
        seen = list(self._seen.get(name, ()))
        cells = [memory, _curve([one.memory_mb for one in seen]), cpus, _curve([one.cpus for one in seen]), processes, started]
        data = "".join(f'<td style="padding:0 8px">{cell if cell.startswith("<svg") else escape(cell)}</td>' for cell in cells)
        return f'<tr><th scope="row" style="text-align:left;padding:0 8px">{escape(name)}</th>{data}</tr>'

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return {**super()._repr_mimebundle_(**options), "text/plain": self.text()}


HEADS = ("", "memory", "", "processors", "", "processes", "started in")


def _curve(values: Sequence[float]) -> str:
    """A line from left to right, as high as its largest value; decoration, since the last value stands beside it."""
    if len(values) < 2:
        return ""
    most = max(*values, 1e-9)
    points = " ".join(f"{number * WIDE / (KEPT - 1):.1f},{HIGH - value / most * (HIGH - 2):.1f}" for number, value in enumerate(values))
    line = f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
    return f'<svg aria-hidden="true" width="{WIDE}" height="{HIGH}">{line}</svg>'


def _moment(text: str) -> float:
    """Seconds since 1970, from what the engine writes."""
    return datetime.fromisoformat(text).timestamp()


def meters(machine: Machine, *names: str, every_s: float = 1.0, for_s: float = 120.0) -> Meters:
    """Show what containers use, beside the whole machine, live; the last expression of a cell.

    Args:
        machine: they are on it.
        names: theirs; those that do not run yet, or no longer, are said to.
        every_s: seconds between two looks.
        for_s: seconds until it ends by itself.

    Raises:
        CourseError: no container is named.
    """
    if not names:
        raise CourseError("There is nothing to measure.", "No container is named.", 'meters(box, "c02-web")')
    return Meters(machine, names, every_s=every_s, for_s=for_s)
