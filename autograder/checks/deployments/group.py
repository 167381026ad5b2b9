"""The judge's end of the client in ``group_client.py``: send it to the box, and read what it has counted."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from autograder.inspect import look_until
from lab.box.machine import Machine

CLIENT = Path(__file__).with_name("group_client.py")
SEND_S, WATCH_S, BEGIN_S = 300, 1100, 60


@dataclass(frozen=True)
class Answers:
    """What the client has counted.

    Args:
        by: how many requests a version has answered.
        copies: how many copies of a version have answered.
        lost: how many requests were lost, by the version of the copy that had accepted them: empty where that was not known, ``nobody``
            where none had.
    """

    by: Mapping[str, int]
    copies: Mapping[str, int]
    lost: Mapping[str, int]

    @property
    def sent(self) -> int:
        """All requests."""
        return sum(self.by.values()) + sum(self.lost.values())


def send(machine: Machine, label: str, requests: int) -> Answers:
    """Send so many requests through the group, one after the other.

    Args:
        machine: that the copies are on.
        label: that they have.
        requests: how many.
    """
    said = machine.sh(f"python3 -IS - {shlex.quote(label)} {requests} ''", stdin=CLIENT.read_bytes(), timeout=SEND_S, check=True)
    return _read(said.stdout)


@contextmanager
def watched(machine: Machine, label: str) -> Iterator[Callable[[], Answers]]:
    """Send requests through the group, with one under way at each copy, as long as the ``with`` block lasts.

    Gives a function that ends it and returns what was counted.
    """
    end = f"/tmp/watched-{token_hex(4)}"  # noqa: S108  (inside the box, which belongs to it alone)
    command = f"python3 -IS - {shlex.quote(label)} 0 {end} | tee {end}.said; rm -f {end} {end}.said"

    def begun() -> bool:
        return "begun" in machine.sh(f"cat {end}.said 2>/dev/null").stdout

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(machine.sh, command, stdin=CLIENT.read_bytes(), timeout=WATCH_S)

        def stop() -> Answers:
            machine.sh(f"touch {end}")
            return _read(watching.result().stdout)

        try:
            look_until("the client", bool, begun, timeout_s=BEGIN_S, every_s=0.2)
            yield stop
        finally:
            if not watching.done():
                machine.sh(f"touch {end}")


def _read(said: str) -> Answers:
    found = json.loads(said.strip().splitlines()[-1])
    return Answers(found["by"], found["copies"], found["lost"])
