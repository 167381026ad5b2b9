"""What the live picture sends to a browser, without one: a fake stands where the feed and the comm begin."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lab.box.machine import Machine
from lab.picture.feed import Seen, Subscriber
from lab.picture.reach import Door, Reach
from lab.picture.snapshot import Box, Container, Link, Network
from lab.widgets import topology
from lab.widgets.topology import HERE, ON_DEMAND, TopologyView
from tests.picture.boxes import shop
from tests.support.course import until

MOST_BYTES, MOST_BYTES_ON_DEMAND = 12_288, 6_144
WEB = Container("a" * 64, "web", "app:v1", links=(Link("n" * 64, "10.0.0.2"),))
LOG = Container("b" * 64, "log", "base", shares={"net": "a" * 64, "ipc": "a" * 64})
NET = Network("n" * 64, "net", subnet="10.0.0.0/24")
EMPTY = Box("box")
ONE = Box("box", (WEB,), (NET,))
POD = Box("box", (WEB, LOG), (NET,))


class Nowhere(Machine):
    """A machine whose engine does not answer."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @property
    def docker(self) -> Any:
        raise ConnectionError("no engine here")

    @property
    def docker_host(self) -> str:
        return f"unix://{self._home}/docker.sock"


@dataclass
class Watched:
    """A picture, what it sent, and the end of the feed that tells it what is seen."""

    view: TopologyView
    tell: list[Subscriber]
    sent: list[dict[str, Any]] = field(default_factory=list)

    def sees(self, box: Box | None, stale: str = "", number: int = 0) -> list[dict[str, Any]]:
        """What is sent when that is seen."""
        self.sent.clear()
        self.tell[number](Seen(box, 1_700_000_000.0, stale))
        return list(self.sent)

    def asks(self, **content: str) -> list[dict[str, Any]]:
        """What is sent when a browser asks."""
        self.sent.clear()
        self.view._handle_custom_msg(content, [])
        return list(self.sent)


