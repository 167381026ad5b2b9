"""Being told, whenever something may have changed for the pods of a machine.  Nothing is polled.

Two things tell: the engine, of containers that come and go, and the kernel, of files that are written: what the kubelet has found out by
its probes, and the wishes in a ``Store``.  As long as one of them can't be reached it is tried again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from lab.box.errors import CourseError
from lab.objects.kubelet.orders import HOME, KEY
from lab.observe.command_stream import CommandStream
from lab.observe.event_stream import ANSWER_S, EventStream

if TYPE_CHECKING:
    from lab.box.machine import Machine

RETRY_S = 1.0
"""Seconds between two attempts to reach a machine."""
EVERYTHING = ""
"""In the place of a container's id: whatever was known may be wrong."""
A_FILE = "a file"
"""Likewise: a file was written; what was known of containers is right."""
TAKEN = 75
"""Exit code where somebody else has the lock."""
FILES = """
mkdir -p {home} {directories}
exec 9> {lock}
[ {lock} = /dev/null ] || flock --nonblock 9 || exit {taken}
echo locked
inotifywait -mq -e close_write,moved_to,delete --format changed {home} {directories} 9>&-
"""

log = logging.getLogger(__name__)


class Watch:
    """Tells of changes on a machine, until it is closed.

    Args:
        machine: to be watched.
        changed: called with a container's id, ``EVERYTHING`` or ``A_FILE``; from other threads.
        directories: whose files are watched, beside the kubelet's.
        lock: a file on the machine that only one watch at a time can hold, if one is named; it is free again when that one ends, however
            it ends.
    """

    def __init__(self, machine: Machine, changed: Callable[[str], None], directories: str, lock: str = "") -> None:
        self._changed = changed
        self._script = FILES.format(home=HOME, directories=directories, lock=lock or "/dev/null", taken=TAKEN)
        self._closed, self.decided = threading.Event(), threading.Event()
        self.held = threading.Event()
        """Set as long as the lock is held; it is lost with the connection, and then another one may have it."""
        self.taken = False
        """Whether somebody else holds the lock; known when ``decided`` is set."""
        self._stream = EventStream(machine.docker_host, self._closed)
        self._command = CommandStream(machine, self._closed)
        self._threads = [threading.Thread(target=self._again_and_again, args=(work,), daemon=True) for work in (self._events, self._files)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Tell no more, and end the threads."""
        self._closed.set()
        self._stream.cut()
        self._command.cut()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(ANSWER_S)

    def _again_and_again(self, work: Callable[[], None]) -> None:
        while not self._closed.is_set():
            try:
                work()
            except (CourseError, OSError, HTTPException, ValueError):
                log.debug("a machine is not watched", exc_info=True)
            if not self._closed.is_set():
                self._changed(EVERYTHING)  # that it does not tell any more is worth a look
            self._closed.wait(RETRY_S)

    def _events(self) -> None:
        for event in self._stream.read(partial(self._changed, EVERYTHING)):
            actor: dict[str, Any] = event.get("Actor", {})
            if KEY in actor.get("Attributes", {}) and not str(event["Action"]).startswith(("exec_", "top", "attach", "resize")):
                self._changed(str(actor["ID"]))

    def _files(self) -> None:
        try:
            code = self._command.run(self._script, self._heard)
        finally:
            self.held.clear()
        if code == TAKEN:
            self.taken = True
            self.decided.set()

    def _heard(self, _: str, said: bytes) -> None:
        if b"locked" in said:
            self.taken = False
            self.held.set()
            self.decided.set()
        self._changed(A_FILE)
