"""The graph as elements, as text and as a picture: complete, small, safe, and without a line that crosses what it does not belong to."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import pytest

from lab.picture.elements import Element, changes, elements
from lab.picture.graph import Graph, graph
from lab.picture.snapshot import BOX, Box, Container, Link, Network, Port, Snapshot
from lab.picture.svg import svg
from lab.picture.text import plain, text

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


def drawn(*boxes: Box) -> Graph[str]:
    return graph(Snapshot(boxes))


def odd(name: str) -> Graph[str]:
    """Everything in it that somebody else names is named so."""
    links = (Link("net", "10.0.0.2", (name,)),)
    both = {"image": name, "labels": {"deployment": name}, "links": links}
    member = Container("m", name, shares={"net": "r", "ipc": "x", "pid": "y"})
    containers = (Container("r", name, **both), member, Container("s", name, **both), Container("x", name), Container("y", name))
    return drawn(Box(name, containers, (Network("net", name),)))


class Rect(NamedTuple):
    """A frame of the picture."""

    style: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Rect) -> bool:
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def holds(self, other: Rect) -> bool:
        return self.left <= other.left and other.right <= self.right and self.top <= other.top and other.bottom <= self.bottom


def parsed(found: Graph[str]) -> ET.Element:
    return ET.fromstring(svg(found))  # noqa: S314  (it is ours)


def tags(picture: ET.Element, name: str) -> list[ET.Element]:
    return list(picture.iter(f"{{http://www.w3.org/2000/svg}}{name}"))


def rects(picture: ET.Element) -> list[Rect]:
    found = []
    for rect in tags(picture, "rect"):
        if rect.get("class"):
            x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
            found.append(Rect(rect.attrib["class"], x, y, x + width, y + height))
    return found


def segments(way: str) -> Iterator[Rect]:
    """The straight pieces of a path, each as the flattest of frames."""
    x = y = 0.0
    steps = re.findall(r"([MHVh])([-\d. ]+)", way)
    assert "".join(command + numbers for command, numbers in steps) == way
    for command, numbers in steps:
        before = (x, y)
        if command == "M":
            x, y = map(float, numbers.split())
            continue
        x, y = {"H": (float(numbers), y), "h": (x + float(numbers), y), "V": (x, float(numbers))}[command]
        yield Rect("way", min(before[0], x), min(before[1], y), max(before[0], x), max(before[1], y))


def services(found: Iterable[Element]) -> list[str]:
    return [it["id"] for it in found if it["kind"] == "service"]


def leaf(rect: Rect) -> bool:
    return rect.style in STATES


# Elements


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


def test_what_is_taken_again_is_what_would_be_made() -> None:
    before = drawn(busy(22))
    known = elements(before)
    for box in changed(busy(22)):
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


# Text


def test_the_tree_shows_what_is_in_what() -> None:
    assert text(drawn(busy(5), Box("box-2"))).splitlines() == [
        "your computer",
        "├─ box box-1  (5 containers)",
        "│  ├─ pod app-0  (running, 3 containers)  10.0.0.2  published 8000→8080  on network-0",
        "│  │  ├─ container app-0-0  (running)  app:v1",
        "│  │  ├─ container app-0-1  (running)  app:v1  no wall for net, ipc to app-0-0; no wall for uts to the box",
        "│  │  └─ container app-0-2  (running)  app:v1  no wall for net to app-0-0; no wall for uts to the box",
        "│  ├─ container app-0-3  (exited, code 1)  app:v1  10.0.0.5  on network-0",
        "│  ├─ container app-0-4  (paused)  app:v1  10.0.0.6, 10.1.0.6  published 8004→8080  on network-0, network-1",
        "│  ├─ service service-0  (a name for 3)  → app-0, app-0-3, app-0-4",
        "│  ├─ network network-0  (bridge)  10.0.0.0/24",
        "│  ├─ network network-1  (bridge)  10.1.0.0/24",
        "│  ├─ network network-2  (bridge)  10.2.0.0/24",
        "│  └─ network network-3  (bridge)  10.3.0.0/24",
        "└─ box box-2  (0 containers)",
    ]


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_every_node_is_one_line_of_text_whatever_it_is_called(name: str) -> None:
    found = odd(name)
    lines = text(found).splitlines()
    assert len(lines) == len(found)
    assert all(line.isprintable() for line in lines)


def test_a_long_name_says_that_it_goes_on() -> None:
    assert plain("x" * 60) == "x" * 60
    assert plain("x" * 61) == "x" * 59 + "…"


# The picture


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_the_picture_is_well_formed_and_holds_no_script_whatever_things_are_called(name: str) -> None:
    picture = parsed(odd(name))
    kinds = {element.tag.rpartition("}")[2] for element in picture.iter()}
    assert kinds - {"title"} == {"svg", "desc", "style", "rect", "text", "tspan", "path"}
    assert all(not attribute.startswith("on") and "href" not in attribute for element in picture.iter() for attribute in element.attrib)
    said = " ".join(picture.itertext())
    assert plain(name)[:20].strip() in said


def test_what_does_not_fit_is_there_in_full_for_who_points_at_it() -> None:
    picture = parsed(odd("a-name-that-goes-on-and-on-and-on-and-on"))
    assert any("a-name-that-goes-on-and-on-and-on-and-on" in (title.text or "") for title in tags(picture, "title"))


def test_the_picture_says_in_words_what_it_shows() -> None:
    found = drawn(busy(10))
    picture = parsed(found)
    assert picture.get("role") == "img"
    assert picture.get("aria-label")
    (told,) = tags(picture, "desc")
    assert told.text == text(found)
    assert sum(leaf(rect) for rect in rects(picture)) == 10


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7, 30, 100])
def test_no_frame_overlaps_a_sibling(number: int) -> None:
    picture = parsed(drawn(busy(number), Box("empty"), busy(number // 2, "box-2")))
    frames = rects(picture)
    size = Rect("page", 0, 0, float(picture.attrib["width"]), float(picture.attrib["height"]))
    assert all(size.holds(frame) for frame in frames)
    assert sum(frame.style == "box" for frame in frames) == 3
    for place, one in enumerate(frames):
        for other in frames[place + 1 :]:
            if one.overlaps(other):
                inner, outer = (one, other) if other.holds(one) else (other, one)
                assert outer.holds(inner), (one, other)
                assert (outer.style, inner.style) in {
                    *((outside, state) for outside in ("box", "pod", "deployment") for state in STATES),
                    ("box", "pod"), ("box", "deployment"), ("deployment", "pod"),
                }  # fmt: skip


@pytest.mark.parametrize("number", [1, 2, 7, 30, 100])
def test_no_line_crosses_what_it_does_not_belong_to(number: int) -> None:
    picture = parsed(drawn(busy(number), busy(number // 2, "box-2")))
    units = [frame for frame in rects(picture) if leaf(frame) or frame.style == "pod"]
    boxes = [frame for frame in rects(picture) if frame.style == "box"]
    ways = [path for path in tags(picture, "path") if not path.get("class")]
    assert ways
    for way in ways:
        for segment in segments(way.attrib["d"]):
            assert not any(segment.overlaps(unit) for unit in units), way.attrib["d"]
            assert any(box.holds(segment) for box in boxes), way.attrib["d"]


def test_every_line_starts_at_what_it_belongs_to() -> None:
    found = drawn(busy(30))
    picture = parsed(found)
    corners = {(frame.left, frame.top) for frame in rects(picture) if leaf(frame) or frame.style == "pod"}
    starts = [
        tuple(map(float, start)) for path in tags(picture, "path") for start in re.findall(r"M([\d.]+) ([\d.]+)H[\d.]+V", path.attrib["d"])
    ]
    assert len(starts) == found.number_of_edges()
    assert all(any(x == left and 0 < y - top < 46 for left, top in corners) for x, y in starts)


def test_lanes_differ_in_more_than_colour() -> None:
    looks = {path.attrib["style"] for path in tags(parsed(drawn(busy(10))), "path") if "style" in path.attrib}
    inks, dashes = zip(*(look.split(";") for look in looks), strict=True)
    assert len(set(inks)) == len(set(dashes)) == len(looks) == 6


def test_walls_stand_inside_their_pod_and_between_its_containers() -> None:
    picture = parsed(drawn(busy(3)))
    (pod,) = [frame for frame in rects(picture) if frame.style == "pod"]
    walls = [path for path in tags(picture, "path") if path.get("class")]
    pieces = [(wall.get("class"), len(list(segments(wall.attrib["d"])))) for wall in walls]
    assert pieces == [("up", 3), ("gone", 2), ("up", 3), ("gone", 2)]
    for wall in walls:
        for segment in segments(wall.attrib["d"]):
            assert pod.holds(segment)
            assert not any(segment.overlaps(frame) for frame in rects(picture) if leaf(frame))


def test_nothing_is_a_picture_too() -> None:
    assert rects(parsed(graph(Snapshot(())))) == []


def pairs(number: int) -> Box:
    """As the course has them: two fifths of all in pods of two, in three deployments, on a network, with a port each tenth."""

    def one(number: int, alone: int) -> Container:
        if number < alone and number % 2:
            root = f"{number - 1:064}"
            return Container(f"{number:064}", f"web-{number // 2}-app", "app:v1", shares={"net": root, "ipc": root})
        links = (Link("net", f"10.0.0.{number}", (f"service-{number % 3}",)),)
        ports = (Port(8000 + number, 8080),) if number % 10 == 0 else ()
        labels = {"deployment": f"deployment-{number % 3}"}
        return Container(f"{number:064}", f"web-{number // 2}-pause", "pause", labels=labels, links=links, ports=ports)

    return Box("box-1a2b", tuple(one(each, number * 2 // 5) for each in range(number)), (Network("net", "front", subnet="10.0.0.0/16"),))


def plainest(number: int) -> Box:
    """All alone, on a network."""
    links = [(Link("net", f"10.0.0.{each}"),) for each in range(number)]
    containers = (Container(f"{each:064}", f"app-{each}", "app:v1", links=links[each]) for each in range(number))
    return Box("box-1a2b", tuple(containers), (Network("net", "front", subnet="10.0.0.0/16"),))


@pytest.mark.parametrize(("made", "most_bytes"), [(plainest, 50_000), (pairs, 60_000), (busy, 70_000)])
def test_a_hundred_containers_fit_into_a_notebook(made: Callable[[int], Box], most_bytes: int) -> None:
    found = drawn(made(100))
    assert len(svg(found).encode()) + len(text(found).encode()) < most_bytes
