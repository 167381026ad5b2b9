"""``topology(box)``: the live picture of what is really on a box.

Python takes snapshots (``lab.picture``) and sends the browser what has changed; ``topology.js`` keeps an element for each node.  Nothing of
it is widget state, so a saved notebook does not grow with it.  A browser that has missed a message asks for everything.

In the script, each message from Python is a method of the same name.  What stays in the picture never moves: a new node takes the place of
one that was removed, or comes last, and a row keeps its height as long as something is below it.  Keys are taken on the window, before
JupyterLab's shortcuts are.  What is not needed at first is a module of its own, ``on_demand.js``: it is sent before the first message that
needs it, and its functions become methods as well.

Below the live picture stands an output of its own with a still one (SVG and text), kept up to date while there is a kernel: it is what a
saved notebook, nbconvert, a web page or a screen reader has without one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakSet

import traitlets
from IPython.display import DisplayHandle, display

from lab.box.errors import CourseError
from lab.box.machine import Machine
from lab.observe.connect_from import OPEN
from lab.observe.event_stream import ANSWER_S
from lab.picture.elements import Element, changes, elements
from lab.picture.feed import Seen, follow, leave
from lab.picture.graph import graph
from lab.picture.nodes import Graph
from lab.picture.reach import SIGNS, Reach
from lab.picture.reach_edges import Edge, all_in_words, edges, folded, in_words
from lab.picture.snapshot import Snapshot
from lab.picture.svg import svg
from lab.picture.text import text
from lab.picture.way import answering, between, entrance
from lab.widgets.cell import ends_with_its_cell
from lab.widgets.inspect import details
from lab.widgets.prompt import PromptWidget

HERE = Path(__file__).parent
ON_DEMAND = HERE / "on_demand.js"
TWIN_EVERY_S = 3.0
"""Seconds between two renewals of the still picture, and from a change to the renewal at the latest."""
LEGEND = (
    ("st-running", "running"), ("st-paused", "paused"), ("st-restarting", "restarting"), ("st-exited", "exited, dead, or gone"),
    ("pod", "a pod: containers that share a network; or a network namespace without any"),
    ("wall up", "a wall that stands between two of them"),
    ("wall", "a wall that is gone: they share that"), ("deployment", "a deployment: copies of one thing"),
    ("pod is-old", "a copy of a template that is not wanted any more"),
    ("group", "many copies that are alike; Enter, → and ← unfold them and fold them"),
    ("lane", "a network, a service, or published ports; lines lead to what is on it, and end in a cross at what a service has left out"),
)  # fmt: skip
KEYS = """\
↑ ↓        the item before, the next        Enter  what there is to know about it
← →        out of it, into it               /      filter
Home End   the first, the last              Esc    close

Walls:  net (network)  ipc (shared memory)  uts (host name)  pid (processes)  mnt (files)

