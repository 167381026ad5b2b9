"""The graph as elements for a browser: complete, and only what has changed is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from lab.picture.elements import Element, changes, elements
from lab.picture.snapshot import Box
from tests.picture.boxes import ODD, busy, drawn, odd, shop


def services(found: Iterable[Element]) -> list[str]:
    return [it["id"] for it in found if it["kind"] == "service"]


def test_elements_come_parents_first_and_know_their_lanes() -> None:
    found = elements(drawn(busy(10)))
    order = list(found)
    assert all(order.index(it["parent"]) < order.index(node) for node, it in found.items() if it["parent"])
    assert all(it["id"] == node for node, it in found.items())
    assert all(lane in found for it in found.values() for lane in it.get("to", ()))
    first = f"pod:box-1-{0:060}"
    assert found[first]["to"] == ["box:box-1", "network:box-1/net-0", "service:box-1/net-0/service-0"]
    assert found["box:box-1"]["ways_in"]
    assert "ways_in" not in elements(drawn(Box("quiet")))["box:quiet"]


def test_an_element_says_of_each_wall_in_a_pod_whether_it_stands() -> None:
    found = elements(drawn(busy(3)))
    inner = [it.get("inner") for it in found.values() if it["kind"] == "container"]
    both = [["net", False], ["ipc", False], ["uts", True], ["pid", True], ["mnt", True]]
    assert inner == [None, both, [["net", False], ["ipc", True], ["uts", False], ["pid", True], ["mnt", True]]]


def test_a_pod_that_a_service_has_left_out_knows_it_as_a_line_that_is_cut() -> None:
    found = {it["shown"]["label"]: it for it in elements(drawn(shop(("v1", 1, 1)))).values()}
    service = "service:box-1/web"
    assert (found["pod web-v1-0"]["to"], found["pod web-v1-0"].get("cut")) == (["network:box-1/pods", service], None)
    assert (found["pod web-v1-1"]["to"], found["pod web-v1-1"]["cut"]) == (["network:box-1/pods", service], [service])


def test_a_pod_that_gets_ready_changes_groups_and_what_counts_them() -> None:
    before, after = (elements(drawn(shop(("v1", good, 40 - good)))) for good in (38, 39))
    found, gone = changes(before, after)
    assert gone == []
    kinds = sorted(it["kind"] for it in found)
    assert kinds == ["container", "deployment", "group", "group", "pod", "service"]
    (pod,) = (it for it in found if it["kind"] == "pod")
    assert (before[pod["id"]]["parent"], pod["parent"]) == ("group:box-1/web/v1/not ready", "group:box-1/web/v1/ready")


def test_from_nothing_everything_is_new_and_to_nothing_everything_goes() -> None:
    after = elements(drawn(busy(10)))
    assert changes({}, after) == (list(after.values()), [])
    assert changes(after, {}) == ([], list(reversed(after)))
    assert changes(after, elements(drawn(busy(10)))) == ([], [])


@pytest.mark.parametrize(
    ("number", "changed"),
    [(4, {"container"}), (1, {"pod", "container"}), (9, {"deployment", "container"}), (6, {"deployment", "pod", "container"})],
)
def test_one_that_ends_changes_itself_and_what_sums_it_up(number: int, changed: set[str]) -> None:
    before = busy(10)
    ended = replace(before.containers[number], state="removing", exit_code=137)
    after = replace(before, containers=(*before.containers[:number], ended, *before.containers[number + 1 :]))
    found, gone = changes(elements(drawn(before)), elements(drawn(after)))
    assert [it["kind"] for it in found].count("container") == 1
    assert ({it["kind"] for it in found}, gone) == (changed, [])


def test_one_that_comes_brings_itself_and_changes_what_counts_it() -> None:
    changed, gone = changes(elements(drawn(busy(9))), elements(drawn(busy(10))))
    new = f"container:box-1-{9:060}"
    assert {it["id"] for it in changed} - {new} == {"box:box-1", "deployment:box-1/deployment-1", *services(changed)}
    assert new in {it["id"] for it in changed}
    assert gone == []


def test_one_that_is_joined_becomes_a_pod_around_itself() -> None:
    alone = busy(1)
    changed, gone = changes(elements(drawn(alone)), elements(drawn(busy(2))))
    assert [it["id"].partition(":")[0] for it in changed] == ["box", "pod", "container", "container"]
    assert gone == []
    changed, gone = changes(elements(drawn(busy(2))), elements(drawn(alone)))
    assert [it["id"].partition(":")[0] for it in changed] == ["box", "container"]
    assert [node.partition(":")[0] for node in gone] == ["container", "pod"]


def changed(box: Box) -> Iterator[Box]:
    """The same box after something has happened to each of its containers and networks."""
    for number, it in enumerate(box.containers):
        others = (box.containers[:number], box.containers[number + 1 :])
        for new in (
            replace(it, name="new"),
            replace(it, state="paused"),
            replace(it, links=()),
            replace(it, shares={}),
            replace(it, ports=()),
        ):
            yield replace(box, containers=(*others[0], new, *others[1]))
        yield replace(box, containers=others[0] + others[1])
    for number, network in enumerate(box.networks):
        others = (box.networks[:number], box.networks[number + 1 :])
        yield replace(box, networks=(*others[0], replace(network, name="new"), *others[1]))
        yield replace(box, networks=others[0] + others[1])


@pytest.mark.parametrize("made", [busy(22), shop(("v1", 20, 0), ("v2", 10, 1))], ids=["busy", "shop"])
def test_what_is_taken_again_is_what_would_be_made(made: Box) -> None:
    before = drawn(made)
    known = elements(before)
    for box in changed(made):
        after = drawn(box)
        assert elements(after, before, known) == elements(after)
        assert list(elements(after, before, known)) == list(after)


def test_applied_changes_give_what_is_there() -> None:
    there: dict[str, object] = {}
    pictures = [elements(drawn(busy(number))) for number in (7, 30, 12, 0, 1)]
    for before, after in pairwise([{}, *pictures]):
        changed, gone = changes(before, after)
        for node in gone:
            del there[node]
        there |= {it["id"]: it for it in changed}
        assert there == after


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_an_odd_name_is_shown_on_one_line_of_moderate_length(name: str) -> None:
    for it in elements(odd(name)).values():
        for line in (it["aloud"], *it["shown"].values()):
            assert line.isprintable()
            assert len(line) < 500
