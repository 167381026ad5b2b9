"""The graph as what travels to a browser, and what changed between two graphs.  Pure."""

from __future__ import annotations

from typing import Any

from lab.topology.graph import THE_BOX, Graph
from lab.topology.snapshot import WALLS
from lab.topology.text import open_to_the_box, plain, says, words

Element = dict[str, Any]
"""A node for the browser.

``id``, ``kind``, ``parent`` and ``state`` are the graph's.  ``shown`` has the lines that are drawn, ``aloud`` the node in words, ``inner``
for a container of a pod, but the first, each kind of wall and whether it stands towards those above; for one that is open to the box,
whether it stands towards that.  ``to`` has the lanes that a node is on, ``ways_in`` says that ports of a box are published.
"""


def elements(graph: Graph[str]) -> dict[str, Element]:
    """All nodes by id, parents first."""
    found = {node: _element(graph, node) for node in graph}
    for source, target, shown in graph.edges(data=True):
        node, lane = (source, target) if shown["kind"] == "attached" else (target, source)
        found[node].setdefault("to", []).append(lane)
        if shown["kind"] == "published":
            found[source]["ways_in"] = True
    return found


def _element(graph: Graph[str], node: str) -> Element:
    it = graph.nodes[node]
    parent = graph.nodes[it["parent"]] if it["parent"] else {"kind": "", "label": ""}
    within = f", in {parent['kind']} {plain(parent['label'])}" if parent["kind"] in ("pod", "deployment") else ""
    label = plain(it["label"]) if it["kind"] in ("computer", "container") else f"{it['kind']} {plain(it['label'])}"
    where = [plain(it["image"]), it["address"], f"published {it['ports']}" if it["ports"] else "", open_to_the_box(it["walls"])]
    element = {
        "id": node, "kind": it["kind"], "parent": it["parent"], "state": it["state"], "aloud": words(graph, node) + within,
        "shown": {"label": label, "says": says(it), "where": "  ".join(filter(None, where))},
    }  # fmt: skip
    inner = it["inner"] or ({kind: it["walls"].get(kind) != THE_BOX for kind in WALLS} if THE_BOX in it["walls"].values() else {})
    if inner:
        element["inner"] = [[kind, stands] for kind, stands in inner.items()]
    return element


def changes(before: dict[str, Element], after: dict[str, Element]) -> tuple[list[Element], list[str]]:
    """The nodes that are new or different, parents first, and the ids of those that are gone, children first."""
    return [one for node, one in after.items() if before.get(node) != one], [node for node in reversed(before) if node not in after]
