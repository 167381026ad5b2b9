"""The graph as a picture: well-formed, safe, small, and without a line that crosses what it does not belong to."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from lab.observe.connect_from import OPEN, SILENT
from lab.picture.graph import graph
from lab.picture.nodes import Graph
from lab.picture.reach_edges import Edge
from lab.picture.snapshot import Box, Container, Link, Network, Port, Snapshot
from lab.picture.svg import svg
from lab.picture.text import plain, text
from tests.picture.boxes import ODD, STATES, busy, drawn, odd, shop


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
    return parsed_text(svg(found))


def parsed_text(drawing: str) -> ET.Element:
    return ET.fromstring(drawing)  # noqa: S314  (it is ours)


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


def leaf(rect: Rect) -> bool:
    return rect.style in STATES


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


def test_a_pod_that_a_service_has_left_out_has_a_cross_and_its_line_leads_nowhere() -> None:
    picture = parsed(drawn(shop(("v1", 2, 1))))
    said = [" ".join(text_.itertext()) for text_ in tags(picture, "text")]
    assert "10.244.1.5  ✕ web" in said
    assert "2 of 3 ready, left out: web-v1-2 (is not ready)" in said
    (cross,) = (path for path in tags(picture, "path") if path.get("class") == "cross")
    x, y = re.findall(r"[\d.]+", cross.attrib["d"])[:2]
    (line,) = (path for path in tags(picture, "path") if f"{y}H{x}" in path.attrib["d"])
    assert f"{y}H{x}V" not in line.attrib["d"]
    assert len(re.findall(r"H[\d.]+V", line.attrib["d"])) == 2


def test_two_hundred_pods_are_three_stacks() -> None:
    picture = parsed(drawn(shop(("v1", 120, 0), ("v2", 70, 12), wanted=200)))
    assert sorted(frame.style for frame in rects(picture) if "group" in frame.style) == ["group new", "group new", "group old"]
    assert sum(leaf(frame) for frame in rects(picture)) == 1  # the proxy
    said = [" ".join(text_.itertext()) for text_ in tags(picture, "text")]
    assert {"app:v1: 120 ready", "app:v2: 70 ready", "app:v2: 12 not ready", "12 HTTP 503"} < set(said)


def test_edges_of_what_is_selected_are_arrows_and_words_at_the_other_end() -> None:
    found = drawn(shop(("v1", 2, 0)))
    proxy = f"container:{'p' * 64}"
    first, second = (node for node in found if node.startswith("pod:"))
    ways = [
        Edge(first, out=True, port=80, word=OPEN),
        Edge(first, out=False, port=8080, word=OPEN),
        Edge(second, out=True, port=80, word=SILENT),
    ]
    ways += [Edge("pod:gone", out=True, port=80, word=OPEN)]
    picture = parsed_text(svg(found, proxy, ways))
    arrows = [path for path in tags(picture, "path") if path.get("class") == "edge"]
    assert len(arrows) == 2  # to the first and from it; what is silent has words alone
    said = [text_.text for text_ in tags(picture, "text") if text_.get("class") == "e b"]
    assert sorted(map(str, said)) == ["← 8080 yes", "→ 80 silent", "→ 80 yes"]
    assert svg(found, "container:gone", ways) == svg(found)


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
