"""Boxes for drawing: a busy one of any size, and one in which everything has an odd name."""

from __future__ import annotations

from dataclasses import replace

from lab.picture.graph import Graph, graph
from lab.picture.snapshot import BOX, Box, Container, Link, Network, Port, Snapshot

ODD = {
    "quotes": "a \"b\" 'c' `d` \\",
    "markup": "<script>alert(1)</script>",
    "entity": "&lt;&amp;&#60; ]]> <!-- -->",
    "emoji": "👩‍💻 🐳",
    "lines": "one\ntwo\r\nthree\u2028four\tfive",
    "escape": "\x1b[31mred\x07\x00",
    "backwards": "\u202egnp.exe",
    "long": "x" * 200,
}
STATES = ("running", "running", "running", "exited", "paused", "restarting", "created", "dead")


def busy(number: int, name: str = "box-1") -> Box:
    """As many containers, in pods of three, in deployments and alone, on networks, with names in common and with ports."""
    networks = tuple(Network(f"net-{each}", f"network-{each}", subnet=f"10.{each}.0.0/24") for each in range(4))
    return Box(name, tuple(_container(name, each) for each in range(number)), networks)


def _container(box: str, number: int) -> Container:
    group, place = divmod(number, 5)
    it = Container(f"{box}-{number:060}", f"app-{group}-{number}", "app:v1", STATES[number % len(STATES)], created=number)
    if place in (1, 2):
        return replace(it, shares={"net": f"{box}-{group * 5:060}", "uts": BOX} | ({"ipc": f"{box}-{group * 5:060}"} if place == 1 else {}))
    links = tuple(Link(f"net-{network}", f"10.{network}.0.{number + 2}", (f"service-{network}",)) for network in {group % 4, number % 3})
    ports = (Port(8000 + number, 8080),) if number % 4 == 0 else ()
    labels = {"deployment": f"deployment-{group % 6}"} if group % 2 else {}
    return replace(it, links=links, ports=ports, labels=labels, exit_code=1 if it.state == "exited" else None)


def drawn(*boxes: Box) -> Graph[str]:
    return graph(Snapshot(boxes))


def odd(name: str) -> Graph[str]:
    """Everything in it that somebody else names is named so."""
    links = (Link("net", "10.0.0.2", (name,)),)
    both = {"image": name, "labels": {"deployment": name}, "links": links}
    member = Container("m", name, shares={"net": "r", "ipc": "x", "pid": "y"})
    containers = (Container("r", name, **both), member, Container("s", name, **both), Container("x", name), Container("y", name))
    return drawn(Box(name, containers, (Network("net", name),)))
