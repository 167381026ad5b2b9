"""What keeps a picture live: a feed takes a new snapshot of a machine whenever its engine tells of an event.

All who look at the same machine in this process share one feed.  A feed has three threads.  One reads the engine's events, one hears of
what changes beside Docker.  The third waits until a burst of events has ended, takes one snapshot, and hands it to the subscribers.
Nothing is polled, with one exception: where no event comes for a while the engine is asked whether it is there, because a connection to an
engine that hangs looks like one without events.

As long as a feed can't see its machine, it says since when and why, and tries again.  So it recovers by itself, whether the stream broke,
the engine was restarted, or the box was rewound.  A machine that is known not to run any more is shown as gone, with what was on it.

The threads end with the last subscriber, and never write to standard error.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from lab.box.errors import CourseError
from lab.box.machine import Machine
from lab.box.machine.unix_http import open_connection
from lab.observe.command_stream import CommandStream
from lab.observe.event_stream import ANSWER_S, EventStream
from lab.picture.beside_docker import WATCH
from lab.picture.camera import BESIDE_DOCKER, EVERYTHING, Camera
from lab.picture.events import change
from lab.picture.snapshot import Box

SETTLE_S = 0.02
"""Seconds after an event until a snapshot is taken: most events come in bursts."""
QUIET_S = 5.0
"""Seconds without an event until the engine is asked whether it is there."""
RETRY_S = 1.0
"""Seconds between two attempts to see a machine that can't be seen."""
LATE_S = 0.3
"""Seconds after an event until one more snapshot is taken: an engine lists a pause up to 0.2 s after it told of it."""
DELETED_S = 4.0
"""Seconds after a machine was lost until it is asked once more what became of it: one that is deleted ends before it is forgotten."""
RECENTLY_STARTED_S = 1.5
"""Seconds after a container's start until its walls are looked at again: its program may have left a namespace meanwhile."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen:
    """A machine as a feed has seen it last.

    Args:
        box: the snapshot; nothing where the machine was never seen.
        since: seconds since 1970: when the snapshot was taken or, where it is stale, from when on nothing could be seen.
        stale: why the machine can't be seen now; empty where it can.
    """

    box: Box | None
    since: float
    stale: str = ""


Subscriber = Callable[[Seen], None]


class Feed:
    """Follows one machine; ``follow`` makes it.

    Args:
        machine: to follow.
    """

    def __init__(self, machine: Machine) -> None:
        self.subscribers: dict[Subscriber, bool] = {}
        """Those who are called, and whether they are called for each event."""
        self._machine = machine
        self._seen = Seen(None, time.time(), "looking for the first time")
        self._stream_error, self._asked_once_more = "", False
        self._wake, self._closed, self._opened = threading.Event(), threading.Event(), threading.Event()
        self._command = CommandStream(machine, self._closed)
        self._stream = EventStream(machine.docker_host, self._closed)
        self._lock = threading.Lock()
        self._changed: set[str] = set()
        self._recently_started: dict[str, float] = {}
        self._late_look = inf
        self._threads = [threading.Thread(target=work, name="topology", daemon=True) for work in (self._listen, self._watch, self._look)]
        for thread in self._threads:
            thread.start()

    @property
    def seen(self) -> Seen:
        """What was seen last."""
        return self._seen

    def poke(self) -> None:
        """Take a new snapshot: something happened of which the engine tells nothing."""
        self._wake.set()
        self._notify(event=True)

    def look_beside_docker(self) -> None:
        """Look again, and once more a little later, at what others than Docker have on the machine."""
        with self._lock:
            self._changed.add(BESIDE_DOCKER)
            self._recently_started[BESIDE_DOCKER] = time.monotonic() + RECENTLY_STARTED_S
        self._wake.set()

    def close(self) -> None:
        """End the threads."""
        self._closed.set()
        self._wake.set()
        self._opened.set()
        self._stream.cut()
        self._command.cut()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(ANSWER_S)

    def _listen(self) -> None:
        """Read events until the feed is closed, over one stream after the other."""
        while not self._closed.is_set():
            try:
                for event in self._stream.read(self._stream_opened):
                    self._event(event)
                why = "the engine has ended its event stream"
            except Exception as error:  # noqa: BLE001  (also what is no event at all: it is shown, and a thread must not end in a traceback)
                why = f"no events from the engine: {_why(error)}"
            if not self._closed.is_set():
                self._stream_error = why
                self._mark_stale(why)
                self._closed.wait(RETRY_S)

    def _stream_opened(self) -> None:
        """What happened before the stream was open was not told, so everything is looked at again."""
        with self._lock:
            self._changed.add(EVERYTHING)
        self._stream_error = ""
        self._wake.set()
        self._opened.set()

    def _watch(self) -> None:
        """Hear of what changes beside Docker, from each time that the engine's stream is opened until the machine tells no more."""
        while True:
            self._opened.wait()
            self._opened.clear()
            if self._closed.is_set():
                return
            try:
                self._command.run(WATCH, lambda *_: self.look_beside_docker())
            except (CourseError, OSError):
                log.debug("what is beside Docker is not watched", exc_info=True)

    def _event(self, event: dict[str, Any]) -> None:
        found = change(event)
        self._notify(event=True)
        if not found:
            return
        with self._lock:
            if found.details:
                self._changed.add(found.container)
            if found.started:
                self._recently_started[found.container] = time.monotonic() + RECENTLY_STARTED_S
            self._late_look = time.monotonic() + LATE_S
        self._wake.set()

    def _look(self) -> None:
        """Take a snapshot whenever there is a reason to, until the feed is closed."""
        from lab.box.machine.docker_client import client  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

        engine = client(self._machine.docker_host, ANSWER_S)
        camera = Camera(self._machine, engine)
        while not self._closed.is_set():
            woken = self._wake.wait(self._patience_s())
            began = time.monotonic()
            if woken:
                self._closed.wait(SETTLE_S)
                self._wake.clear()
            if self._closed.is_set():
                break
            stream_error = self._stream_error  # a snapshot that is taken now may lack what the next stream begins with
            try:
                open_connection(self._machine.docker_host, ANSWER_S).close()  # where nobody is, docker's client would leak its socket
                if not woken and not self._seen.stale and self._patience_s() > 0:
                    engine.ping()
                    continue
                for container in self._take_changed():
                    camera.forget(container)
                self._see(camera.take(), stream_error or self._stream_error)
            except Exception as error:  # noqa: BLE001  (whatever it is: it is shown, and a thread must not end in a traceback)
                self._mark_stale(f"the engine does not answer: {_why(error)}")
                self._stream.cut()
            self._closed.wait(min(RETRY_S, time.monotonic() - began))  # at most half of the time is spent looking
        engine.close()

    def _patience_s(self) -> float:
        """Seconds until there is something to do although no event came."""
        if self._seen.stale:
            return RETRY_S
        with self._lock:
            due = min([self._late_look, *self._recently_started.values()])
        return max(0.0, min(QUIET_S, due - time.monotonic()))

    def _take_changed(self) -> set[str]:
        """The containers to ask about again; ``EVERYTHING`` among them stands for all."""
        now = time.monotonic()
        with self._lock:
            due = {container for container, at in self._recently_started.items() if at <= now}
            self._recently_started = {container: at for container, at in self._recently_started.items() if container not in due}
            if self._late_look <= now:
                self._late_look = inf
            changed, self._changed = self._changed | due, set()
        return changed

    def _see(self, box: Box, stream_error: str) -> None:
        self._seen = Seen(box, time.time(), stream_error)
        self._notify()

    def _mark_stale(self, why: str) -> None:
        """Say that the machine can't be seen or, where it is known not to run any more, what became of it."""
        box, since = self._seen.box, self._seen.since if self._seen.stale else time.time()
        if not (box and box.end_reason):  # else it is gone until something is seen in its place
            if reason := self._end_reason():
                at = time.strftime("%H:%M:%S", time.localtime(since))
                box = replace(box or Box(self._machine.name), end_reason=reason, ended=at if box else f"before {at}")
            self._seen, self._asked_once_more = Seen(box, since, reason or why), False
        elif not self._asked_once_more and time.time() > since + DELETED_S:
            self._asked_once_more = True
            if reason := self._end_reason():
                self._seen = Seen(replace(box, end_reason=reason), since, reason)
        self._notify()

    def _end_reason(self) -> str:
        """What became of the machine; empty where it is not known to have ended."""
        try:
            return self._machine.end_reason()
        except Exception:  # a machine that can't be asked is not known to be gone, and a thread must not end in a traceback
            log.debug("could not ask what became of a machine", exc_info=True)
            return ""

    def _notify(self, *, event: bool = False) -> None:
        """Call the subscribers; for an event that has not been looked at yet, only those who want each of them."""
        for subscriber, wants_events in list(self.subscribers.items()):
            if wants_events or not event:
                try:
                    subscriber(self._seen)
                except Exception:  # one that fails must not keep the others from being called
                    log.debug("a subscriber failed", exc_info=True)


