"""The segment of virtual machines: the private network on which they see each other, a switch whose sockets only the owner can reach."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from lab.box.core.installation import Installation, lock, private_directory
from lab.box.core.processes import Process, spawn_module
from lab.box.wait import wait_for

PREFIX = "10.30.0"
"""The first three parts of their addresses."""
START_S = 10


def switch_socket(installation: Installation) -> Path:
    """Where virtual machines send their frames; only frames are lost while no switch is there."""
    return installation.runtime / "switch.sock"


def mac(number: int) -> str:
    """The MAC address of the machine with this number, from the range that is free for private use (locally administered)."""
    return f"02:00:10:30:00:{number:02x}"


def open_switch(installation: Installation) -> None:
    """Start the segment's switch if it does not run.

    Raises:
        WaitTimeout: it did not start.
    """
    record, path, log = (installation.machines / "switch.json", switch_socket(installation), installation.machines / "switch.log")
    with lock(installation.machines, "switch"):
        with suppress(OSError, ValueError, TypeError):
            if Process(**json.loads(record.read_text())).alive:
                return
        private_directory(path.parent)
        path.unlink(missing_ok=True)
        switch = spawn_module("lab.box.drivers.microvm.switch", str(path), log=log)
        record.write_text(json.dumps(asdict(switch)))
        wait_for("the machines' network", path.stat, timeout_s=START_S, log=log, alive=lambda: switch.alive)