@dataclass
class Twin:
    """The still picture, as IPython's handle has it."""

    shown: list[dict[str, str]] = field(default_factory=list)
    updates: list[dict[str, str]] = field(default_factory=list)

    def display(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(data)

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.updates.append(data)


def kinds(sent: list[dict[str, Any]]) -> list[str]:
    return [message["t"] for message in sent]


@pytest.fixture
def subscribers(monkeypatch: pytest.MonkeyPatch) -> list[Subscriber]:
    """The subscribers of the pictures that are open; a test calls them in the place of a feed."""
    waiting: list[Subscriber] = []
    monkeypatch.setattr(topology, "follow", lambda _, subscriber: waiting.append(subscriber))
    monkeypatch.setattr(topology, "leave", lambda _, subscriber: waiting.remove(subscriber))
    return waiting


def watched(subscribers: list[Subscriber], *machines: Machine) -> Watched:
    watched = Watched(TopologyView(*machines), subscribers)
    watched.view.send = lambda content, buffers=None: watched.sent.append(content)  # noqa: ARG005
    return watched


@pytest.fixture
def one(subscribers: list[Subscriber], tmp_path: Path) -> Iterator[Watched]:
    """A picture of one machine."""
    watched_ = watched(subscribers, Nowhere(tmp_path))
    yield watched_
    watched_.view.close()
    assert not subscribers


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> Twin:
    """The still picture of the next picture that is shown; renewed often."""
    made = Twin()
    monkeypatch.setattr(topology, "DisplayHandle", lambda: made)
    monkeypatch.setattr(topology, "display", lambda *_, **__: None)
    monkeypatch.setattr(topology, "TWIN_EVERY_S", 0.2)
    return made


def test_a_first_look_is_sent_as_a_change_with_parents_first(one: Watched) -> None:
    delta, badge = one.sees(POD)

    ids = [node["id"] for node in delta["set"]]
    assert (delta["t"], delta["revision"], delta["gone"]) == ("delta", 1, [])
    assert all(ids.index(node["parent"]) < ids.index(node["id"]) for node in delta["set"] if node["parent"])
    assert badge == {"t": "badge", "text": "● live", "stale": False}


def test_only_what_changed_is_sent_and_counted(one: Watched) -> None:
    one.sees(ONE)
    (delta,) = one.sees(POD)
    changed = {node["id"]: node for node in delta["set"]}
    assert delta["revision"] == 2
    assert set(changed) == {"box:box", f"pod:{WEB.id}", f"container:{WEB.id}", f"container:{LOG.id}"}
    assert changed[f"container:{LOG.id}"]["inner"] == [["net", False], ["ipc", False], ["uts", True], ["pid", True], ["mnt", True]]

    (delta,) = one.sees(EMPTY)
    assert delta["revision"] == 3
    assert delta["gone"].index(f"container:{LOG.id}") < delta["gone"].index(f"pod:{WEB.id}")
    assert one.sees(replace(EMPTY)) == []


def test_who_asks_for_all_gets_it_as_of_the_last_revision(one: Watched) -> None:
    one.sees(ONE)
    one.sees(POD)
    hello, everything, badge = one.asks(want="all")

    assert hello["t"] == "hello"
    assert all(label for _, label in hello["legend"])
    assert (everything["t"], everything["revision"]) == ("all", 2)
    assert {node["id"] for node in everything["set"]} == set(one.view.graph)
    assert badge["text"] == "● live"


def test_the_badge_says_since_when_and_why_nothing_is_seen_and_is_sent_once(one: Watched) -> None:
    one.sees(ONE)
    (badge,) = one.sees(ONE, "the engine is gone")
    assert badge["stale"]
    assert re.fullmatch(r"⚠ stale since \d\d:\d\d:\d\d: the engine is gone", badge["text"])
    assert one.sees(ONE, "the engine is gone") == []
    assert one.asks(want="all")[-1] == badge
    assert one.sees(ONE) == [{"t": "badge", "text": "● live", "stale": False}]


def test_two_machines_are_one_picture_and_stale_if_either_is(subscribers: list[Subscriber], tmp_path: Path) -> None:
    both = watched(subscribers, Nowhere(tmp_path), Nowhere(tmp_path))
    both.sees(replace(ONE, name="left"))
    delta, *_ = both.sees(replace(ONE, name="right"), number=1)
    assert {"box:left", "box:right"} < set(both.view.graph)
    assert all("left" not in node["id"] for node in delta["set"])
    assert both.sees(None, "gone", number=1)[0]["stale"]
    both.view.close()


def test_a_machine_that_died_is_gone_in_words_wherever_it_is_drawn(subscribers: list[Subscriber], tmp_path: Path, twin: Twin) -> None:
    both = watched(subscribers, Nowhere(tmp_path), Nowhere(tmp_path))
    right = Box("right", (replace(WEB, id="c" * 64, state="exited", exit_code=137),), (NET,))
    both.sees(right, number=1)
    both.sees(replace(POD, name="left"))
    both.view._ipython_display_()
    since = "since 03:22:11: stopped, or broken down"
    delta, badge = both.sees(replace(right, end_reason="stopped, or broken down", ended="03:22:11"), "stopped, or broken down", number=1)

    assert badge == {"t": "badge", "text": "● live; gone: right", "stale": False}
    says = {node["id"]: (node["state"], node["shown"]["says"]) for node in delta["set"]}
    assert says == {"box:right": ("gone", f"gone, {since}"), f"container:{'c' * 64}": ("gone", "gone")}
    assert delta["gone"] == []
    until("the still picture", lambda: twin.updates)
    words = f"box right  (gone, {since})"
    assert f"└─ {words}\n   ├─ container web  (gone)  app:v1  10.0.0.2  on net\n" in twin.updates[-1]["text/plain"]
    assert f">{words}</text>" in twin.updates[-1]["image/svg+xml"]
    assert re.findall(r'<rect class="([^"]*gone)"', twin.updates[-1]["image/svg+xml"]) == ["box gone", "gone"]

    badge = both.sees(Box("left", end_reason="deleted", ended="03:25:00"), "deleted")[-1]
    assert badge == {"t": "badge", "text": "⚠ gone: left, right", "stale": True}
    badge = both.sees(EMPTY, "the engine hangs")[-1]
    assert re.fullmatch(r"⚠ stale since \d\d:\d\d:\d\d: the engine hangs; gone: right", badge["text"])
    assert badge["text"] in both.view._still()["text/plain"]
    both.view.close()


def test_details_are_told_from_a_thread_also_when_there_are_none(one: Watched) -> None:
    one.sees(ONE)
    for node, title, last in (
        (f"container:{WEB.id}", "container web", ("The engine says", "no engine here")),
        ("container:gone", "It is gone", None),
    ):
        one.asks(want="details", id=node)
        until("the details", lambda: "details" in kinds(one.sent))
        answer = one.sent[-1]
        assert (answer["t"], answer["id"], answer["title"]) == ("details", node, title)
        assert not last or answer["parts"][-1] == last


def test_text_is_what_the_picture_shows(one: Watched) -> None:
    one.sees(POD)
    (answer,) = one.asks(want="text")
    assert answer["t"] == "text"
    assert "pod " in answer["text"]
    assert "no wall for net, ipc to web" in answer["text"]


def test_a_pulse_goes_to_the_one_that_is_meant(one: Watched) -> None:
    one.sees(POD)
    one.sent.clear()
    one.view.pulse(LOG.id[:12], "r1", failed=True)
    one.view.pulse("c" * 12, "r2")
    one.view.pulse("", "r3")
    one.view.pulse("b", "r4")  # a machine of that name, which is in another picture
    one.view.pulse("box", "r5")
    assert one.sent == [
        {"t": "load", "source": ON_DEMAND.read_text()},
        {"t": "pulse", "id": f"container:{LOG.id}", "way": [], "request": "r1", "failed": True},
        {"t": "pulse", "id": "box:box", "way": [], "request": "r5", "failed": False},
    ]
    assert kinds(one.asks(want="all")) == ["load", "hello", "all", "badge"]  # a browser that comes later gets the module as well


def test_a_request_goes_the_way_of_its_address_and_as_far_as_that_leads_where_nobody_answers(one: Watched) -> None:
    one.sees(shop(("v1", 1, 0), name="box"))
    pod, service = f"pod:{'v1-0'.rjust(64, '0')}", "service:box/web"
    one.sent.clear()
    one.view.pulse("web-v1-0", "r1", url="http://10.96.0.10")
    one.view.pulse("web-v1-0", "r2", url="http://10.244.1.1:8080")
    one.view.pulse("", "r3", failed=True, url="http://web/")
    one.view.pulse("", "r4", failed=True, url="http://elsewhere/")
    assert [(it["id"], it["way"], it["request"], it["failed"]) for it in one.sent if it["t"] == "pulse"] == [
        (pod, [service], "r1", False),
        (pod, [], "r2", False),
        (service, [], "r3", True),
    ]


def test_who_can_connect_is_told_for_what_is_selected(one: Watched, twin: Twin) -> None:
    one.sees(ONE)
    found = Reach((Door("web", "10.0.0.2", 8080),), {"the box": ["open"]}, {"the box": "box:box", "web": f"container:{WEB.id}"}, "12:03:59")
    one.sent.clear()
    one.view.show_reach(found)
    assert kinds(one.sent) == ["load", "reach"]
    assert one.sent[1]["edges"] == []
    assert one.sent[1]["words"].endswith("Select a pod or a container, and it is shown here.")
    one.view._ipython_display_()
    one.sent.clear()
    one.view.selected = f"container:{WEB.id}"
    message = next(it for it in one.sent if it.get("t") == "reach")
    assert (message["of"], message["edges"]) == (f"container:{WEB.id}", [["box:box", False, "8080 yes", True, 1]])
    assert message["words"] == "Who can connect to whom, tried at 12:03:59.\nis open to the box at 8080"
    until("the still picture", lambda: twin.updates)
    assert "← 8080 yes</text>" in twin.updates[-1]["image/svg+xml"]
    assert "the box: to web:8080" in twin.updates[-1]["text/plain"]
    assert "the box: to web:8080" in one.asks(want="text")[0]["text"]
    assert kinds(one.asks(want="all"))[-1] == "reach"
    one.asks(want="details", id=f"container:{WEB.id}")
    until("the details", lambda: "details" in kinds(one.sent))
    assert one.sent[-1]["parts"][1] == ("Who can connect to whom, tried at 12:03:59", "is open to the box at 8080")
    one.sent.clear()
    one.view.show_reach(None)
    assert (one.sent[-1]["edges"], one.sent[-1]["words"]) == ([], "")


def test_the_still_picture_is_renewed_after_the_last_change(one: Watched, twin: Twin) -> None:
    one.sees(EMPTY)
    one.view._ipython_display_()
    assert "0 containers" in twin.shown[0]["text/plain"]
    for box in (ONE, POD):
        one.sees(box)
    until("the still picture", lambda: twin.updates and "container log" in twin.updates[-1]["text/plain"])
    assert twin.updates[-1]["image/svg+xml"].startswith("<svg ")
    assert len(twin.updates) == 1

    one.view._ipython_display_()  # in a second cell; both are renewed from now on
    one.sees(EMPTY)
    one.view.close()
    assert len(twin.shown) == 2
    assert "0 containers" in twin.updates[-1]["text/plain"]


def test_closing_ends_all_threads_and_nothing_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    view = TopologyView(Nowhere(tmp_path))
    assert view in TopologyView.open_views
    assert _threads()
    view.close()
    view.close()
    until("the threads to end", lambda: not _threads())
    assert view not in TopologyView.open_views
    assert capfd.readouterr() == ("", "")


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("topology")]


def test_a_browser_is_heard_while_a_cell_runs(one: Watched) -> None:
    comm: Any = one.view.comm
    comm._reply_subshell_id = None  # as ipykernel does with each message
    one.view._send({"method": "custom", "content": {}})
    assert "_reply_subshell_id" not in vars(comm)


def test_what_each_browser_loads_is_small() -> None:
    assert (HERE / "topology.js").stat().st_size <= MOST_BYTES
    assert ON_DEMAND.stat().st_size <= MOST_BYTES_ON_DEMAND
