"""``meters(box, "c02-web", …)``: what containers use, side by side and live: memory, processor, processes, and how long each took to start.

The figures are the kernel's own, from the control group of each container; the whole machine stands beside them.  No event tells of them,
so they are read again and again, once a second by default; after a while that ends by itself.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any

import ipywidgets

from lab.box.errors import CourseError
from lab.box.machine import Machine
from lab.observe.control_group import WHOLE_MACHINE, CpuTimes, Usage, read_usage
from lab.report import table
from lab.widgets.cell import ends_with_its_cell

THE_BOX = "the whole box"
KEPT = 60
"""Readings that a curve shows: the last ones."""
WIDE, HIGH = 120, 24
"""Width and height of a curve, in pixels."""


class Meters(ipywidgets.HTML):  # type: ignore[misc]
    """A table with a row for each container, and one for the whole machine; curves show the last minute.

    Args:
        machine: that the containers are on.
        names: of the containers.
        every_s: seconds between two readings.
        for_s: seconds after which the readings end by themselves.
    """

    def __init__(self, machine: Machine, names: Sequence[str], *, every_s: float, for_s: float) -> None:
        super().__init__()
        self._machine, self._names = machine, tuple(names)
        self._every_s, self._until = every_s, time.monotonic() + for_s
        self._seen: dict[str, deque[Usage]] = {}
        self._start_s: dict[str, float] = {}
        self._absent: dict[str, str] = {}
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
        """The last reading, as a table of text, for those who can't see the curves."""
        rows = [(name, *self._words(name)) for name in (*self._names, THE_BOX)]
        return f"{table(('', 'memory', 'processor', 'processes', 'started in'), *rows)}\n{self._note}"

    def _run(self) -> None:
        before: CpuTimes = {}
        while not self._closed.is_set() and time.monotonic() < self._until:
            try:
                ids = self._ids()
                seen, before = read_usage(self._machine, ids, before)
                for key, name in {**ids, WHOLE_MACHINE: THE_BOX}.items():
                    if key in seen:
                        self._seen.setdefault(name, deque(maxlen=KEPT)).append(seen[key])
                self._note = f"live; read at {time.strftime('%H:%M:%S')}"
            except Exception as error:  # noqa: BLE001  (whatever it is: it is shown, and a thread must not end in a traceback)
                self._note = f"stale since {time.strftime('%H:%M:%S')}: {str(error)[:120]}"
            if not self._closed.is_set():
                self._draw()
            self._closed.wait(self._every_s)
        if not self._closed.is_set():
            self._note = f"ended at {time.strftime('%H:%M:%S')}; run the cell again for more"
            self._draw()

    def _ids(self) -> dict[str, str]:
        """The names of the containers that run now, by their ids."""
        found = {}
        for name in self._names:
            details = self._inspect(name)
            self._absent[name] = "does not run" if details else "there is no such container"
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
            return (self._absent.get(name, ""), "", "", "")
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
    """A line, scaled to its largest value; hidden from screen readers, because the last value stands beside it as text."""
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
    """Show what containers use, and the whole machine beside them, while it changes; to be the last expression of a cell.

    Args:
        machine: that the containers are on.
        names: of the containers; one that is not there, or does not run, is shown as such, and its figures appear once it does.
        every_s: seconds between two readings.
        for_s: seconds after which the readings end by themselves.

    Raises:
        CourseError: no container is named.
    """
    if not names:
        raise CourseError("There is nothing to measure.", "No container is named.", 'meters(box, "c02-web")')
    return Meters(machine, names, every_s=every_s, for_s=for_s)
