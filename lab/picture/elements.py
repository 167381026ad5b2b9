"""The graph as elements, which are sent to a browser; and what has changed between two graphs.  No input and no output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.observe.namespace import WALLS
from lab.picture.nodes import THE_BOX, Graph
from lab.picture.services import ENDPOINT, LEFT_OUT
from lab.picture.text import open_to_the_box, plain, says, words

Element = dict[str, Any]
"""A node, as JSON for the browser.

=============================================  =====================================================================================
``id``, ``kind``, ``parent``                   as in the graph
``state``                                      likewise, with `` is-old`` where the version is
``shown``                                      the lines that are drawn: ``label``, ``says`` and ``where``
``aloud``                                      the node in words, for a screen reader
``inner``                                      pairs of a kind of wall and whether it stands.  It is there for every container of a pod
                                               but the first, and means the wall between it and those before it; else for a container
                                               that uses namespaces of the box, and means the wall between it and the box
``to``                                         the ids of the networks, services and boxes that lines lead to; missing where none do
``cut``                                        the ids of the Services that have left it out; missing where none has
``ways_in``                                    true for a box with published ports; else missing
=============================================  =====================================================================================
"""


def elements(graph: Graph[str], before: Graph[str] | None = None, drawn: Mapping[str, Element] | None = None) -> dict[str, Element]:
    """The elements of all nodes by id, parents first.

    Args:
        graph: to draw.
        before: the graph that was drawn last, if one was.
        drawn: its elements.  Those of nodes about which nothing has changed are used again, which is several times as fast.
    """
    same = _same(graph, before) if before is not None and drawn else set[str]()
    return {node: drawn[node] if drawn and node in same else _element(graph, node) for node in graph}


def _same(graph: Graph[str], before: Graph[str]) -> set[str]:
    """The nodes whose elements are the same in both graphs: the node, its edges and the names that it mentions have not changed."""
    nodes, were = dict(graph.nodes.items()), dict(before.nodes.items())
    out, out_before = dict(graph.adjacency()), dict(before.adjacency())
    into, into_before = dict(graph.reverse(copy=False).adjacency()), dict(before.reverse(copy=False).adjacency())
    alike = {node for node, it in nodes.items() if it == were.get(node)}
    renamed = {node for node in nodes.keys() & were.keys() - alike if nodes[node]["label"] != were[node]["label"]}
    alike = {node for node in alike if out[node] == out_before[node] and into[node] == into_before[node]}
    mentioned = {node for node in renamed if nodes[node]["kind"] != "group"}  # its name has a count, which what is in it does not mention
    return {node for node in alike if nodes[node]["parent"] not in mentioned and renamed.isdisjoint(out[node])}


def _element(graph: Graph[str], node: str) -> Element:
    it = graph.nodes[node]
    parent = graph.nodes[it["parent"]] if it["parent"] else {"kind": "", "label": ""}
    within = f", in {parent['kind']} {plain(parent['label'])}" if parent["kind"] in ("pod", "deployment") else ""
    label = plain(it["label"]) if it["kind"] in ("computer", "container", "group") else f"{it['kind']} {plain(it['label'])}"
    where = [plain(it["image"]), it["address"], f"published {it['ports']}" if it["ports"] else "", open_to_the_box(it["walls"])]
    element = {
        "id": node, "kind": it["kind"], "parent": it["parent"], "aloud": words(graph, node) + within,
        "state": it["state"] + (" is-old" if it["version"] == "old" else ""),
        "shown": {"label": label, "says": says(it), "where": "  ".join(filter(None, where))},
    }  # fmt: skip
    inner = it["inner"] or ({kind: it["walls"].get(kind) != THE_BOX for kind in WALLS} if THE_BOX in it["walls"].values() else {})
    if inner:
        element["inner"] = [[kind, stands] for kind, stands in inner.items()]
    out, into = graph.adj[node], graph.pred[node]
    ends = (("published", into), ("attached", out), ("named", into), (ENDPOINT, into), (LEFT_OUT, into))
    lanes = {kind: [lane for lane, edge in others.items() if edge["kind"] == kind] for kind, others in ends}
    if any(lanes.values()):
        element["to"] = [lane for found in lanes.values() for lane in found]
    if lanes[LEFT_OUT]:
        element["cut"] = lanes[LEFT_OUT]
    if any(edge["kind"] == "published" for edge in out.values()):
        element["ways_in"] = True
    return element


def changes(before: dict[str, Element], after: dict[str, Element]) -> tuple[list[Element], list[str]]:
    """The elements that are new or different, parents first; and the ids of those that are gone, children first."""
    return [one for node, one in after.items() if before.get(node) != one], [node for node in reversed(before) if node not in after]
