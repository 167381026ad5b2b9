"""Services: a name and an address for those pods that are ready, and which ones they leave out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from lab.picture.nodes import Graph, add, listed
from lab.picture.snapshot import Box, Service

NO_ADDRESS = "None"
"""In the place of an address: the Service has none, and its name leads to the pods themselves."""
ENDPOINT, LEFT_OUT = "endpoint", "left out"
"""The kinds of edges from a Service to a pod."""
MOST_NAMES = 3
"""Pods that are named for one reason."""


def add_services(graph: Graph[str], boxes: Sequence[Box], pods: Mapping[str, str]) -> None:
    """Add the Services that machines keep, once each, and let them lead to their pods, on whatever machine those are.

    Args:
        graph: to add them to.
        boxes: that keep them.  Others that were only told of the endpoints don't count, as long as one keeps the Service itself.
        pods: the node of each pod, by its name.
    """
    found: dict[str, tuple[Box, Service]] = {}
    for box in boxes:
        for it in box.services:
            if it.name not in found or (it.kept and not found[it.name][1].kept):
                found[it.name] = box, it
    for box, it in found.values():
        node = f"service:{box.name}/{it.name}"
        published = ", ".join(f"{port.node}→{port.number}" for port in it.ports if port.node)
        add(graph, node, "service", f"box:{box.name}", it.name, note=_fulfilled(it), address=address(it), ports=published)
        ready = {pod for port in it.ports for pod in port.ready}
        why = {pod: reason for port in it.ports for pod, reason in port.left_out.items() if pod not in ready}
        graph.add_edges_from((node, pods[pod], {"kind": ENDPOINT}) for pod in sorted(ready & pods.keys()))
        left_out = {pods[pod]: why[pod] for pod in sorted(why.keys() & pods.keys())}
        graph.add_edges_from((node, pod, {"kind": LEFT_OUT}) for pod in left_out)
        for pod, reason in left_out.items():
            _note(graph, pod, f"left out of {it.name}: {reason}")
        for group, number in Counter(graph.nodes[pod]["parent"] for pod in left_out).items():
            if graph.nodes[group]["kind"] == "group":
                _note(graph, group, f"{number} left out of {it.name}")


def _note(graph: Graph[str], node: str, words: str) -> None:
    shown = graph.nodes[node]
    shown["note"] = ", ".join(filter(None, [shown["note"], words]))


def address(service: Service) -> str:
    """Where clients find a Service: its address with each of its ports."""
    ports = [f"{port.number}{'' if port.protocol == 'TCP' else '/' + port.protocol.lower()}" for port in service.ports]
    if service.address == NO_ADDRESS:
        return "  ".join(["no address of its own", *(f"port {port}" for port in ports)])
    return ", ".join(f"{service.address}:{port}" for port in ports) or service.address


def _fulfilled(service: Service) -> str:
    """How many of the pods that have the labels are endpoints, and who was left out for which reason."""
    if not service.ports:
        return "nobody has looked for its pods yet"
    ready = {pod for port in service.ports for pod in port.ready}
    reasons: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for port in service.ports:
        for pod, why in port.left_out.items():
            if pod not in ready:
                reasons[why][pod] = None
    everyone = len(ready) + len({pod for pods in reasons.values() for pod in pods})
    if not everyone:
        return "no pod has its labels"
    told = [f"{listed(sorted(pods), MOST_NAMES)} ({why})" for why, pods in reasons.items()]
    return f"{len(ready)} of {everyone} ready" + (f", left out: {'; '.join(told)}" if told else "")
