"""A feed on bad days: it says since when it can't see and why, sees again by itself, and its threads end."""

from __future__ import annotations

import json
import re
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any, ClassVar

import pytest

from lab.box.errors import BoxNotRunning
from lab.box.instances.box import Box as Learners
from lab.box.machine import Machine
from lab.observe import event_stream
from lab.picture import beside_docker, feed
from lab.picture.beside_docker import BesideDocker
from lab.picture.camera import snapshot
from lab.picture.feed import Feed, Seen, follow, leave, poke
from lab.picture.snapshot import BOX
from tests.support.course import until

on_container = pytest.mark.parametrize("running", ["container"], indirect=True)
EVENT = json.dumps({"Type": "container", "Action": "start", "Actor": {"ID": "c", "Attributes": {}}}).encode() + b"\n"
RENAMES = 150


class Follower:
    """A subscriber that remembers what it was called with."""

    def __init__(self) -> None:
        self.notified: list[Seen] = []

    def __call__(self, seen: Seen) -> None:
        self.notified.append(seen)

    @property
    def last(self) -> Seen:
        return self.notified[-1] if self.notified else Seen(None, 0, "nothing was told")

    @property
    def names(self) -> list[str]:
        return [it.name for it in self.last.box.containers] if self.last.box and not self.last.stale else ["nothing is seen"]


@contextmanager
def following(machine: Machine, *, every: bool = False) -> Iterator[Follower]:
    follower = Follower()
    follow(machine, follower, every=every)
    try:
        yield follower
    finally:
        leave(machine, follower)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "topology"]


