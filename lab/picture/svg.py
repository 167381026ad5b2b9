"""The graph as a still picture (SVG), which needs no script, no network and no kernel.

It looks like the live picture.  A box is a grid with a gutter to the left of each column.  Networks, services and published ports are lanes
below the grid or above it, as wide as the box.  What belongs to a lane is connected to it through a gutter, so that no line crosses a
container.  A group is drawn in the place of its pods; the line of a pod that a Service has left out ends in a cross.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from math import ceil, hypot, sqrt
from typing import TYPE_CHECKING

from lab.observe.connect_from import OPEN
from lab.observe.namespace import WALLS
from lab.picture.nodes import Graph
from lab.picture.services import LEFT_OUT
from lab.picture.text import open_to_the_box, plain, says, text, words

if TYPE_CHECKING:
    from lab.picture.reach_edges import Edge

WIDTH, HEIGHT, GUTTER, GAP = 172, 46, 30, 12
"""Pixels: width and height of a container, width of a gutter, and space between two rows."""
HEAD, WALL, LANE = 20, 13, 20
"""Pixels: height of a title, of the wall between two containers of a pod, and of a lane."""
LINE = 13
"""Pixels: height of a line of small text."""
CROSS = "m-4-4l8 8m0-8l-8 8"
"""Around the end of a line that leads nowhere."""
MOST_COLUMNS = 6
LETTERS = 26
"""Letters that fit into a container's width."""
MOST_WORDS = 10_000
"""Letters at most of the text that describes the picture."""
STYLE = """
text{font:11px system-ui,sans-serif;fill:#1a1a1a}.b{font-weight:600}.s{fill:#444;font-size:10px}
rect{fill:#fff;stroke:#666}.box{fill:#f7f7f7;stroke:#333;stroke-width:2}.pod{fill:#eef3fb;stroke:#1f5fbf;stroke-width:3}.old{fill:#d8d8d8}
.deployment{fill:none;stroke:#777;stroke-dasharray:2 3}.running{stroke:#1b7f3b;stroke-width:2}
.paused{stroke:#1f5fbf;stroke-width:2;stroke-dasharray:8 3}
.restarting{stroke:#a85a00;stroke-width:2;stroke-dasharray:4 3}.exited,.dead,.created,.removing{stroke:#777;stroke-dasharray:2 2}
.group{stroke:#1f5fbf;stroke-width:2}.n{paint-order:stroke;stroke:#f7f7f7;stroke-width:4}
.edge{stroke:#1a1a1a;stroke-width:2;fill:#1a1a1a}.e{paint-order:stroke;stroke:#fff;stroke-width:5;fill:#1a1a1a}
path{fill:none;stroke-width:1.5}.up{stroke:#333;stroke-width:3}.gone{stroke:#999;stroke-dasharray:1 3}
"""
INKS = ("#1f5fbf", "#a85a00", "#7a3fa0", "#0b7a75", "#a02050", "#555")
DASHES = ("", "6 3", "2 3", "9 3 2 3", "4 4", "1 4")
"""Lanes differ in colour and in dashes, for those who can't tell the colours apart."""


@dataclass(frozen=True)
class Place:
    """Where something is drawn."""

    x: float
    y: float
    width: float
    height: float


Places = dict[str, Place]
"""By node."""


@dataclass(frozen=True)
class _Way:
    """A lane: the height of its line, its name, what it leads to, what there is to say below it, and who of those was left out."""

    y: float
    name: str
    members: list[str]
    note: str = ""
    cut: frozenset[str] = frozenset()


