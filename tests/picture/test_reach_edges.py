"""Who can connect to whom, as edges and in words, from what was tried."""

from __future__ import annotations

from lab.observe.connect_from import OPEN, REFUSED, SILENT
from lab.picture.nodes import THE_BOX, Graph
from lab.picture.reach import Door, Reach
from lab.picture.reach_edges import Edge, all_in_words, edges, folded, in_words
from tests.picture.boxes import drawn, shop

PROXY = f"container:{'p' * 64}"
BOX, SERVICE = "box:box-1", "service:box-1/web"


def pod(number: int, kind: str = "pod") -> str:
    return f"{kind}:{f'v1-{number}'.rjust(64, '0')}"


def tried(graph: Graph[str], shut: int = 1) -> Reach:
    """Everybody can connect to everybody, but for the proxy, to whom some of the pods are silent; the box refuses it."""
    units = {it["label"]: node for node, it in graph.nodes(data=True) if node.startswith("pod:")}
    names = [THE_BOX, "proxy", *units]
    doors = (Door(THE_BOX, "10.0.0.1", 22), *(Door(name, "10.244.1.9", 8080) for name in units), Door("web", "10.96.0.10", 80))
    last = len(doors) - 1
    words = {by: [OPEN] * len(doors) for by in names}
    words["proxy"] = [REFUSED, *(SILENT if number <= shut else OPEN for number in range(1, last)), OPEN]
    return Reach(doors, words, {THE_BOX: BOX, "proxy": PROXY, **units, "web": SERVICE}, "12:03:59")


def test_a_node_has_the_edges_from_it_and_to_it() -> None:
    found = drawn(shop(("v1", 2, 0)))
    assert set(edges(tried(found), found, PROXY)) == {
        Edge(BOX, out=True, port=22, word=REFUSED),
        Edge(pod(0), out=True, port=8080, word=SILENT),
        Edge(pod(1), out=True, port=8080, word=OPEN),
        Edge(SERVICE, out=True, port=80, word=OPEN),
    }
    at_pod = edges(tried(found), found, pod(1))
    assert Edge(PROXY, out=False, port=8080, word=OPEN) in at_pod
    assert Edge(BOX, out=True, port=22, word=OPEN) in at_pod
    assert edges(tried(found), found, pod(1, "container")) == at_pod
    assert {it.other for it in edges(tried(found), found, BOX) if it.out} == {pod(0), pod(1), SERVICE}
    assert str(Edge(PROXY, out=False, port=8080, word=SILENT, number=3)) == "← 8080 silent x3"


def test_what_has_gone_and_what_was_not_tried_has_none() -> None:
    found = drawn(shop(("v1", 2, 0)))
    assert edges(tried(found), drawn(shop(("v1", 1, 0))), pod(1)) == []
    assert pod(1) not in {it.other for it in edges(tried(found), drawn(shop(("v1", 1, 0))), PROXY)}
    assert edges(tried(found), found, "network:box-1/pods") == []


def test_the_best_of_several_addresses_counts() -> None:
    found = drawn(shop(("v1", 1, 0)))
    for words in ([SILENT, OPEN], [OPEN, SILENT]):
        two = Reach((Door("web-v1-0", "10.1.0.2", 80), Door("web-v1-0", "10.2.0.2", 80)), {"proxy": words}, tried(found).nodes)
        assert edges(two, found, PROXY) == [Edge(pod(0), out=True, port=80, word=OPEN)]


def test_those_of_many_pods_are_counted() -> None:
    found = drawn(shop(("v1", 40, 0)))
    group, some = "group:box-1/web/v1/ready", tried(found, shut=3)
    assert set(folded(found, edges(some, found, PROXY))) == {
        Edge(BOX, out=True, port=22, word=REFUSED),
        Edge(group, out=True, port=8080, word=SILENT, number=3),
        Edge(group, out=True, port=8080, word=OPEN, number=37),
        Edge(SERVICE, out=True, port=80, word=OPEN),
    }
    assert Edge(PROXY, out=False, port=8080, word=SILENT, number=3) in edges(some, found, group)
    assert set(edges(some, found, "deployment:box-1/web")) == set(edges(some, found, group))


def test_in_words() -> None:
    found = drawn(shop(("v1", 40, 0)))
    some = tried(found, shut=3)
    assert in_words(some, found, PROXY).splitlines() == [
        "can connect to app:v1: 40 ready:8080 (x37), web:80",
        "can't connect to the box:22 (refused), app:v1: 40 ready:8080 (silent, x3)",
    ]
    assert in_words(some, found, SERVICE) == "is open to the box at 80, proxy at 80, app:v1: 40 ready at 80 (x40)"
    assert in_words(some, found, "network:box-1/pods") == ""
    assert all_in_words(some, found).splitlines() == [
        "Who can connect to whom, tried at 12:03:59:",
        "the box: to app:v1: 40 ready:8080 (x40), web:80",
        "proxy: to app:v1: 40 ready:8080 (x37), web:80; not to the box:22 (refused), app:v1: 40 ready:8080 (silent, x3)",
        "app:v1: 40 ready: to the box:22 (x40), app:v1: 40 ready:8080 (x1560), web:80 (x40)",
    ]
