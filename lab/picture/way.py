"""The way of a request through the graph: where its address leads first, and how it comes from there to who answered."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from lab.picture.nodes import Graph

SHORT = 12
"""Digits of a container's id in its short form, which is also its host name."""


def answering(graph: Graph[str], by: str) -> list[str]:
    """The nodes that call themselves so: a container by its id, in full or in short, a pod or a machine by its name."""
    found = []
    for node, it in graph.nodes(data=True):
        kind, _, name = node.partition(":")
        names = {"box": (name,), "container": (name, name[:SHORT]), "pod": (it["label"],)}.get(kind, ())
        if by in names:
            found.append(node)
    return found


def entrance(graph: Graph[str], url: str, address_of: Callable[[str, int], str]) -> str:
    """The node that a web address leads to first: a Service, or whose port is published; empty where that is not known.

    Args:
        graph: to look in.
        url: of the request.
        address_of: gives the web address, from where this code runs, of a port of a box.
    """
    where = urlsplit(url)
    try:
        host, port = where.hostname or "", where.port or 80
    except ValueError:  # that is no port
        return ""
    for node, it in graph.nodes(data=True):
        if it["kind"] == "service" and it["address"]:
            entries = it["address"].split(", ")
            if f"{host}:{port}" in entries or (host.split(".")[0] == it["label"] and any(one.endswith(f":{port}") for one in entries)):
                return str(node)
    origin = f"{where.scheme}://{where.netloc}"
    boxes = [node for node, it in graph.nodes(data=True) if it["kind"] == "box"]
    published = [(box, node, graph.nodes[node]["ports"]) for box in boxes for node in graph[box] if not node.startswith("group:")]
    published += [(box, node, it["ports"]) for node, it in graph.nodes(data=True) if it["kind"] == "service" for box in boxes]
    leads = (node for box, node, ports in published for number in re.findall(r"(\d+)→", ports) if address_of(box, int(number)) == origin)
    return next(leads, "")


def between(graph: Graph[str], first: str, last: str) -> list[str]:
    """The nodes that a request passes, from where its address leads until it is at *last*, which is not among them."""
    end = _unit(graph, last)
    if not first or _unit(graph, first) == end:
        return []
    shared = [network for network, edge in graph[first].items() if edge["kind"] == "attached" and network in graph[end]]
    return [first, *shared[:1]]


def _unit(graph: Graph[str], node: str) -> str:
    """What has the network: the pod of a container, where it is in one."""
    parent = graph.nodes[node]["parent"]
    return parent if parent.startswith("pod:") else node
