"""A program for a machine: who listens in which network, and who can connect to it.  It needs nothing but Python 3.12 and root.

It reads JSON: for each place its name, the file of its network namespace and its addresses; more doors that are to be tried; and how long
a connection may take.  It prints JSON: the doors that are listened on and those that were named, and for each place what became of an
attempt at each door.  Attempts are real ones: a child enters the place's network, and connects to all doors at once.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

LISTENS = "0A"
"""In ``/proc/PID/net/tcp``: the socket listens."""
AT_ONCE = 16
OPEN, REFUSED, SILENT, NO_WAY = "open", "refused", "silent", "no way"
WORDS = {0: OPEN, errno.ECONNREFUSED: REFUSED, errno.ETIMEDOUT: SILENT}
Door = tuple[str, str, int]
"""Whose it is, its address, and its port."""


def doors(place: dict[str, Any]) -> list[Door]:
    """What is listened on in this network, and can be seen from outside it."""
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                address, port = _address(local)
                if state == LISTENS:
                    found |= {(place["name"], own, port) for own in place["addresses"] if address.is_unspecified or str(address) == own}
    return sorted(found)


def _address(local: str) -> tuple[Any, int]:
    """An address and a port, as the kernel writes them: words of four bytes, each turned around."""
    written, port = local.split(":")
    raw = b"".join(struct.pack("=I", int(written[start : start + 8], 16)) for start in range(0, len(written), 8))
    address = ipaddress.ip_address(raw)
    return getattr(address, "ipv4_mapped", None) or address, int(port, 16)


def attempt(there: list[Door], timeout_s: float) -> list[str]:
    """What becomes of a connection to each door, from here."""
    words = [NO_WAY] * len(there)
    until, waiting = time.monotonic() + timeout_s, selectors.DefaultSelector()
    for number, (_, address, port) in enumerate(there):
        ours = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        ours.setblocking(False)
        code = ours.connect_ex((address, port))
        if code == errno.EINPROGRESS:
            waiting.register(ours, selectors.EVENT_WRITE, number)
            words[number] = SILENT
        else:
            words[number] = WORDS.get(code, NO_WAY)
            ours.close()
    while waiting.get_map() and (left := until - time.monotonic()) > 0:
        for key, _ in waiting.select(left):
            ours = key.fileobj  # type: ignore[assignment]
            words[key.data] = WORDS.get(ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), NO_WAY)
            waiting.unregister(ours)
            ours.close()
    return words


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Find the doors, and try them from everywhere."""
    found = each_inside(asked["places"], doors)
    there = [(owner, address, port) for listed in (*found.values(), asked["also"]) for owner, address, port in listed]
    return {"doors": there, "tried": each_inside(asked["places"], lambda _: attempt(there, asked["timeout_s"]))}


def each_inside(places: list[dict[str, Any]], work: Callable[[dict[str, Any]], list[Any]]) -> dict[str, list[Any]]:
    """Do something inside the network of each place, in a child; its results, by the place's name.  A place that is gone is left out."""
    results = {}
    for start in range(0, len(places), AT_ONCE):
        begun = {place["name"]: _child(place, work) for place in places[start : start + AT_ONCE]}
        for name, (child, ours) in begun.items():
            with os.fdopen(ours) as told:
                said = told.read()
            os.waitpid(child, 0)
            if said:
                results[name] = json.loads(said)
    return results


def _child(place: dict[str, Any], work: Callable[[dict[str, Any]], list[Any]]) -> tuple[int, int]:
    """A child's process id, and where it tells what came out; nothing where it can't enter."""
    ours, its = os.pipe()
    if child := os.fork():
        os.close(its)
        return child, ours
    with suppress(OSError), os.fdopen(its, "w") as out, Path(place["network"]).open() as network:
        os.setns(network.fileno(), os.CLONE_NEWNET)  # type: ignore[attr-defined]  # a machine has Python 3.13
        json.dump(work(place), out)
    os._exit(0)


if __name__ == "__main__":
    json.dump(main(json.load(sys.stdin)), sys.stdout)
