"""All runs of containers that are looked after on this machine."""

from __future__ import annotations

import fcntl
import json
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from typing import Any

from lab.objects.kubelet.engine import Engine
from lab.objects.kubelet.orders import HOME, KEY, ORDERS, Orders
from lab.objects.kubelet.run import Run, found

AGAIN_S = 0.5
"""Seconds until an engine that has gone away is asked again."""


class Kubelet:
    """All runs that are looked after on this machine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.runs: dict[str, Run] = {}

    def serve(self) -> None:
        """Look after containers until none with orders is left."""
        while True:
            with suppress(OSError, HTTPException):
                for _ in self.engine.changes():
                    if not self.look():
                        return
            time.sleep(AGAIN_S)

    def look(self) -> bool:
        """Compare what runs with what is looked after; whether anything with orders is left."""
        there = self.engine.containers()
        for it in there:
            with suppress(OSError):  # it has gone in between, which is an event of its own
                self._follow(it["Id"])
        for gone in self.runs.keys() - {it["Id"] for it in there}:
            self._forget(gone)
        self._end_sidecars(there)
        return bool(there)

    def _follow(self, container: str) -> None:
        before = self.runs.get(container)
        now = found(self.engine, container, before)
        if now is before:
            return
        if before:
            self._forget(container)
        if now:
            self.runs[container] = now
            now.begin()

    def _forget(self, container: str) -> None:
        self.runs.pop(container).ended.set()
        (HOME / f"{container}.json").unlink(missing_ok=True)

    def _end_sidecars(self, there: list[dict[str, Any]]) -> None:
        """Stop the sidecars of pods whose other containers have all ended for good, the last one first."""
        pods: dict[str, list[tuple[Orders, dict[str, Any]]]] = {}
        for it in there:
            pods.setdefault(it["Labels"][KEY], []).append((Orders(**json.loads(it["Labels"][ORDERS])), it))
        for parts in pods.values():
            apps = [self._is_over(orders, it) for orders, it in parts if orders.kind == "app"]
            going = [(orders, it) for orders, it in parts if orders.kind == "sidecar" and it["State"] == "running"]
            if going and apps and all(apps):
                going.sort(key=lambda part: part[0].place, reverse=True)
                threading.Thread(target=self._stop, args=(going,), daemon=True).start()

    def _is_over(self, orders: Orders, it: dict[str, Any]) -> bool:
        if it["State"] != "exited" or orders.restart == "Always":
            return False
        return orders.restart == "Never" or bool(self.engine.inspect(it["Id"])["State"]["ExitCode"] == 0)

    def _stop(self, going: list[tuple[Orders, dict[str, Any]]]) -> None:
        for orders, it in going:
            with suppress(OSError):
                self.engine.ask("POST", f"/containers/{it['Id']}/stop?t={orders.grace_s}", timeout_s=orders.grace_s + 60.0)


def serve() -> None:
    """Be this machine's kubelet, unless it has one."""
    HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = Engine()
    while True:
        path = HOME / "lock"
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            Kubelet(engine).serve()
            path.unlink()
        # A pod that came after the last look took the lock's file for a sign that somebody is here.
        if not engine.containers():
            return
