"""The loop of a controller: it hears that something may have changed, looks at everything, and acts; in between it does nothing at all.

It remembers nothing that it could look up.  So it does not matter what it has missed: a loop that begins anew goes on where another one has
stopped.  Only one of a kind can be at work: a lock on the first node's machine is free again as soon as its holder ends, however it ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from lab.box.errors import UsageError
from lab.box.parallel import in_parallel
from lab.objects.node import schedule
from lab.objects.replicas import NO_ANSWER, Observer, Seen, look_at
from lab.objects.watch import EVERYTHING, RETRY_S, Watch

if TYPE_CHECKING:
    from lab.objects.node import Node
    from lab.objects.store import Store

SETTLE_S = 0.02
"""Seconds after a change until it is looked at: most come in bursts."""
REST = 1.0
"""How often as long as a look has taken nothing is looked at after it: whoever looks takes time from those who work."""
LOCK_S = 10.0
"""Seconds in which a machine tells whether another controller is at work."""
LOST_S = 5.0
"""Seconds until a node that does not answer counts as lost.  In a cluster it is 50 s, and its pods have another five minutes then."""

log = logging.getLogger(__name__)


class Loop:
    """Calls a function again and again: after each change, and when the function has asked for it.

    Args:
        nodes: whose pods are looked at.
        stores: whose changes are heard of; the first one has the lock.
        reconcile: returns the seconds until it is to be called again, although nothing has changed; nothing where there is no such time.
        lost: called when a node did not answer, and when it does again: whatever is known of it may be wrong.
    """

    def __init__(
        self, nodes: Iterable[Node], stores: Iterable[Store], reconcile: Callable[[], float | None], lost: Callable[[], None] = lambda: None
    ) -> None:
        self._nodes, self._homes = tuple(nodes), [store.home for store in stores]
        schedule((), self._nodes)  # refuses two of one name
        self._observers = {node.name: Observer(node) for node in self._nodes}
        self._reconcile, self._lost = reconcile, lost
        self._wake, self.closed = threading.Event(), threading.Event()
        self._silent: dict[str, float] = {}
        self._last: dict[str, list[Seen]] = {}
        self._watches: list[Watch] = []
        self._thread = threading.Thread(target=self._run, name="controller", daemon=True)

    def start(self) -> None:
        """Begin.

        Raises:
            UsageError: another controller of this kind is at work.
        """
        for node in self._nodes:
            lock = f"{self._homes[0]}/.controller" if node is self._nodes[0] else ""
            self._watches.append(Watch(node.machine, partial(self._changed, self._observers[node.name]), " ".join(self._homes), lock))
        first = self._watches[0]
        first.decided.wait(LOCK_S)
        if first.taken:
            self.stop()
            why = "Two would each do what the other one has done already."
            raise UsageError("Another controller is at work there.", why, "stop that one first: controller.stop()")
        self._thread.start()

    def stop(self) -> None:
        """End, after what is under way."""
        self.closed.set()
        self._wake.set()
        in_parallel(Watch.close, self._watches)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def wake(self) -> None:
        """Something may have changed."""
        self._wake.set()

    @property
    def silent(self) -> set[str]:
        """The names of nodes that did not answer when they were looked at last."""
        return set(self._silent)

    @property
    def lost(self) -> set[str]:
        """The names of nodes that have not answered for too long: whatever runs there, it does not count."""
        return {name for name, since in self._silent.items() if time.monotonic() - since >= LOST_S}

    def look(self) -> list[Seen]:
        """The pods that there are on all nodes.

        For some seconds, the pods of a node that does not answer are those that it had last.

        Raises:
            docker.errors.DockerException, OSError, CourseError: the first node does not answer.
        """
        looks = in_parallel(lambda name: look_at(self._observers[name], doubtful=name in self._silent), self._observers)
        for name, looked in zip(self._observers, looks, strict=True):
            if not isinstance(looked, Exception):
                self._last[name] = looked
                if self._silent.pop(name, None):
                    self._lost()
            elif name == self._nodes[0].name:
                raise looked
            else:
                self._observers[name].forget(EVERYTHING)
                self._silent.setdefault(name, time.monotonic())
        return [one for name, pods in self._last.items() if name not in self.lost for one in pods]

    def tidy(self) -> None:
        """Remove what is left of Deployments' pods that nobody has removed to the end, on the nodes that answer."""
        in_parallel(Observer.tidy, [it for name, it in self._observers.items() if name not in self._silent])

    def _changed(self, observer: Observer, what: str) -> None:
        observer.forget(what)
        self._wake.set()

    def _run(self) -> None:
        patience: float | None = 0.0
        rested = 0.0
        while not self.closed.is_set():
            self._wake.wait(patience)
            self.closed.wait(max(SETTLE_S, rested - time.monotonic()))
            self._wake.clear()
            began = time.monotonic()
            if not self._watches[0].held.is_set():  # the lock was lost with the connection, and another controller may have it by now
                patience = None
                continue
            try:
                patience = self._reconcile()
                if self._silent:
                    patience = min(RETRY_S, patience or RETRY_S)
            except NO_ANSWER:  # whatever it was, look again
                log.debug("a controller could not do what it had to", exc_info=True)
                for observer in self._observers.values():
                    observer.forget(EVERYTHING)
                self._lost()
                patience = RETRY_S
            rested = time.monotonic() + REST * (time.monotonic() - began)