"""


class TopologyView(PromptWidget):
    """The live picture of one machine, or of several.

    Args:
        machines: to look at.
        reach: who can connect to whom on one of them, as it was tried; to be drawn for what is selected.

    Attributes:
        selected: the id of the node that is selected, such as ``container:…``; empty where none is.
    """

    _esm = HERE / "topology.js"
    _css = HERE / "topology.css"
    selected = traitlets.Unicode("").tag(sync=True)
    open_views: ClassVar[WeakSet[TopologyView]] = WeakSet()

    def __init__(self, *machines: Machine, reach: Reach | None = None) -> None:
        super().__init__()
        self.machines = machines
        self._lock = threading.RLock()
        self._seen: dict[int, Seen] = {}
        self._revision, self._elements = 0, dict[str, Element]()
        self._graph: Graph[str] = graph(Snapshot(()))
        self._first, self._closed, self._has_more = threading.Event(), False, False
        self._reach = reach
        self._addresses: dict[tuple[str, int], str] = {}
        self._twin: Any = None
        self._twin_is_of = 0
        self._due: threading.Timer | None = None
        self.on_msg(self._asked)
        self.observe(self._select, "selected")
        self._subscribers = [lambda seen, number=number: self._see(number, seen) for number in range(len(machines))]
        self._feeds = [follow(machine, subscriber) for machine, subscriber in zip(machines, self._subscribers, strict=True)]
        self.open_views.add(self)
        ends_with_its_cell(self.close)

    @property
    def graph(self) -> Graph[str]:
        """The graph that is drawn; see ``lab.picture.graph``."""
        return self._graph

    def close(self) -> None:
        """Stop following the machines, and take the live picture away; the still one stays."""
        if self._closed:
            return
        self._closed = True
        self.open_views.discard(self)
        for machine, subscriber in zip(self.machines, self._subscribers, strict=True):
            leave(machine, subscriber)
        if due := self._due:
            due.cancel()
        self._renew()
        super().close()

    def pulse(self, by: str, request: str, *, failed: bool = False, url: str = "") -> None:
        """Show a request that was really made, the way that it took, and who answered.

        Args:
            by: who answered, as it calls itself: a container's id, in full or in short, or the name of a pod or of a machine.
            request: the request's own id.
            failed: whether it was refused, or not answered.
            url: where it was sent; where nobody answered, it is shown how far that leads.
        """
        drawn = self._graph
        first = entrance(drawn, url, self._address) if url else ""
        for node in answering(drawn, by) or filter(None, [first]):
            self._send_on_demand({"t": "pulse", "id": node, "way": between(drawn, first, node), "request": request, "failed": failed})

    def _address(self, box: str, port: int) -> str:
        """The web address of a port of a box; empty where there is none.  It stays the same, so it is asked for once."""
        if (box, port) not in self._addresses:
            machine = next(
                (self.machines[number] for number, seen in self._seen.items() if seen.box and box == f"box:{seen.box.name}"), None
            )
            try:
                self._addresses[box, port] = machine.url(port) if machine else ""
            except (CourseError, OSError, NotImplementedError):
                return ""
        return self._addresses[box, port]

    def show_reach(self, found: Reach | None) -> None:
        """Draw who can connect to whom, from now on: for each node as soon as it is selected.

        Args:
            found: what ``reach`` has found; nothing to draw nothing of it any more.
        """
        self._reach = found
        self._select()

    def _select(self, _: object = None) -> None:
        """Tell who can connect to what is selected, and to whom that can."""
        if self._reach or self._has_more:
            self._send_on_demand(self._reach_message())
        with self._lock:
            self._twin_is_of = 0
            self._renew_soon()

    def _ties(self) -> list[Edge]:
        return edges(self._reach, self._graph, self.selected) if self._reach else []

    def _reach_message(self) -> dict[str, object]:
        said = ""
        if found := self._reach:
            said = in_words(found, self._graph, self.selected) or "Select a pod or a container, and it is shown here."
            said = f"Who can connect to whom, tried at {found.at}.\n{said}"
        ties = [[it.other, it.out, f"{it.port} {SIGNS[it.word]}", it.word == OPEN, it.number] for it in self._ties()]
        return {"t": "reach", "of": self.selected, "edges": ties, "words": said}

    def _send_on_demand(self, message: Mapping[str, object]) -> None:
        """Send a message that a method of the second module takes."""
        with self._lock:
            if not self._has_more:
                self._has_more = True
                self._send_more()
            self.send(message)

    def _send_more(self) -> None:
        self.send({"t": "load", "source": ON_DEMAND.read_text()})

    def _see(self, number: int, seen: Seen) -> None:
        with self._lock:
            if self._closed:
                return
            before, self._seen[number] = self._seen.get(number), seen
            if seen.box and (not before or before.box is not seen.box):
                boxes = [self._seen[at].box for at in sorted(self._seen)]
                drawn, self._graph = self._graph, graph(Snapshot(tuple(box for box in boxes if box)))
                found = elements(self._graph, drawn, self._elements)
                fresh, gone = changes(self._elements, found)
                self._elements = found
                if fresh or gone:
                    self._revision += 1
                    self.send({"t": "delta", "revision": self._revision, "set": fresh, "gone": gone})
            if not before or before.stale != seen.stale:
                self.send(self._badge())
            if len(self._seen) == len(self.machines) and (seen.box or seen.stale):
                self._first.set()
            self._renew_soon()

    def _unseen(self) -> list[Seen]:
        """The machines that can't be seen, without those that are gone."""
        return [seen for seen in self._seen.values() if seen.stale and not (seen.box and seen.box.end_reason)]

    def _badge(self) -> dict[str, object]:
        lost = [seen.box.name for _, seen in sorted(self._seen.items()) if seen.box and seen.box.end_reason]
        says = [f"gone: {', '.join(lost)}"] if lost else []
        unseen = self._unseen()
        lively = not unseen and len(lost) < len(self.machines)
        if unseen:
            since = time.strftime("%H:%M:%S", time.localtime(min(seen.since for seen in unseen)))
            says.insert(0, f"stale since {since}: {unseen[0].stale}")
        elif lively:
            says.insert(0, "● live")
        return {"t": "badge", "text": ("" if lively else "⚠ ") + "; ".join(says), "stale": not lively}

    def _asked(self, _: object, content: Mapping[str, Any], __: object) -> None:
        """A browser wants something; the engine is asked in a thread of its own, so that one that hangs holds nobody up."""
        if content.get("want") == "all":
            with self._lock:
                if self._has_more:
                    self._send_more()
                self.send({"t": "hello", "legend": LEGEND, "keys": KEYS})
                self.send({"t": "all", "revision": self._revision, "set": list(self._elements.values())})
                self.send(self._badge())
                if self._reach:
                    self._send_on_demand(self._reach_message())
        elif content.get("want") == "text":
            self.send({"t": "text", "text": self._text()})
        elif content.get("want") == "details":
            threading.Thread(target=self._tell_details, args=(str(content.get("id")),), name="topology-details", daemon=True).start()

    def _tell_details(self, node: str) -> None:
        machines = {f"box:{seen.box.name}": self.machines[number] for number, seen in self._seen.items() if seen.box}
        title, parts = details(machines, self._graph, node)
        if self._reach and (said := in_words(self._reach, self._graph, node)):
            parts.insert(1, (f"Who can connect to whom, tried at {self._reach.at}", said))
        self._send_on_demand({"t": "details", "id": node, "title": title, "parts": parts})

    def _text(self) -> str:
        return "\n\n".join([text(self._graph), *([all_in_words(self._reach, self._graph)] if self._reach else [])])

    def _still(self) -> dict[str, str]:
        at = time.strftime("%H:%M:%S")
        stale = f"\n{self._badge()['text']}" if self._unseen() else ""
        drawn = svg(self._graph, self.selected, folded(self._graph, self._ties()))
        return {"image/svg+xml": drawn, "text/plain": f"{self._text()}\n(as it was at {at}){stale}"}

    def _renew_soon(self) -> None:
        if self._twin and self._twin_is_of != self._revision and not self._due:
            self._due = threading.Timer(TWIN_EVERY_S, self._renew)
            self._due.name, self._due.daemon = "topology-twin", True
            self._due.start()

    def _renew(self) -> None:
        """Bring the still picture up to date."""
        with self._lock:
            self._due = None
            if self._twin and self._twin_is_of != self._revision:
                self._twin_is_of = self._revision
                self._twin.update(self._still(), raw=True)

    def _ipython_display_(self) -> None:
        self._first.wait(ANSWER_S)
        bundle = self._repr_mimebundle_()
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, None)
        words = "The live picture; what it showed last stands below."
        display({**(data or {}), "text/plain": words}, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
        with self._lock:
            self._twin_is_of = self._revision
            self._twin = self._twin or DisplayHandle()  # type: ignore[no-untyped-call]
            self._twin.display(self._still(), raw=True)


def show(*machines: Machine, reach: Reach | None = None) -> TopologyView:
    """Show what is on machines, as a picture that follows what happens there; to be the last expression of a cell.

    Args:
        machines: to look at; your box where none is named.
        reach: who can connect to whom on one of them, as ``reach`` has found it; to be drawn for whatever is selected.

    Raises:
        CourseError: there is no box.
    """
    from lab.box import connect  # noqa: PLC0415  (looked up when it is used: a later `course up` may have changed it)

    return TopologyView(*(machines or [connect()]), reach=reach)
