"""What keeps a picture live: the engine's own events.

A ``Feed`` follows one machine for everybody in this process who looks at it.  One thread reads the event stream; another waits until a
burst has settled, looks at the machine once, and tells.  Nothing is polled: only where nothing happens for a while is the engine asked
whether it is still there, because a socket that never answers looks like one where nothing happens.  While a feed can't see, it says since
when and why; it sees again by itself, whether the stream broke, the engine was restarted or the box was rewound.  A machine that is known
not to run any more is told as gone, with what was on it.

Threads end with the last subscriber, and never write to standard error.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from lab.box.machine import API_VERSION, Machine
from lab.box.over_unix import connected
from lab.picture.snapshot import Box, Camera

SETTLE_S = 0.02
"""After an event, until the machine is looked at: most come in bursts."""
ANSWER_S = 5.0
"""An engine that takes longer is not seen."""
QUIET_S = 5.0
"""Without an event, until the engine is asked whether it is there."""
AGAIN_S = 1.0
"""While nothing is seen, between two attempts."""
LATE, LATE_S = "late", 0.3
"""After an event, until the machine is looked at once more: an engine tells of a pause before it lists it, now and then by 0.2 s."""
SETTLED_S = 4.0
"""A machine that is deleted ends before it is forgotten: after that time, what became of it is asked once more, and then no more."""
YOUNG_S = 1.5
"""After a start, until the walls are looked at again: a program may have changed them for itself when it began."""
IDLE = ("exec_", "top", "resize", "attach", "copy", "export", "archive", "commit", "kill", "stop", "prune")
"""What a container's or network's event is about when nothing that is drawn has changed (a kill or a stop is followed by "die")."""
KEPT = ("pause", "unpause", "rename", "health_status")
"""… and when only what a list says has changed: its process and its networks are the same."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen:
    """A machine as it was last seen.

    Args:
        box: nothing where it was never seen.
        since: seconds since 1970; of the look, or of the moment from which on nothing was seen.
        stale: why it can't be seen now; empty where it can.
    """

    box: Box | None
    since: float
    stale: str = ""


Told = Callable[[Seen], None]


