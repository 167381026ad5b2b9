"""``reach(box)``: who can connect to whom, tried for real.

From the network of each container, and from the machine itself, a connection is made to each port on which somebody listens.  What rules,
routes and listening addresses come to is seen in the only way that is certain.  What was tried is a connection, and not a request: whether
a program behind it answers is another question.

An address on which nobody listens may lead somewhere all the same, such as a Service's.  It is tried where it is named.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from lab.box.errors import CourseError, UsageError
from lab.box.machine import Machine
from lab.observe import connect_from
from lab.observe.connect_from import NO_WAY, OPEN, REFUSED, SILENT
from lab.observe.namespace import LOOK_S
from lab.picture.camera import snapshot
from lab.picture.graph import graph
from lab.picture.nodes import THE_BOX
from lab.report import table

TIMEOUT_S = 1.0
"""Seconds after which a connection that nobody has answered counts as silent."""
SIGNS = {OPEN: "yes", REFUSED: "refused", SILENT: "silent", NO_WAY: "no way"}
SIGNS_SAY = (
    "silent: nobody answers, as where a rule drops it", "refused: nobody is there, or a rule says so", "no way: no route leads there",
)  # fmt: skip
OWN_ADDRESSES = "ip -o -4 addr show scope global | awk '{print $4}' | cut -d/ -f1"
TRY = "python3 -I -S /dev/fd/9 9<<'END_OF_PROGRAM'\n{program}\nEND_OF_PROGRAM"


@dataclass(frozen=True)
class Door:
    """A port on which somebody listens, or that was named: whose it is, its address, and its number."""

    owner: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.owner}:{self.port}"


@dataclass(frozen=True)
class Reach:
    """Who can connect to whom.

    Args:
        doors: on which somebody listens, and then those that were named.
        tried: by the name of who has tried, what became of it at each door: ``open``, ``refused``, ``silent`` or ``no way``.
        nodes: by name, what it is in the picture.
        at: the time of day, such as ``12:03:59``.
    """

    doors: tuple[Door, ...]
    tried: Mapping[str, Sequence[str]]
    nodes: Mapping[str, str] = field(default_factory=dict)
    at: str = ""

    def open(self, by: str, owner: str, port: int) -> bool:
        """Whether somebody can connect to a port of somebody.

        Raises:
            CourseError: nobody of these names was tried, or nobody listens there.
        """
        for number, door in enumerate(self.doors):
            if (door.owner, door.port) == (owner, port) and by in self.tried:
                return self.tried[by][number] == OPEN
        there = ", ".join(map(str, self.doors)) or "none"
        raise CourseError(f"Nothing was tried from {by} to {owner}:{port}.", f"Listened on is: {there}.", "look at the table for the names")

    def __repr__(self) -> str:
        if not self.doors:
            return "Nobody listens on a port that others could see."
        rows = [(by, *(SIGNS[word] for word in words)) for by, words in self.tried.items()]
        return f"{table(('from', *map(str, self.doors)), *rows)}\n{'   '.join(SIGNS_SAY)}"

    def _repr_html_(self) -> str:
        if not self.doors:
            return escape(repr(self))
        heads = "".join(f'<th scope="col" title="{escape(door.address)}">{escape(str(door))}</th>' for door in self.doors)
        rows = "".join(
            f'<tr><th scope="row">{escape(by)}</th>{"".join(f"<td>{SIGNS[word]}</td>" for word in words)}</tr>'
            for by, words in self.tried.items()
        )
        shown = f'<table aria-label="Who can connect to whom"><tr><th scope="col">from</th>{heads}</tr>{rows}</table>'
        return f'<div style="overflow-x: auto" tabindex="0" role="region" aria-label="Table">{shown}</div><p>{"<br>".join(SIGNS_SAY)}</p>'


def reach(machine: Machine, timeout_s: float = TIMEOUT_S, *, also: Mapping[str, str] | None = None) -> Reach:
    """Try who can connect to whom on a machine; to be the last expression of a cell.

    Pods count as one, because their containers share a network.  Programs that use the machine's own network are the machine's.

    Args:
        machine: to try it on.
        timeout_s: seconds after which a connection that nobody has answered counts as silent.
        also: by a name for it, an address and a port on which nobody need listen, such as ``10.96.0.10:80``.

    Raises:
        UsageError: an address has no port.
        CourseError: the machine does not answer.
    """
    named = [(name, *_parted(where)) for name, where in (also or {}).items()]
    own = machine.sh(OWN_ADDRESSES, timeout=LOOK_S).stdout.split()
    shown: dict[str, dict[str, Any]] = dict(graph(snapshot(machine)).nodes.items())
    box = next(node for node, it in shown.items() if it["kind"] == "box")
    places: list[dict[str, object]] = [{"name": THE_BOX, "node": box, "network": "/proc/1/ns/net", "addresses": own}]
    places += _places(shown)
    at = time.strftime("%H:%M:%S")
    asked = json.dumps({"places": places, "also": named, "timeout_s": timeout_s}).encode()
    script = TRY.format(program=Path(connect_from.__file__).read_text())
    told = json.loads(machine.sh(script, timeout=LOOK_S + timeout_s * len(places), check=True, stdin=asked).stdout)
    nodes = {str(place["name"]): str(place["node"]) for place in places}
    services = {where: node for node, it in shown.items() if it["kind"] == "service" for where in it["address"].split(", ")}
    nodes |= {name: services[f"{address}:{port}"] for name, address, port in named if f"{address}:{port}" in services}
    return Reach(tuple(Door(*door) for door in told["doors"]), told["tried"], nodes, at)


def _parted(where: str) -> tuple[str, int]:
    """An address and a port."""
    address, _, port = where.rpartition(":")
    if not (address and port.isdecimal()):
        raise UsageError(f"{where} is no address with a port.", "A connection is made to both.", 'also={"web": "10.96.0.10:80"}')
    return address, int(port)


def _places(shown: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, object]]:
    """The networks of containers, of pods, and those that have a name, with their addresses, from the nodes of the graph."""
    units = [node for node, it in shown.items() if it["kind"] in ("pod", "container", "namespace") and it["address"]]
    first = {node: it["process"] for node, it in shown.items() if it["process"]}
    first |= {it["parent"]: it["process"] for it in reversed(list(shown.values())) if it["process"] and it["parent"] in units}
    for node in units:
        it = shown[node]
        network = f"/run/netns/{it['label']}" if it["kind"] == "namespace" else f"/proc/{first.get(node, 0)}/ns/net"
        yield {"name": it["label"], "node": node, "network": network, "addresses": it["address"].split(", ")}