@pytest.fixture(autouse=True)
def _leaves_nothing(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    until("all threads to end", lambda: not threads(), timeout_s=10)
    assert not feed._feeds
    assert capsys.readouterr().err == ""


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of a second and less, where a learner's engine is given more."""
    for module in (event_stream, feed):
        monkeypatch.setattr(module, "ANSWER_S", 1.0)
    monkeypatch.setattr(feed, "QUIET_S", 0.5)
    monkeypatch.setattr(feed, "RETRY_S", 0.2)
    monkeypatch.setattr(feed, "DELETED_S", 1.0)


class Engine(BaseHTTPRequestHandler):
    """An engine at the edge of the protocol: nothing is on it, and its stream of events is as a test wants it."""

    protocol_version = "HTTP/1.1"
    streams: ClassVar[list[bytes]]
    """What each stream brings before it is cut; the last one stays."""
    asked: ClassVar[list[str]]
    over: ClassVar[threading.Event]

    def do_GET(self) -> None:
        what = self.path.partition("?")[0].rpartition("/")[2]
        self.asked.append(what)
        if what == "events":
            self._stream()
        else:
            self._answer({"_ping": "OK", "info": {"Name": "fake"}}.get(what, []))

    def _answer(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if piece := self.streams.pop(0):
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if not self.streams:
            self.streams.append(b"")
            self.over.wait()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Behind(Engine):
    """Lists a network some moments after it told of it."""

    LISTED: ClassVar[dict[str, object]] = {"Id": "n", "Name": "late", "Driver": "bridge", "IPAM": {"Config": []}}
    told: ClassVar[float] = 0

    def _answer(self, answer: object) -> None:
        known = self.told and time.monotonic() > self.told + 0.15
        super()._answer([self.LISTED] if self.asked[-1] == "networks" and known else answer)

    def _stream(self) -> None:
        type(self).told = time.monotonic()
        super()._stream()


class Server(ThreadingUnixStreamServer):
    """Says nothing of those who hang up on it."""

    def handle_error(self, *_: object) -> None:
        """Nothing."""


class Mute(Engine):
    """Accepts, listens, and never answers."""

    def handle(self) -> None:
        self.over.wait()


class Refuses(Engine):
    """Answers everything with an error."""

    def do_GET(self) -> None:
        self.send_error(503)


class Fake(Machine):
    """A machine that is nothing but a socket."""

    asked: list[str]
    over: threading.Event

    def __init__(self, engine: Path) -> None:
        self._socket, self.fate = engine, ""

    def end_reason(self) -> str:
        return self.fate

    @property
    def docker_host(self) -> str:
        return f"unix://{self._socket}"

    def ask_for_command(self) -> socket.socket:
        raise BoxNotRunning("This machine runs no command.", "", "")


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="c-") as name:
        yield Path(name)


Serve = Callable[..., Fake]


@pytest.fixture
def serve(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serve an engine that isn't one, on a machine that has nothing beside it."""
    monkeypatch.setattr(beside_docker, "look", lambda _: BesideDocker())
    with ExitStack() as stack:

        def start(kind: type[Engine] = Engine, *streams: bytes) -> Fake:
            over = threading.Event()
            handler = type("Handler", (kind,), {"streams": [*streams, b""], "asked": [], "over": over})
            server = stack.enter_context(Server(str(place / "docker.sock"), handler))
            stack.callback(server.shutdown)
            stack.callback(over.set)
            threading.Thread(target=server.serve_forever, args=(0.01,)).start()
            machine = Fake(place / "docker.sock")
            machine.asked, machine.over = handler.asked, over
            return machine

        yield start


# What happens on a box is seen


@on_container
def test_what_happens_is_told(bare: Learners) -> None:
    with following(bare) as follower:
        until("the first look", lambda: follower.names == [])
        web = bare.docker.containers.run("pause", detach=True, name="web", ports={"80/tcp": 8099})
        until("it to be seen", lambda: follower.names == ["web"])
        front = bare.docker.networks.create("front")
        front.connect(web, aliases=["www"])
        until("its new name", lambda: ("www",) in [link.aliases for link in follower.last.box.containers[0].links])
        front.disconnect(web)
        until("it to be off", lambda: len(follower.last.box.containers[0].links) == 1)
        for act, state in ((web.pause, "paused"), (web.unpause, "running"), (web.kill, "exited"), (web.start, "running")):
            act()
            until(f"it to be {state}", lambda state=state: follower.last.box.containers[0].state == state)
        web.rename("shop")
        until("its other name", lambda: follower.names == ["shop"])
        web.remove(force=True)
        until("it to be gone", lambda: follower.names == [])


@on_container
def test_hundreds_of_quick_events_settle_to_what_is_there(bare: Learners) -> None:
    first, second = (bare.docker.containers.create("pause", name=f"{name}-0") for name in ("first", "second"))
    with following(bare) as follower:
        until("the first look", lambda: follower.names == ["first-0", "second-0"])
        for number in range(1, RENAMES + 1):
            first.rename(f"first-{number}")
            second.rename(f"second-{number}")
        second.remove()
        until("the last names", lambda: follower.names == [f"first-{RENAMES}"])
        time.sleep(0.3)  # nothing that is still under way may bring back an older picture
        assert (follower.last.box,) == snapshot(bare).boxes
        assert len(follower.notified) < RENAMES


@on_container
def test_a_program_that_leaves_a_namespace_after_its_start_is_seen(bare: Learners) -> None:
    rights = {"cap_add": ["SYS_ADMIN"], "security_opt": ["seccomp=unconfined"], "uts_mode": "host"}
    with following(bare) as follower:
        bare.docker.containers.run("base", ["sh", "-c", "sleep 0.7; exec unshare --uts sleep 1000"], detach=True, name="leaver", **rights)
        until("it to be seen", lambda: follower.names == ["leaver"])
        assert follower.last.box.containers[0].shares == {"uts": BOX}
        until("it to have left", lambda: follower.last.box.containers[0].shares == {})


@on_container
def test_two_share_one_feed_which_ends_with_the_last(bare: Learners) -> None:
    one, other = Follower(), Follower()
    shared = follow(bare, one)
    until("the first look", lambda: one.names == [])
    assert follow(bare, other) is shared
    assert other.names == []  # at once
    assert len(threads()) == 3
    leave(bare, one)
    heard = len(one.notified)
    bare.docker.containers.create("pause", name="web")
    until("the other to be told", lambda: other.names == ["web"])
    assert len(one.notified) == heard
    leave(bare, other)
    assert not threads()
    leave(bare, other)  # no feed is no error


@on_container
def test_one_that_follows_everything_hears_of_what_is_not_drawn(bare: Learners) -> None:
    with following(bare, every=True) as every, following(bare) as other:
        until("the first look", lambda: every.names == other.names == [])
        heard, others = len(every.notified), len(other.notified)
        bare.docker.volumes.create("volume").remove()
        until("that to be told", lambda: len(every.notified) >= heard + 2)
        assert len(other.notified) == others


@on_container
def test_a_subscriber_that_fails_does_not_hurt_the_others(bare: Learners) -> None:
    failed = threading.Event()

    def fails(_: Seen) -> None:
        failed.set()
        raise RuntimeError("as a test wants it")

    follow(bare, fails)
    with following(bare) as follower:
        until("the first look", lambda: follower.names == [] and failed.is_set())
        bare.docker.containers.create("pause", name="web")
        until("the other to be told", lambda: follower.names == ["web"])
    leave(bare, fails)


@on_container
def test_a_poke_has_everybody_look_again(bare: Learners) -> None:
    with following(bare) as follower, following(bare, every=True) as every:
        until("the first look", lambda: follower.names == every.names == [])
        before, heard = follower.last.since, len(every.notified)
        poke()
        assert len(every.notified) > heard
        until("another look", lambda: follower.last.since > before)


@on_container
def test_what_others_than_docker_do_is_seen_at_once(bare: Learners) -> None:
    def namespaces() -> list[str]:
        return [one.name for one in follower.last.box.namespaces] if follower.last.box else ["nothing is seen"]

    def bridges() -> list[str]:
        return [one.name for one in follower.last.box.networks if one.driver not in ("bridge", "host", "null")]

    with following(bare) as follower:
        until("the first look", lambda: namespaces() == [])
        time.sleep(1)  # the watch begins at the same time
        bare.sh("ip netns add red && ip link add br9 type bridge", check=True)
        until("both to be seen", lambda: (namespaces(), bridges()) == (["red"], ["br9"]))
        bare.sh("crun --root /run/crun list; ip netns delete red; ip link delete br9", check=True)
        until("both to be gone", lambda: (namespaces(), bridges()) == ([], []))
    until("the watch to end", lambda: bare.sh("pgrep -x inotifywait; pgrep -f '[i]p -o monitor'").stdout == "")


# Bad days of a box


@on_container
@pytest.mark.usefixtures("hasty")
def test_an_engine_that_restarts_is_said_and_seen_again(bare: Learners) -> None:
    bare.docker.containers.run("pause", detach=True, name="web")
    with following(bare) as follower:
        until("the first look", lambda: follower.names == ["web"])
        before = time.time()
        bare.sh("killall dockerd")
        until("that to be said", lambda: follower.last.stale)
        assert "engine" in follower.last.stale
        assert [it.name for it in follower.last.box.containers] == ["web"]
        assert before <= follower.last.since <= time.time()
        until("the engine to be met again", lambda: follower.names == ["web"], timeout_s=60)
        assert follower.last.box.containers[0].state == "exited"
        bare.docker.containers.get("web").remove()
        until("what happens to be seen again", lambda: follower.names == [])


@on_container
@pytest.mark.usefixtures("hasty")
def test_an_engine_that_hangs_is_said_and_seen_again(bare: Learners) -> None:
    with following(bare) as follower:
        until("the first look", lambda: follower.names == [])
        bare.sh("killall -STOP dockerd", check=True)
        try:
            until("that to be said", lambda: follower.last.stale)
            since = follower.last.since
            told = len(follower.notified)
            until("it to be tried again", lambda: len(follower.notified) > told + 1)
            assert "engine" in follower.last.stale
            assert follower.last.since == since
        finally:
            bare.sh("killall -CONT dockerd", check=True)
        until("it to be seen again", lambda: follower.names == [])
        bare.docker.containers.create("pause", name="web")
        until("what happens to be seen again", lambda: follower.names == ["web"])


@on_container
@pytest.mark.usefixtures("hasty")
def test_leaving_an_engine_that_hangs_ends_the_threads(bare: Learners) -> None:
    with following(bare) as follower:
        until("the first look", lambda: follower.names == [])
        bare.sh("killall -STOP dockerd", check=True)
        until("that to be said", lambda: follower.last.stale)
    try:
        until("the threads to end", lambda: not threads(), timeout_s=5)
    finally:
        bare.sh("killall -CONT dockerd", check=True)


@on_container
def test_a_box_that_is_reset_is_followed_to_the_new_one(bare: Learners) -> None:
    bare.docker.containers.create("pause", name="web")
    with following(bare) as follower:
        until("the first look", lambda: follower.names == ["web"])
        name = follower.last.box.name
        bare.reset()
        until("the new one", lambda: follower.names == [], timeout_s=60)
        assert any(seen.stale for seen in follower.notified)
        assert follower.last.box.name == bare.status().name != name
        bare.docker.containers.create("pause", name="new")
        until("what happens there", lambda: follower.names == ["new"])


@pytest.mark.full
@pytest.mark.parametrize("running", ["microvm"], indirect=True)
def test_a_box_that_is_rewound_is_followed_back(bare: Learners) -> None:
    bare.docker.containers.run("base", "sleep 1000", detach=True, name="web", uts_mode="host")
    bare.checkpoint("followed")
    with following(bare) as follower:
        until("the first look", lambda: follower.names == ["web"])
        bare.docker.containers.get("web").remove(force=True)
        until("it to be gone", lambda: follower.names == [])
        bare.rewind("followed")
        until("it to be back", lambda: follower.names == ["web"], timeout_s=120)
        assert follower.last.box.containers[0].shares == {"uts": BOX}
        assert follower.last.box.name == bare.status().name


# Bad days of a protocol


@pytest.mark.usefixtures("hasty")
def test_a_stream_that_is_cut_in_the_middle_of_an_event_is_read_anew(serve: Serve) -> None:
    with following(serve(Engine, EVENT + EVENT[:20], EVENT[:-2], EVENT)) as follower:
        until("both cuts to be said", lambda: len({seen.since for seen in follower.notified if seen.stale and seen.box}) >= 2)
        until("it to be seen again", lambda: follower.names == [])


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "piece", [b"[]\n", b"null\n", b'"text"\n', b'{"Type": "container", "Actor": null}\n', b"\xff\xfe\n", b"nonsense\n"]
)
def test_what_is_no_event_costs_a_stream_and_no_thread(serve: Serve, piece: bytes) -> None:
    with following(serve(Engine, piece)) as follower:
        until("it to be seen", lambda: follower.names == [] and any(seen.stale for seen in follower.notified))
        assert len(threads()) == 3


@pytest.mark.usefixtures("hasty")
def test_a_stream_that_ends_says_so(serve: Serve) -> None:
    with following(serve(Engine, b"", b"")) as follower:
        until("that to be said", lambda: any("event" in seen.stale for seen in follower.notified))
        until("it to be seen again", lambda: follower.names == [])


def test_what_an_engine_lists_after_it_told_of_it_is_seen(serve: Serve) -> None:
    with following(serve(Behind, EVENT)) as follower:
        until("it to be seen", lambda: follower.last.box and [it.name for it in follower.last.box.networks] == ["late"], timeout_s=5)


@pytest.mark.usefixtures("hasty")
def test_an_engine_that_never_answers_is_said_and_can_be_left(serve: Serve) -> None:
    machine = serve(Mute)
    with following(machine) as follower:
        until("that to be said", lambda: len(follower.notified) > 3)
        assert follower.last.box is None
        assert any("timed out" in seen.stale for seen in follower.notified)
        assert follower.last.since == follower.notified[0].since
    until("the threads to end", lambda: not threads(), timeout_s=3)


@pytest.mark.usefixtures("hasty")
def test_an_engine_that_refuses_is_said(serve: Serve) -> None:
    with following(serve(Refuses)) as follower:
        until("that to be said", lambda: "503" in follower.last.stale)


@pytest.mark.usefixtures("hasty")
def test_where_nobody_is_that_is_said_until_somebody_comes(serve: Serve, place: Path) -> None:
    with following(Fake(place / "docker.sock")) as follower:
        until("that to be said", lambda: follower.last.stale and len(follower.notified) > 3)
        assert "nobody is there" in follower.last.stale
        serve()
        until("the first look", lambda: follower.names == [])


@pytest.mark.usefixtures("hasty")
def test_a_machine_that_died_is_gone_until_another_one_is_in_its_place(serve: Serve, place: Path) -> None:
    machine = serve(Behind, EVENT)
    with following(machine) as follower:
        until("the first look", lambda: follower.last.box and follower.last.box.networks)
        seen = follower.last.box
        assert seen
        machine.fate = "stopped, or broken down"
        (place / "docker.sock").unlink()
        machine.over.set()
        until("that to be said", lambda: follower.last.box and follower.last.box.end_reason)
        at = time.strftime("%H:%M:%S", time.localtime(follower.last.since))
        assert follower.last.box == replace(seen, end_reason="stopped, or broken down", ended=at)
        assert follower.last.stale == "stopped, or broken down"
        machine.fate = "deleted"  # its name is given back after it has ended
        until("that to be said, too", lambda: follower.last.stale == "deleted")
        assert follower.last.box == replace(seen, end_reason="deleted", ended=at)
        serve()
        until("another one to be seen", lambda: follower.last.box and not (follower.last.box.end_reason or follower.last.stale))


@pytest.mark.usefixtures("hasty")
def test_a_machine_that_was_never_seen_alive_is_gone_since_before_that(place: Path) -> None:
    machine = Fake(place / "docker.sock")
    machine.fate = "deleted"
    with following(machine) as follower:
        until("that to be said", lambda: follower.last.box)
        assert follower.last.box
        assert follower.last.box.end_reason == "deleted"
        assert re.fullmatch(r"before \d\d:\d\d:\d\d", follower.last.box.ended)
        assert follower.last.box.name == "box"


@pytest.mark.usefixtures("hasty")
def test_where_nothing_happens_the_engine_is_asked_and_nobody_is_told(serve: Serve) -> None:
    machine = serve()
    with following(machine) as follower:
        until("the first look", lambda: follower.names == [])
        told = len(follower.notified)
        until("some questions", lambda: machine.asked.count("_ping") > 2)
        assert len(follower.notified) == told


@pytest.mark.usefixtures("hasty")
def test_leaving_while_the_stream_is_being_opened_ends_the_threads(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, follower, feeds, real = serve(), Follower(), list[Feed](), event_stream.open_connection
    at_the_door = threading.Event()

    def slow(address: str, timeout_s: float) -> Any:
        at_the_door.set()
        until("the feed to be left", lambda: feeds and feeds[0]._closed.is_set())
        time.sleep(0.1)
        return real(address, timeout_s)

    for module in (event_stream, feed):
        monkeypatch.setattr(module, "open_connection", slow)
    feeds.append(follow(machine, follower))
    assert at_the_door.wait(5)
    leave(machine, follower)
    until("the threads to end", lambda: not threads(), timeout_s=3)


@pytest.mark.usefixtures("hasty")
def test_coming_and_going_leaves_no_thread(serve: Serve) -> None:
    machine = serve()
    for _ in range(20):
        with following(machine):
            pass
    until("the threads to end", lambda: not threads(), timeout_s=3)


@pytest.mark.usefixtures("hasty")
def test_one_may_leave_while_it_is_told(serve: Serve) -> None:
    machine = serve()
    left = threading.Event()

    def subscriber(_: Seen) -> None:
        leave(machine, subscriber)
        left.set()

    follow(machine, subscriber)
    assert left.wait(5)