class Feed:
    """Follows one machine.  See ``follow``.

    Args:
        machine: to follow.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._told: dict[Told, bool] = {}
        self._seen = Seen(None, time.time(), "looking for the first time")
        self._deaf, self._settled = "", False
        self._wake, self._closed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._forget: set[str] = set()
        self._young: dict[str, float] = {}
        self._threads = [threading.Thread(target=work, name="topology", daemon=True) for work in (self._listen, self._look)]
        for thread in self._threads:
            thread.start()

    @property
    def seen(self) -> Seen:
        """What was seen last."""
        return self._seen

    def poke(self) -> None:
        """Look again: something happened that the engine does not tell of."""
        self._wake.set()
        self._tell(every=True)

    def close(self) -> None:
        """End the threads."""
        self._closed.set()
        self._wake.set()
        self._cut()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(ANSWER_S)

    def _cut(self) -> None:
        """End the stream, wherever its reader is."""
        if stream := self._socket:
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                for event in self._events():
                    self._heard(event)
                why = "the engine has ended its event stream"
            except Exception as error:  # noqa: BLE001  (also what is no event at all: it is shown, and a thread must not end in a traceback)
                why = f"no events from the engine: {_why(error)}"
            if not self._closed.is_set():
                self._deaf = why
                self._lose(why)
                self._closed.wait(AGAIN_S)

    def _events(self) -> Iterator[dict[str, Any]]:
        """The engine's events, one after the other, as they come.

        Raises:
            OSError, http.client.HTTPException: the engine can't be reached, or went away.
            ValueError: the stream was cut in the middle of an event.
        """
        connection = connected(self._machine.docker_host, ANSWER_S)
        self._socket = connection.sock
        try:
            if self._closed.is_set():  # before there was a stream to cut
                return
            connection.request("GET", f"/v{API_VERSION}/events")
            stream = connection.getresponse()
            if stream.status != HTTPStatus.OK:
                raise ConnectionError(f"{stream.status} {stream.reason}")
            self._socket.settimeout(None)
            self._hear_again()
            while line := stream.readline():
                yield json.loads(line)
        finally:
            self._socket = None
            connection.close()

    def _hear_again(self) -> None:
        """The stream stands; what happened before it did was not told, so everything is looked at again."""
        with self._lock:
            self._forget.add("")
        self._deaf = ""
        self._wake.set()

    def _heard(self, event: dict[str, Any]) -> None:
        action, actor = str(event.get("Action", "")), event.get("Actor", {})
        self._tell(every=True)
        if event.get("Type") not in ("container", "network") or action.startswith(IDLE):
            return
        container = actor.get("Attributes", {}).get("container") if event["Type"] == "network" else actor.get("ID")
        with self._lock:
            if container and not action.startswith(KEPT):
                self._forget.add(container)
            if action == "start":
                self._young[container] = time.monotonic() + YOUNG_S
            self._young[LATE] = time.monotonic() + LATE_S
        self._wake.set()

    def _look(self) -> None:
        from lab.box.client import client  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

        engine = client(self._machine.docker_host, ANSWER_S)
        camera = Camera(self._machine, engine)
        while not self._closed.is_set():
            woken = self._wake.wait(self._patience())
            began = time.monotonic()
            if woken:
                self._closed.wait(SETTLE_S)
                self._wake.clear()
            if self._closed.is_set():
                break
            deaf = self._deaf  # what is taken now may not yet know of what the next stream begins with
            try:
                connected(self._machine.docker_host, ANSWER_S).close()  # where nobody is, docker's client would leak its socket
                if not woken and not self._seen.stale and not self._grown():
                    engine.ping()
                    continue
                for container in self._forgotten():
                    camera.forget(container)
                self._see(camera.take(), deaf or self._deaf)
            except Exception as error:  # noqa: BLE001  (whatever it is: it is shown, and a thread must not end in a traceback)
                self._lose(f"the engine does not answer: {_why(error)}")
                self._cut()
            self._closed.wait(min(AGAIN_S, time.monotonic() - began))  # at most half of the time is spent looking
        engine.close()

    def _patience(self) -> float:
        """Seconds until there is something to do although no event came."""
        if self._seen.stale:
            return AGAIN_S
        with self._lock:
            return max(0.0, min([QUIET_S, *(grown - time.monotonic() for grown in self._young.values())]))

    def _grown(self) -> bool:
        with self._lock:
            return any(grown <= time.monotonic() for grown in self._young.values())

    def _forgotten(self) -> set[str]:
        """The containers to ask about again; the empty name is all of them."""
        with self._lock:
            grown = {container for container, when in self._young.items() if when <= time.monotonic()}
            forgotten, self._forget = self._forget | grown, set()
            self._young = {container: when for container, when in self._young.items() if container not in grown}
        return forgotten

    def _see(self, box: Box, deaf: str) -> None:
        self._seen = Seen(box, time.time(), deaf)
        self._tell()

    def _lose(self, why: str) -> None:
        box, since = self._seen.box, self._seen.since if self._seen.stale else time.time()
        if not (box and box.gone):  # else it is gone until something is seen in its place
            if gone := self._gone():
                at = time.strftime("%H:%M:%S", time.localtime(since))
                box = replace(box or Box(self._machine.name), gone=f"since {'' if box else 'before '}{at}: {gone}")
                why = gone
            self._seen, self._settled = Seen(box, since, why), False
        elif not self._settled and time.time() > since + SETTLED_S:
            self._settled = True
            if gone := self._gone():
                self._seen = Seen(replace(box, gone=f"{box.gone.rpartition(': ')[0]}: {gone}"), since, gone)
        self._tell()

    def _gone(self) -> str:
        try:
            return self._machine.gone()
        except Exception:  # who can't be asked is not known to be gone, and a thread must not end in a traceback
            log.debug("not asked", exc_info=True)
            return ""

    def _tell(self, *, every: bool = False) -> None:
        for told, wants_every in list(self._told.items()):
            if wants_every or not every:
                try:
                    told(self._seen)
                except Exception:  # one who can't be told must not keep the others in the dark
                    log.debug("a subscriber failed", exc_info=True)


def _why(error: Exception) -> str:
    """What went wrong, in words."""
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return "nobody is there; the machine was stopped, or is being replaced"
    return str(error)[:160]


_feeds: dict[str, Feed] = {}
_lock = threading.Lock()


def follow(machine: Machine, told: Told, *, every: bool = False) -> Feed:
    """Have *told* called with what is seen, from another thread, now and whenever it changes, until ``leave``.

    Args:
        machine: to follow; all who follow the same one share a feed.
        told: called with what is seen.
        every: call it for each of the engine's events, also where nothing that is drawn has changed (an image was built, say).
    """
    with _lock:
        feed = _feeds.get(machine.docker_host)
        if not feed:
            feed = _feeds[machine.docker_host] = Feed(machine)
        feed._told[told] = every  # noqa: SLF001  (the registry and its feeds are one thing)
    if not feed.seen.stale:
        told(feed.seen)
    return feed


def leave(machine: Machine, told: Told) -> None:
    """Call *told* no more; the last to leave ends the feed."""
    with _lock:
        feed = _feeds.get(machine.docker_host)
        if not feed:
            return
        feed._told.pop(told, None)  # noqa: SLF001
        if feed._told:  # noqa: SLF001
            return
        del _feeds[machine.docker_host]
    feed.close()


def poke() -> None:
    """Have all who follow a machine look again: something happened that no engine tells of, such as an answer that was given."""
    for feed in list(_feeds.values()):
        feed.poke()
