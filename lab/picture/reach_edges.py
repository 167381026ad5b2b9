"""Who can connect to whom, as edges of the graph: those of one node, for a drawing, and all of them in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from lab.observe.connect_from import OPEN
from lab.picture.nodes import THE_BOX, Graph, listed
from lab.picture.reach import SIGNS, Reach
from lab.picture.text import plain

MOST_NAMES = 12
"""Names that one line has."""
Best = dict[tuple[str, str, int], str]
"""What became of attempts, by source, target and port."""


@dataclass(frozen=True)
class Edge:
    """What became of attempts to connect between a node, or what is in it, and another one.

    Args:
        other: the other's node.
        out: whether the attempts were made from here; else from there.
        port: that was tried.
        word: ``open``, ``refused``, ``silent`` or ``no way``.
        number: how many pairs of somebody here and somebody there.
    """

    other: str
    out: bool
    port: int
    word: str
    number: int = 1

    def __str__(self) -> str:
        times = f" x{self.number}" if self.number > 1 else ""
        return f"{'→' if self.out else '←'} {self.port} {SIGNS[self.word]}{times}"


def edges(found: Reach, graph: Graph[str], node: str) -> list[Edge]:
    """The edges of a node; of a pod for one of its containers; and of a group or a deployment those of all of its pods, together.

    Args:
        found: what was tried.
        graph: that is drawn now; who has gone since has no edges.
        node: its id.
    """
    return _edges(set(_members(found, graph, node)), _best(found, graph))


def _edges(here: Collection[str], best: Best) -> list[Edge]:
    told = Counter[tuple[str, bool, int, str]]()
    for (source, target, port), word in best.items():
        if source in here:
            told[target, True, port, word] += 1
        elif target in here:
            told[source, False, port, word] += 1
    return [Edge(*it, number) for it, number in told.items()]


def folded(graph: Graph[str], found: Iterable[Edge]) -> list[Edge]:
    """The same edges where pods in groups are not drawn one by one."""
    numbers = Counter[Edge]()
    for it in found:
        numbers[Edge(_shown(graph, it.other), it.out, it.port, it.word)] += it.number
    return [Edge(it.other, it.out, it.port, it.word, number) for it, number in numbers.items()]


def in_words(found: Reach, graph: Graph[str], node: str) -> str:
    """The edges of a node in words, on up to four lines; empty where it has none."""
    those = folded(graph, edges(found, graph, node))
    verbs = {
        (True, True): "can connect to",
        (True, False): "can't connect to",
        (False, True): "is open to",
        (False, False): "is not open to",
    }
    told = {out: _sorted(graph, [it for it in those if it.out == out]) for out in (True, False)}
    return "\n".join(f"{verb} {told[out][good]}" for (out, good), verb in verbs.items() if good in told[out])


def all_in_words(found: Reach, graph: Graph[str]) -> str:
    """Whom everybody can connect to, a line each: what the edges of all nodes come to."""
    shown: defaultdict[str, Best] = defaultdict(dict)
    for attempt, word in _best(found, graph).items():
        shown[_shown(graph, attempt[0])][attempt] = word
    lines = [f"Who can connect to whom, tried at {found.at}:"]
    for node, best in shown.items():
        out = folded(graph, _edges({source for source, _, _ in best}, best))
        told = [f"{'' if good else 'not '}to {names}" for good, names in _sorted(graph, out).items()]
        lines.append(f"{_name(graph, node)}: {'; '.join(told)}")
    return "\n".join(lines)


def _sorted(graph: Graph[str], those: Iterable[Edge]) -> dict[bool, str]:
    """With whom connections came about, and with whom they did not."""
    names: defaultdict[bool, list[str]] = defaultdict(list)
    for it in those:
        notes = [*([] if it.word == OPEN else [SIGNS[it.word]]), *([f"x{it.number}"] if it.number > 1 else [])]
        more = f" ({', '.join(notes)})" if notes else ""
        names[it.word == OPEN].append(f"{_name(graph, it.other)}{':' if it.out else ' at '}{it.port}{more}")
    return {good: listed(names[good], MOST_NAMES) for good in sorted(names, reverse=True)}


def _name(graph: Graph[str], node: str) -> str:
    it = graph.nodes[node]
    return THE_BOX if it["kind"] == "box" else plain(it["label"])


def _shown(graph: Graph[str], node: str) -> str:
    """What stands for a node where groups are folded."""
    parent = graph.nodes[node]["parent"]
    return parent if parent.startswith("group:") else node


def _members(found: Reach, graph: Graph[str], node: str) -> Iterator[str]:
    if node not in graph:
        return
    if graph.nodes[node]["kind"] == "container" and node not in found.nodes.values():
        node = graph.nodes[node]["parent"]
    for unit in found.nodes.values():
        within = unit
        while within in graph and within != node and graph.nodes[within]["kind"] != "box":
            within = graph.nodes[within]["parent"]
        if within == node and (unit == node or graph.nodes[node]["kind"] != "box"):
            yield unit


def _best(found: Reach, graph: Graph[str]) -> Best:
    """What became of all attempts; where somebody has several addresses, what was best."""
    best: Best = {}
    for by, words in found.tried.items():
        for door, word in zip(found.doors, words, strict=True):
            source, target = found.nodes.get(by, ""), found.nodes.get(door.owner, "")
            if source != target and source in graph and target in graph and best.get((source, target, door.port)) != OPEN:
                best[source, target, door.port] = word
    return best
