"""Boxes for drawing: a busy one of any size, and one in which everything has an odd name."""

from __future__ import annotations

from dataclasses import replace

from lab.objects.labels import OWNER, POD, TEMPLATE
from lab.picture.graph import graph
from lab.picture.nodes import Graph
from lab.picture.snapshot import BOX, Box, Container, Link, Network, Port, Service, ServicePort, Snapshot, Wished

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


def shop(*templates: tuple[str, int, int], wanted: int = 0, name: str = "box-1") -> Box:
    """A Deployment's pods of two containers, on a network, and the Service for them; in front of it a proxy.

    Args:
        templates: for each its hash, and how many of its pods are ready, and not; the last is the one that is wanted.
        wanted: how many pods are; as many as there are if it is not told.
        name: of the box.
    """
    containers = [Container("p" * 64, "proxy", "proxy", links=(Link("pods", "10.244.0.2"),), ports=(Port(80, 8080),))]
    ready, left_out = dict[str, str](), dict[str, str]()
    for template, good, bad in templates:
        for number in range(good + bad):
            pod, root, address = f"web-{template}-{number}", f"{template}-{number}".rjust(64, "0"), f"10.244.1.{len(containers)}"
            labels = {OWNER: "web", TEMPLATE: template, POD: pod}
            found = "ready" if number < good else "not ready: HTTP 503"
            shares = dict.fromkeys(("net", "ipc", "uts"), root)
            containers.append(Container(root, f"{pod}-pause-k", "pause", labels=labels, links=(Link("pods", address),)))
            containers.append(Container(f"a{root[1:]}", f"{pod}-app-k", f"app:{template}", labels=labels, finding=found, shares=shares))
            if number < good:
                ready[pod] = f"{address}:8080"
            else:
                left_out[pod] = "is not ready"
    wish = Wished("web", wanted or len(ready) + len(left_out), templates[-1][0])
    service = Service("web", "10.96.0.10", (ServicePort(80, ready=ready, left_out=left_out),))
    networks = (Network("pods", "pods", subnet="10.244.1.0/24"),)
    return Box(name, tuple(containers), networks, wishes=(wish,), services=(service,))


def drawn(*boxes: Box) -> Graph[str]:
    return graph(Snapshot(boxes))


def odd(name: str) -> Graph[str]:
    """Everything in it that somebody else names is named so."""
    links = (Link("net", "10.0.0.2", (name,)),)
    both = {"image": name, "labels": {"deployment": name}, "links": links}
    member = Container("m", name, shares={"net": "r", "ipc": "x", "pid": "y"})
    containers = (Container("r", name, **both), member, Container("s", name, **both), Container("x", name), Container("y", name))
    return drawn(Box(name, containers, (Network("net", name),)))
