"""``watch(…)``: the facts of a task, which turn green while a learner works.

The engine's own events tell when to look again, so nothing is polled; the button does, too.  Where nobody looks (a notebook that nbgrader
runs from top to bottom) there is no panel.
"""

from __future__ import annotations

import os
import threading
import time
from html import escape
from typing import Any

import ipywidgets

from autograder.checks import register
from autograder.checks.fact import Verdict
from autograder.checks.register import find
from autograder.checks.run import judge
from autograder.notebook import NBGRADER
from lab.box import connect
from lab.box.errors import CourseError
from lab.box.machine import Machine

SETTLE_S = 0.3
"""Events come in bursts; one look is taken when they have settled."""
AGAIN_S = 3.0
"""After a break, until the events are asked for again."""


class Panel(ipywidgets.VBox):  # type: ignore[misc]
    """What a check sees, now.

    Args:
        machine: to look at.
        check: looks; one that drives what it looks at does so only when its button is pressed.
    """

    def __init__(self, machine: Machine, check: register.Check) -> None:
        self._machine, self._check = machine, check
        self._text = ipywidgets.HTML()
        self._button = ipywidgets.Button(description="Check", tooltip=f"Check {check.name} now")
        self._button.on_click(lambda _: self._wake.set())
        self._wake: threading.Event = threading.Event()
        self._closed: threading.Event = threading.Event()
        self._events: Any = None
        super().__init__([self._text, self._button])
        self._show("looking …")
        for work in (self._look, self._listen) if check.kind != "program" else (self._look,):
            threading.Thread(target=work, name=f"watch-{check.name}", daemon=True).start()
        if check.kind != "program":
            self._wake.set()

    def close(self) -> None:
        """Stop looking, and take the panel away."""
        self._closed.set()
        self._wake.set()
        if self._events:
            self._events.close()
        super().close()

    def _look(self) -> None:
        while self._wake.wait() and not self._closed.is_set():
            time.sleep(SETTLE_S)
            self._wake.clear()
            try:
                self._report(judge(self._machine, self._check, so_far=self._report))
            except CourseError as error:
                self._show(escape(str(error)))

    def _listen(self) -> None:
        """Follow the engine's events; where they break off, say so and try again."""
        while not self._closed.is_set():
            try:
                self._events = self._machine.docker.events()
                for _ in self._events:
                    self._wake.set()
                why = "the engine has stopped"
            except Exception as error:  # noqa: BLE001  (whatever broke it, a thread must not end in a traceback)
                why = escape(str(error)[:120])
            self._show(f"stale since {time.strftime('%H:%M:%S')}: {why}")
            self._closed.wait(AGAIN_S)
            self._wake.set()

    def _report(self, verdict: Verdict) -> None:
        self._show(escape(verdict.text(hints=0)))

    def _show(self, text: str) -> None:
        if not self._closed.is_set():
            self._text.value = f'<pre role="status" aria-live="polite" aria-label="{escape(self._check.name)}">{text}</pre>'


def watch(name: str) -> Panel | None:
    """Show a task's facts, live.

    Args:
        name: such as ``containers.limits``.

    Raises:
        UsageError: there is no such task.
    """
    check, machine = find(name), connect()
    return None if NBGRADER in os.environ else Panel(machine, check)