@dataclass
class _Page:
    """The parts of a picture that have been drawn so far."""

    parts: list[str] = field(default_factory=list)

    def rect(self, x: float, y: float, width: float, height: float, style: str) -> None:
        self.parts.append(f'<rect class="{style}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4"/>')

    def text(self, x: float, y: float, said: str, style: str = "", most: int = LETTERS) -> None:
        said = plain(said)
        shown = escape(said) if len(said) <= most else f"<title>{escape(said)}</title>{escape(said[: most - 1])}…"
        self.parts.append(f'<text{_class(style)} x="{x:g}" y="{y:g}">{shown}</text>')

    def texts(self, places: Iterable[tuple[float, str]], y: float, style: str) -> None:
        """Draw some short texts on one line; each comes with the x at which it begins."""
        spans = "".join(f'<tspan x="{x:g}">{said}</tspan>' for x, said in places)
        self.parts.append(f'<text{_class(style)} y="{y:g}">{spans}</text>')

    def path(self, way: str, style: str = "", ink: str = "", dash: str = "") -> None:
        look = f' style="stroke:{ink};stroke-dasharray:{dash}"' if ink else ""
        self.parts.append(f'<path{_class(style)} d="{way}"{look}/>')


def _class(style: str) -> str:
    return f' class="{style}"' if style else ""


def svg(graph: Graph[str], selected: str = "", edges: Iterable[Edge] = ()) -> str:
    """The picture, as one ``<svg>`` element.

    Args:
        graph: to draw.
        selected: a node whose edges are drawn as well.
        edges: from it, and to it, as ``lab.picture.reach_edges`` finds them; those of pods that are not drawn are left out.
    """
    children: defaultdict[str, list[str]] = defaultdict(list)
    for node, shown in graph.nodes(data=True):
        children[shown["parent"]].append(node)
    page, y, widest = _Page(), float(GAP), 300.0
    at: Places = {}
    for box in [box for computer in children[""] for box in children[computer]]:
        width, y = _Box(graph, children, page, at).draw(box, y)
        widest = max(widest, width)
    _draw_edges(page, at, at.get(selected) or at.get(graph.nodes.get(selected, {}).get("parent", "")), edges)
    desc = escape(text(graph)[:MOST_WORDS])
    size = f'viewBox="0 0 {widest + 2 * GAP:g} {y:g}" width="{widest + 2 * GAP:g}" height="{y:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="What is on the box">'
    return (
        f'{head}<desc>{desc}</desc><style>{STYLE}</style><rect width="100%" height="100%" style="stroke:none"/>{"".join(page.parts)}</svg>'
    )


def _draw_edges(page: _Page, at: Places, here: Place | None, edges: Iterable[Edge]) -> None:
    """Draw who can connect to whom, over all else: an arrow for each direction in which somebody can, and words at the other end."""
    told: defaultdict[str, list[Edge]] = defaultdict(list)
    for it in edges:
        if here and it.other in at:
            told[it.other].append(it)
    for other, those in told.items():
        if here and at[other] != here:
            start, end = _nearest(here, at[other])
            for out in {it.out for it in those if it.word == OPEN}:
                page.path(_arrow(start, end) if out else _arrow(end, start), "edge")
        there = at[other]
        if there.height <= LANE:
            page.text(there.x + there.width + 8, there.y + LANE - 5, "  ".join(map(str, those)), "e b", 60)
            continue
        for number, it in enumerate(reversed(those)):
            page.text(there.x + there.width / 2, there.y + there.height - LINE * number, str(it), "e b", 30)