def _why(error: Exception) -> str:
    """What went wrong, in words."""
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return "nobody is there; the machine was stopped, or is being replaced"
    return str(error)[:160]


_feeds: dict[str, Feed] = {}
_lock = threading.Lock()


def follow(machine: Machine, subscriber: Subscriber, *, every: bool = False) -> Feed:
    """Have a function called with what is seen of a machine, now and whenever it changes, until ``leave``; from another thread.

    Args:
        machine: to follow; all who follow the same one share a feed.
        subscriber: called with what is seen.
        every: call it also for each of the engine's events, when nothing that is drawn has changed (an image was built, say).
    """
    with _lock:
        feed = _feeds.get(machine.docker_host)
        if not feed:
            feed = _feeds[machine.docker_host] = Feed(machine)
        feed.subscribers[subscriber] = every
    if not feed.seen.stale:
        subscriber(feed.seen)
    return feed


def leave(machine: Machine, subscriber: Subscriber) -> None:
    """Call a subscriber no more; when the last one leaves, the feed ends."""
    with _lock:
        feed = _feeds.get(machine.docker_host)
        if not feed:
            return
        feed.subscribers.pop(subscriber, None)
        if feed.subscribers:
            return
        del _feeds[machine.docker_host]
    feed.close()


def poke() -> None:
    """Have all feeds take a new snapshot: something happened of which no engine tells, such as an answer that a learner gave."""
    for feed in list(_feeds.values()):
        feed.poke()


def look_beside_docker() -> None:
    """Have all feeds look at what others than Docker have: commands were run that may have changed it."""
    for feed in list(_feeds.values()):
        feed.look_beside_docker()
