"""What the graph is made of: how a node is added, and the words that several who add some have in common."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

COMPUTER = "computer"
THE_BOX = "the box"
"""In ``walls``: the container uses the machine's own namespace."""
Graph = nx.DiGraph  # of text


def add(graph: Graph[str], node: str, kind: str, parent: str, label: str, **more: object) -> None:
    """Add a node with all attributes that ``lab.picture.graph`` lists; those that are not given are empty."""
    words = dict.fromkeys(("state", "note", "image", "address", "ports", "version"), "")
    empty: dict[str, object] = {**words, "walls": {}, "inner": {}, "process": 0}
    graph.add_node(node, kind=kind, parent=parent, label=label, **(empty | more))


def count(number: int, one: str, more: str = "") -> str:
    """Such as "1 copy" or "3 copies"."""
    return f"{number} {one if number == 1 else more or one + 's'}"


def listed(names: Sequence[str], most: int) -> str:
    """Names with commas between them; where there are more than *most*, how many more."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
