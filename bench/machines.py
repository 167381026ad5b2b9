"""Machines beside the box: three at once, one that boots, and what each costs.

``python -m bench.machines`` prints a table, ``--json`` the same as rows; ``--microvm`` adds emulated machines, which take some minutes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import requests

from bench.objects import a_box
from bench.rows import Row, on_an_engine, options, show
from lab.box import machines
from lab.box.build import images
from lab.box.wait import wait_for

APP = Path(images.__file__).parent / "app/server.py"
TURNS = 3
NAMES = ("web-1", "web-2", "web-3")
PORT = 8000
SERVICE = f"echo '::respawn:/usr/bin/env PORT={PORT} python3 /srv/server.py' >> /etc/inittab"


def fleets(kind: str) -> Iterator[Row]:
    times, memory = [], []
    for _ in range(TURNS):
        began = time.monotonic()
        one, *others = machines.fleet(*NAMES)
        one.sh("\n".join(f"ping -c1 -W5 {other.name}" for other in others), check=True)
        times.append(time.monotonic() - began)
        memory += [machine.memory_mb for machine in (one, *others)]
        machines.delete(*NAMES)
    yield Row(f"{kind}: three machines are up and reach each other by name", round(median(times), 2), "s", 6)
    yield Row(f"{kind}: memory of each of them", round(median(memory)), "MB")


def cold(kind: str) -> Iterator[Row]:
    """From the kernel on to an answer of the app, which is a service of init."""
    maker = machines.create("maker")
    maker.put(APP, "/srv/server.py")
    maker.sh(SERVICE, check=True)
    machines.bake(maker, "served")
    maker.delete()
    times, memory = [], []
    for _ in range(TURNS):
        began = time.monotonic()
        machine = machines.create("cold", cold=True, image="served")
        address = machine.url(PORT)
        wait_for("the app", lambda at=address: requests.get(at, timeout=5).raise_for_status(), timeout_s=120, every_s=0.05)
        times.append(time.monotonic() - began)
        memory.append(machine.memory_mb)
        machine.delete()
    machines.forget("served")
    yield Row(f"{kind}: from a cold boot to the app's answer", round(median(times), 2), "s", 25)
    yield Row(f"{kind}: memory of a machine that has booted", round(median(memory)), "MB")


def on_containers() -> Iterator[Row]:
    with a_box("container"):
        yield from fleets("container")


def rows() -> Iterator[Row]:
    yield from on_an_engine(on_containers)
    if options().microvm:
        with a_box("microvm"):
            yield from fleets("emulated")
            yield from cold("emulated")


if __name__ == "__main__":
    show(rows())
