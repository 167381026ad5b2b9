"""How fast the live picture is: with containers that are made up, beside cytoscape.js in the same run, and on a real box in JupyterLab.

``python -m bench.topology --json`` prints rows, as ``bench.rows`` says.  The made-up containers go the way that real ones go, from the
snapshot on: Python makes a message, and the module ``topology.js`` draws it in Chromium.  Times are medians; each page draws once
before it is measured, and is left alone between two updates.  A kilobyte has 1,024 bytes.

The peer comes from npm, into a temporary directory; without npm, or a way to it, there are no rows about it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench import live
from bench.crowd import crowd, pause
from bench.page import browser, load
from bench.rows import RUNS, Row, on_an_engine, show
from lab.picture.elements import changes, elements
from lab.picture.graph import graph
from lab.picture.snapshot import Box, Snapshot

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDGET = Path(__file__).parents[1] / "lab" / "widgets" / "topology.js"
PEER = "cytoscape@3.34.4"
PEERS_MODULE = Path("node_modules", "cytoscape", "dist", "cytoscape.esm.min.mjs")
UPDATES = 9
CALM_MS = 1_500
"""Before something is measured: until highlights have faded, and what a library puts off is done."""
SIZES = {100: (60, None), 1_000: (250, 70), 5_000: (None, 400)}
"""How many containers, and the limits in milliseconds for the first painting and for an update."""
PEERS_SIZE, TIMES = 1_000, 5
"""Where the peer is compared, and how many times as long it shall take."""


class Kernel:
    """Python's part: what ``lab.widgets.topology`` does with a snapshot.

    Args:
        box: what is seen at first.
    """

    def __init__(self, box: Box) -> None:
        self._revision = 0
        self._graph = graph(Snapshot((box,)))
        self._elements = elements(self._graph)

    def all(self) -> list[str]:
        """The messages for a browser that knows nothing."""
        first = {"t": "all", "revision": 0, "set": list(self._elements.values())}
        around = [{"t": "hello", "legend": [], "keys": ""}, {"t": "badge", "text": "● live", "stale": False}]
        return [json.dumps(message) for message in (around[0], first, around[1])]

    def update(self, box: Box) -> tuple[str, int]:
        """The message for one that knows what was seen before, and its revision."""
        drawn, self._graph = self._graph, graph(Snapshot((box,)))
        after = elements(self._graph, drawn, self._elements)
        fresh, gone = changes(self._elements, after)
        self._elements, self._revision = after, self._revision + 1
        return json.dumps({"t": "delta", "revision": self._revision, "set": fresh, "gone": gone}), self._revision


@dataclass(frozen=True)
class Drawn:
    """What was measured with one library and one size, in milliseconds."""

    first: list[float] = field(default_factory=list)
    """Until everything was painted."""
    python: list[float] = field(default_factory=list)
    """For each update, until there was a message."""
    browser: list[float] = field(default_factory=list)
    """For each update, from the message until it was painted."""


def draw(page: Page, size: int) -> Drawn:
    """Have ``picture``, of whichever library, painted and changed."""
    box, drawn = crowd(size), Drawn()
    kernel = Kernel(box)
    for _ in range(1 + RUNS):
        page.evaluate("() => picture.clear()")
        page.wait_for_timeout(CALM_MS)
        drawn.first.append(page.evaluate("(messages) => picture.first(messages)", kernel.all()))
    for number in range(1 + UPDATES):
        page.wait_for_timeout(CALM_MS)
        box = pause(box, number * 7)
        began = time.perf_counter()
        message = kernel.update(box)
        drawn.python.append((time.perf_counter() - began) * 1000)
        drawn.browser.append(page.evaluate("(message) => picture.update(...message)", message))
    return Drawn(drawn.first[1:], drawn.python[1:], drawn.browser[1:])


def ours(page: Page, size: int) -> Drawn:
    """The live picture."""
    page.add_style_tag(path=WIDGET.with_suffix(".css"))
    load(page, widget=WIDGET)
    page.evaluate("() => { window.picture = new bench.Live(widget); }")
    return draw(page, size)


def peers(page: Page, size: int, library: Path, places: object) -> Drawn:
    """cytoscape.js, which puts the nodes where they are in ours."""
    load(page, cytoscape=library)
    page.evaluate("(places) => { window.picture = new bench.Cytoscape(cytoscape, places); }", places)
    return draw(page, size)


def fetched(home: Path) -> Path | None:
    """The peer's module, if npm brings it."""
    command = ["npm", "install", "--prefix", home, "--cache", home / "cache", "--no-audit", "--no-fund", "--ignore-scripts", PEER]
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    except FileNotFoundError:
        print("No rows about cytoscape.js: npm is not installed.", file=sys.stderr)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"No rows about cytoscape.js, which npm did not bring: {str(error.stderr)[-300:]}", file=sys.stderr)
    else:
        return home / PEERS_MODULE
    return None


def made_up() -> Iterator[Row]:
    """Figures of containers that are made up."""
    with TemporaryDirectory(prefix="bench-") as home, browser(Path(home)) as blank:
        library = fetched(Path(home))
        yield Row("topology.js", WIDGET.stat().st_size, "B", 12 * 1024)
        if library:
            yield Row("cytoscape.js, minified", library.stat().st_size, "B")
        for size, (first_limit, update_limit) in SIZES.items():
            page = blank.context.new_page()
            drawn = ours(page, size)
            updates = [sum(parts) for parts in zip(drawn.python, drawn.browser, strict=True)]
            places = page.evaluate("() => picture.places()")
            page.close()
            yield Row(f"{size} containers: first painted", round(median(drawn.first)), "ms", first_limit)
            yield Row(f"{size} containers: an update, in Python", round(median(drawn.python), 1), "ms")
            yield Row(f"{size} containers: an update, in the browser", round(median(drawn.browser), 1), "ms")
            yield Row(f"{size} containers: an update, both", round(median(updates), 1), "ms", update_limit)
            if library and size <= PEERS_SIZE:
                page = blank.context.new_page()
                peer = peers(page, size, library, places)
                page.close()
                yield Row(f"{size} containers: first painted by cytoscape.js", round(median(peer.first)), "ms")
                yield Row(f"{size} containers: an update, in the browser, by cytoscape.js", round(median(peer.browser), 1), "ms")
                if size == PEERS_SIZE:
                    times = round(median(peer.browser) / median(drawn.browser), 1)
                    yield Row(f"{size} containers: cytoscape.js's update / ours, in the browser", times, "times", TIMES, at_least=True)


def rows() -> Iterator[Row]:
    """All figures."""
    yield from made_up()
    yield from on_an_engine(live.rows)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        show(rows())
