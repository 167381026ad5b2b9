"""One run of a container, from its start to its end."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from lab.objects.kubelet.engine import Engine
from lab.objects.kubelet.handlers import ask
from lab.objects.kubelet.orders import HOME, LEAST_GRACE_S, ORDERS, Orders


@dataclass
class Run:
    """One run of a container, from its start to its end.

    Args:
        engine: that runs it.
        id: of the container.
        began: when it was started, in the engine's words.
        process: the id of its first process.
        stop_signal: that asks it to end.
        address: of its pod.
        orders: what is to be done.
    """

    engine: Engine
    id: str
    began: str
    process: int
    stop_signal: int
    address: str
    orders: Orders
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    ready: bool = False
    ready_since: float | None = None
    why: str = ""

    def begin(self) -> None:
        """Begin to probe."""
        if "startup" not in self.orders.probes:
            self.started.set()
        self.ready = "readiness" not in self.orders.probes
        self.write()
        for what in self.orders.probes:
            threading.Thread(target=self._probe, args=(what,), daemon=True).start()

    def write(self) -> None:
        """Write down what is known, for ``Pod.status``."""
        if self.ended.is_set():
            return
        started = self.started.is_set()
        self.ready_since = (self.ready_since or time.time()) if started and self.ready else None
        known = {"id": self.id, "began": self.began, "started": started, "why": self.why}
        known |= {"ready": self.ready_since is not None, "ready_since": self.ready_since}
        written = HOME / f".{self.id}.{threading.get_ident()}"
        written.write_text(json.dumps(known) + "\n")
        written.replace(HOME / f"{self.id}.json")

    def _probe(self, what: str) -> None:
        """Put one of the questions again and again, as long as the container runs."""
        probe = self.orders.probes[what]
        began = datetime.fromisoformat(self.began[:19] + "+00:00").timestamp()
        self.ended.wait(max(0.0, began + probe["delay_s"] - time.time()))
        while what != "startup" and not self.started.is_set() and not self.ended.is_set():
            self.started.wait(1.0)
        streak, was = 0, None
        while not self.ended.is_set():
            good, why = ask(self, probe["handler"], probe["timeout_s"])
            streak, was = (streak + 1 if good is was else 1), good
            if streak >= probe["successes" if good else "failures"] and not self.ended.is_set() and self._found(what, good, why):
                return
            self.ended.wait(probe["period_s"])

    def _found(self, what: str, good: bool, why: str) -> bool:
        """Act on what a probe has found out; whether that probe is over."""
        if what == "readiness":
            self._note(good, "" if good else f"not ready: {why}")
            return False
        if good:
            if what == "startup":
                self.started.set()
                self.write()
            return what == "startup"
        self._note(False, f"ended, because its {what} probe failed: {why}")
        grace = self.orders.probes[what]["grace_s"]
        self.end(self.orders.grace_s if grace is None else grace)
        return True

    def _note(self, ready: bool, why: str) -> None:
        if (self.ready, self.why) != (ready, why):
            self.ready, self.why = ready, why
            self.write()

    def end(self, grace_s: float) -> None:
        """Have the container's first process end, so that the engine restarts it by its policy."""
        until = time.monotonic() + grace_s
        if self.orders.pre_stop:
            ask(self, self.orders.pre_stop, grace_s)
        self._signal(self.stop_signal)
        if not self.ended.wait(max(LEAST_GRACE_S if grace_s else 0.0, until - time.monotonic())):
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with suppress(OSError):
            if self.engine.inspect(self.id)["State"]["StartedAt"] == self.began:
                os.kill(self.process, number)


def found(engine: Engine, container: str, known: Run | None = None) -> Run | None:
    """The present run of a container, which is the one that is known if it still goes on; nothing if it does not run."""
    details = engine.inspect(container)
    state, config = details["State"], details["Config"]
    if not state["Running"] or state.get("Restarting"):
        return None
    if known and known.began == state["StartedAt"]:
        return known
    orders = Orders(**json.loads(config["Labels"][ORDERS]))
    networks = engine.inspect(orders.pause)["NetworkSettings"]["Networks"].values()
    address = next((its["IPAddress"] for its in networks), "")
    name = str(config.get("StopSignal") or "SIGTERM")
    number = int(name) if name.isdigit() else int(getattr(signal, name if name.startswith("SIG") else f"SIG{name}", signal.SIGTERM))
    return Run(engine, details["Id"], state["StartedAt"], state["Pid"], number, address, orders)
