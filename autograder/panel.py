"""``watch(…)``: a panel that shows the facts of a task, and changes them in place while a learner works.

It checks the task again when the engine reports an event, through the same feed as the live picture; when an answer is given; and when its
button is pressed.  Where nbgrader runs the notebook there is no panel, because nobody would see it.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from html import escape
from typing import Any

import ipywidgets

from autograder.framework import register
from autograder.framework.fact import Verdict
from autograder.framework.register import find
from autograder.framework.run import begun, judge
from lab.box import connect
from lab.box.core.inside import NBGRADER
from lab.box.errors import CourseError
from lab.box.machine import Machine
from lab.picture.feed import Seen, follow, leave
from lab.widgets.cell import ends_with_its_cell

SETTLE_S = 0.3
"""Seconds between an event and the check: events come several at a time, and one check is enough for them."""
STYLE = "margin:0;padding:2px 8px;border-left:4px {line} {ink};white-space:pre-wrap"
LOOKS = {True: STYLE.format(line="solid", ink="#1b7f3b"), False: STYLE.format(line="dotted", ink="#b3261e")}


class Panel(ipywidgets.VBox):  # type: ignore[misc]
    """What a check sees, kept up to date.

    Args:
        machine: to look at.
        check: to run; a check of the kind *program*, which starts and stops things, runs only when the button is pressed.
    """

    def __init__(self, machine: Machine, check: register.Check) -> None:
        self._machine, self._check = machine, check
        self._text, self._said = ipywidgets.HTML(), ""
        self._button = ipywidgets.Button(description="Check", tooltip=f"Check {check.name} now")
        self._button.on_click(lambda _: self._wake.set())
        self._wake: threading.Event = threading.Event()
        self._closed: threading.Event = threading.Event()
        super().__init__([self._text, self._button])
        self._show("looking …" if check.kind != "program" else f"{check.goal} When you are ready, press Check.")
        threading.Thread(target=self._look, name=f"watch-{check.name}", daemon=True).start()
        self._others = _others(machine, check) if check.kind != "program" else []
        for other in self._others:
            follow(other, self._wakes, every=True)
        if check.kind != "program":
            follow(machine, self._heard, every=True)
        ends_with_its_cell(self.close)

    def close(self) -> None:
        """Stop checking, and take the panel away."""
        self._closed.set()
        self._wake.set()
        leave(self._machine, self._heard)
        for other in self._others:
            leave(other, self._wakes)
        super().close()

    def text(self) -> str:
        """What the panel shows, as text."""
        return f'{self._said}\n(In text, and as it is now: check("{self._check.name}"))'

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return {**super()._repr_mimebundle_(**options), "text/plain": self.text()}

    def _heard(self, seen: Seen) -> None:
        if not seen.stale:
            self._wake.set()
        elif seen.box:
            self._show(f"stale since {time.strftime('%H:%M:%S', time.localtime(seen.since))}: {seen.stale}")

    def _wakes(self, _: Seen) -> None:
        """Check again at any event of one of the task's own machines, its end included."""
        self._wake.set()

    def _look(self) -> None:
        while self._wake.wait():
            self._closed.wait(SETTLE_S)
            self._wake.clear()
            if self._closed.is_set():  # looked at after the wish to look: to close is to wish, too
                return
            try:
                self._report(judge(self._machine, self._check, so_far=self._report))
            except CourseError as error:
                self._show(str(error))

    def _report(self, verdict: Verdict) -> None:
        self._show(*verdict.text(hints=0).splitlines())

    def _show(self, head: str, *facts: str) -> None:
        self._said = "\n".join([head, *facts])
        rows = [f'<div style="{LOOKS[fact.strip().startswith("✓")]}">{escape(fact.strip())}</div>' for fact in facts]
        if not self._closed.is_set():
            label = escape(self._check.name)
            self._text.value = f'<div role="status" aria-live="polite" aria-label="{label}"><pre>{escape(head)}</pre>{"".join(rows)}</div>'


def _others(machine: Machine, check: register.Check) -> list[Machine]:
    """The machines that were made for the task; none where it has not begun."""
    with suppress(CourseError):
        return list(begun(machine, check.name).machines.values()) if check.machines else []
    return []


def watch(name: str) -> Panel | None:
    """Show the facts of a task, kept up to date while you work; None where nbgrader runs the notebook.

    Args:
        name: such as ``containers.limits``.

    Raises:
        UsageError: there is no such task.
    """
    check, machine = find(name), connect()
    return None if NBGRADER in os.environ else Panel(machine, check)
