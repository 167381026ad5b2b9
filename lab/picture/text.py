"""The graph as text, as a tree: for a screen reader, a terminal, and a notebook that is opened where nothing can be drawn.

A group is one line; its pods are not told one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from lab.observe.namespace import WALLS
from lab.picture.nodes import THE_BOX, Graph, listed

LONGEST = 60
"""Letters at most of a name."""
MOST_NAMES = 12
"""Names that one line has for where something leads."""
LEADS = {"attached": "on", "named": "→", "endpoint": "→"}
"""The words for edges, by their kind."""
ORDER = {"deployment": 0, "group": 0, "pod": 1, "container": 1, "namespace": 1, "service": 2, "network": 3}
"""In which order the nodes inside one node are told."""


def text(graph: Graph[str]) -> str:
    """One line for each node, indented by what it is in."""
    children: defaultdict[str, list[str]] = defaultdict(list)
    for node, shown in graph.nodes(data=True):
        children[shown["parent"]].append(node)
    return "\n".join(_lines(graph, children, "", ""))


def _lines(graph: Graph[str], children: dict[str, list[str]], parent: str, indent: str) -> Iterator[str]:
    if parent.startswith("group:"):
        return
    inside = sorted(children.get(parent, ()), key=lambda node: ORDER.get(graph.nodes[node]["kind"], 0))
    for number, node in enumerate(inside):
        last = number == len(inside) - 1
        branch, below = ("", "") if not parent else ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield f"{indent}{branch}{words(graph, node)}"
        yield from _lines(graph, children, node, indent + below)


def words(graph: Graph[str], node: str) -> str:
    """A node in words, on one line."""
    shown, state = graph.nodes[node], says(graph.nodes[node])
    name = shown["label"] if shown["kind"] == "computer" else f"{shown['kind']} {plain(shown['label'])}"
    parts = [name, f"({state})" if state else "", plain(shown["image"]), shown["address"]]
    parts += [f"published {shown['ports']}" if shown["ports"] else "", walls(shown["walls"])]
    for kind, leads in LEADS.items():
        others = [graph.nodes[other] for other, edge in graph[node].items() if edge["kind"] == kind]
        names = [
            plain(other["label"]) for other in others if not other["parent"].startswith("group:")
        ]  # whose group has an edge of its own
        parts.append(f"{leads} {listed(names, MOST_NAMES)}" if names else "")
    return "  ".join(filter(None, parts))


def says(shown: Mapping[str, str]) -> str:
    """The state of a node, and what else there is to note, with a comma between them."""
    return ", ".join(filter(None, [shown["state"], shown["note"]]))


def open_to_the_box(missing: Mapping[str, str]) -> str:
    """Which walls are missing between a container and the box, in words; empty if none is."""
    return walls({kind: owner for kind, owner in missing.items() if owner == THE_BOX})


def walls(missing: Mapping[str, str]) -> str:
    """Which walls are missing, and towards whom, in words; empty if none is."""
    if not missing:
        return ""
    by_owner: defaultdict[str, list[str]] = defaultdict(list)
    for kind in WALLS:
        if kind in missing:
            by_owner[missing[kind]].append(kind)
    return "; ".join(f"no wall for {', '.join(kinds)} to {plain(owner)}" for owner, kinds in by_owner.items())


def plain(label: str) -> str:
    """A name as it can be shown: without line breaks and control characters, and shortened if it is too long."""
    kept = label if label.isprintable() else "".join(letter if letter.isprintable() else " " for letter in label)
    return kept if len(kept) <= LONGEST else f"{kept[: LONGEST - 1]}…"