def _nearest(here: Place, there: Place) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where a straight line between two frames begins, and where it ends."""
    start = _inside(here, there.x + there.width / 2, there.y + there.height / 2)
    return start, _inside(there, *start)


def _inside(place: Place, x: float, y: float) -> tuple[float, float]:
    return min(max(x, place.x), place.x + place.width), min(max(y, place.y), place.y + place.height)


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x, y), (end_x, end_y) = start, end
    length = max(1.0, hypot(end_x - x, end_y - y))
    along, across = (9 * (end_x - x) / length, 9 * (end_y - y) / length), 0.5
    tips = (f"{end_x - along[0] + side * along[1]:.0f} {end_y - along[1] - side * along[0]:.0f}" for side in (across, -across))
    return f"M{x:.0f} {y:.0f}L{end_x:.0f} {end_y:.0f}L{'L'.join(tips)}L{end_x:.0f} {end_y:.0f}"


class _Box:
    """Draws one box."""

    def __init__(self, graph: Graph[str], children: dict[str, list[str]], page: _Page, places: Places) -> None:
        self._graph, self._children, self._page, self._places = graph, children, page, places
        self._at: dict[str, tuple[float, float]] = {}

    def draw(self, box: str, top: float) -> tuple[float, float]:
        """Draw the box below the height *top*.  Returns its width, and the height at which it ends."""
        inside = self._children[box]
        kinds = {node: self._graph.nodes[node]["kind"] for node in inside}
        bands = [("", [node for node in inside if kinds[node] in ("pod", "container", "namespace")])]
        bands += [(node, self._children[node]) for node in inside if kinds[node] == "deployment"]
        lanes = [node for node in inside if kinds[node] in ("service", "network")]
        published = [node for node in self._graph.successors(box) if self._graph.edges[box, node]["kind"] == "published"]
        columns = min(MOST_COLUMNS, max(2, ceil(sqrt(1.6 * sum(len(units) for _, units in bands)))))
        width, place = columns * (WIDTH + GUTTER) + GUTTER, len(self._page.parts)
        y = top + HEAD + 4
        door, y = (y, y + LANE) if published else (0.0, y)
        for deployment, units in bands:
            y = self._band(deployment, units, columns, y + GAP / 2)
        ways = [_Way(door, "published ports", published)] if published else []
        for lane in lanes:
            ways.append(self._way(lane, y + LANE / 2))
            y += LANE + (LINE if ways[-1].note else 0)
        y += GAP / 2
        below = _Page()
        self._places[box] = Place(GAP, top, width / 2, HEAD)
        below.rect(GAP, top, width, y - top, f"box {self._graph.nodes[box]['state']}".strip())
        below.text(GAP + 8, top + 15, words(self._graph, box), "b", 70)
        for number, way in enumerate(ways):
            self._lane(below, number, way, width)
        self._places |= {
            lane: Place(GAP + GUTTER, way.y - LANE / 2, WIDTH, LANE)
            for lane, way in zip(lanes, ways[len(ways) - len(lanes) :], strict=True)
        }
        for way in ways:
            below.text(GAP + GUTTER + 2, way.y + 4, way.name, "n", 34)
            if way.note:
                below.text(GAP + GUTTER + 2, way.y + 4 + LINE, way.note, "s n", 38 * columns - 4)
        self._page.parts[place:place] = below.parts
        return width, y + GAP

    def _way(self, lane: str, y: float) -> _Way:
        shown = self._graph.nodes[lane]
        members = [*self._graph.predecessors(lane), *self._graph.successors(lane)]
        cut = frozenset(node for node, edge in self._graph[lane].items() if edge["kind"] == LEFT_OUT)
        name = "  ".join(filter(None, [f"{shown['kind']} {shown['label']}", shown["address"]]))
        return _Way(y, name, members, shown["note"] if shown["kind"] == "service" and shown["address"] else "", cut)

    def _band(self, deployment: str, units: list[str], columns: int, top: float) -> float:
        """Draw pods and containers in rows, inside the frame of their deployment if there is one.  Returns the height at which they end."""
        y = top + (HEAD if deployment else 0)
        for start in range(0, len(units), columns):
            row = units[start : start + columns]
            for column, unit in enumerate(row):
                self._unit(unit, GAP + GUTTER + column * (WIDTH + GUTTER), y)
            y += max(map(self._height, row)) + GAP
        if deployment:
            self._page.text(GAP + GUTTER, top + 14, words(self._graph, deployment), "b", 33 * columns + 4)
            self._page.rect(GAP + 3, top, columns * (WIDTH + GUTTER) + GUTTER - 6, y - top - 4, "deployment")
        return y

    def _height(self, unit: str) -> float:
        inside = 0 if self._graph.nodes[unit]["kind"] == "group" else len(self._children.get(unit, ()))
        return HEAD * 2 - 8 + inside * HEIGHT + (inside - 1) * WALL + 6 if inside else HEIGHT

    def _unit(self, unit: str, x: float, y: float) -> None:
        self._at[unit] = (x, y)
        self._places[unit] = Place(x, y, WIDTH, self._height(unit))
        if self._graph.nodes[unit]["kind"] == "container":
            self._container(unit, x, y, WIDTH)
            return
        shown = self._graph.nodes[unit]
        if shown["kind"] == "group":
            self._group(shown, x, y)
            return
        self._page.rect(x, y, WIDTH, self._height(unit), f"pod {shown['version']}".strip())
        self._page.text(x + 8, y + 14, f"{shown['kind']} {shown['label']}", "b")
        marks = [f"✕ {self._graph.nodes[service]['label']}" for service in self._services_without(unit)]
        marks += ["old template"] if shown["version"] == "old" else []
        self._page.text(x + 8, y + 27, "  ".join(filter(None, [shown["address"], shown["ports"], *marks])), "s", 30)
        if shown["kind"] == "namespace":
            self._page.text(x + 8, y + 40, says(shown), "s", 30)
        for number, container in enumerate(self._children[unit]):
            height = y + HEAD * 2 - 8 + number * (HEIGHT + WALL)
            if number:
                self._wall(container, x + 5, height - WALL / 2)
            self._container(container, x + 5, height, WIDTH - 10)

    def _services_without(self, unit: str) -> list[str]:
        """The Services that have left a pod out."""
        return [service for service, edge in self._graph.pred[unit].items() if edge["kind"] == LEFT_OUT]

    def _group(self, shown: Mapping[str, str], x: float, y: float) -> None:
        """Draw a stack of pods."""
        behind = "".join(f"M{x + 3 * at} {y + HEIGHT + 3 * at:g}H{x + WIDTH + 3 * at:g}V{y + 3 * at:g}" for at in (1, 2))
        self._page.path(behind, "group")
        self._page.rect(x, y, WIDTH, HEIGHT, f"group {shown['version']}".strip())
        self._page.text(x + 8, y + 14, shown["label"], "b")
        first, _, more = shown["note"].partition(", ")
        self._page.text(x + 8, y + 27, first, "s", 30)
        self._page.text(x + 8, y + 40, more, "s", 30)

    def _wall(self, container: str, x: float, y: float) -> None:
        """Draw the wall between a container of a pod and those before it: for each kind a thick line if it stands, else a dotted one."""
        inner, piece = self._graph.nodes[container]["inner"], (WIDTH - 10) / len(WALLS)
        lefts = {kind: round(x + number * piece) for number, kind in enumerate(inner)}
        for style, wanted in (("up", True), ("gone", False)):
            pieces = "".join(f"M{left + 22} {y:g}h{piece - 24:.0f}" for kind, left in lefts.items() if inner[kind] == wanted)
            if pieces:
                self._page.path(pieces, style)
        self._page.texts(((left + 2, kind) for kind, left in lefts.items()), y + 3, "s")

    def _container(self, node: str, x: float, y: float, width: float) -> None:
        shown = self._graph.nodes[node]
        self._page.rect(x, y, width, HEIGHT, shown["state"])
        self._page.text(x + 6, y + 13, shown["label"], "b")
        self._page.text(x + 6, y + 26, says(shown), "", int(width / 6.2))
        more = open_to_the_box(shown["walls"]) or "  ".join(filter(None, (shown["image"], shown["address"], shown["ports"])))
        self._page.text(x + 6, y + 39, more, "s", 34)

    def _lane(self, page: _Page, number: int, way: _Way, width: float) -> None:
        ink, dash = INKS[number % len(INKS)], DASHES[number % len(DASHES)]
        aside = 5 + 4 * (number % len(INKS))
        ways = [f"M{GAP + GUTTER + 200} {way.y:g}H{GAP + width - 6:g}"]
        for member in way.members:
            if member in self._at:
                x, height = self._at[member]
                y = height + 8 + 3 * (number % len(INKS))
                ways.append(f"M{x:g} {y:g}H{x - aside:g}" + ("" if member in way.cut else f"V{way.y:g}"))
                if member in way.cut:
                    page.path(f"M{x - aside:g} {y:g}{CROSS}", "cross", ink, "none")
        page.path("".join(ways), "", ink, dash)
        page.path(f"M{GAP + 3} {way.y:g}H{GAP + GUTTER:g}", "", ink, dash)
