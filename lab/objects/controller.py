"""The loop that sees to Deployments.

It reads what is wanted, compares it with the pods that there are, and does what ``rollout.step`` says.  It remembers nothing that it could
look up.  So it does not matter what it has missed: when it begins anew it goes on where another one has stopped, and while there is none,
the pods run on as they are.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Self

from lab.box.errors import CourseError
from lab.box.parallel import AT_ONCE
from lab.objects.departure import announced, depart
from lab.objects.deployment_spec import DeploymentSpec, read_deployment
from lab.objects.drain import cordoned
from lab.objects.labels import OWNER, UID
from lab.objects.loop import Loop
from lab.objects.node import Node, schedule
from lab.objects.pod import Pod
from lab.objects.replicas import Seen
from lab.objects.rollout import Replica, next_look_s, step
from lab.objects.spec import PodSpec
from lab.objects.store import ENDING, NOTES, WISHES, Store
from lab.objects.watch import RETRY_S

MOST_PATIENCE_S = 60.0
"""Seconds between two attempts to make a pod that can't be made, at most; they begin with one second."""
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Of a pod's name; no vowels, so that no word comes out."""


class Controller:
    """Sees to it that there are as many pods as Deployments want.

    Args:
        nodes: that the pods can go to; the first one's machine keeps the wishes.
    """

    def __init__(self, *nodes: Node) -> None:
        self._nodes, self._machine = nodes, nodes[0].machine
        self._store, self._notes = Store(self._machine, WISHES), Store(self._machine, NOTES)
        self._loop = Loop(nodes, [self._store], self.reconcile, self._tidy_later)
        self._announced: set[str] = set()
        self._lock = threading.RLock()  # work may be over before anybody is told that it has begun
        self._beginning: dict[str, tuple[str, PodSpec, Replica]] = {}
        self._ending: set[str] = set()
        self._over: set[str] = set()
        self._untidy = True
        self._failures: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        self._hands = ThreadPoolExecutor(AT_ONCE)
        self._noted: dict[str, str] = {}
        self._writing = threading.Lock()

    def start(self) -> Self:
        """Begin.

        Raises:
            UsageError: another controller is at work.
        """
        self._announced = announced(self._machine)  # whoever has announced their end did not live to bring it about
        self._loop.start()
        return self

    def stop(self) -> None:
        """End; the pods run on, and nobody sees to them."""
        self._loop.stop()
        self._hands.shutdown(wait=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def reconcile(self) -> float | None:
        """Compare what there is with what is wanted, and begin what is to be done.

        Returns:
            Seconds until it is to be compared again, although nothing has changed; nothing where there is no such time.
        """
        wishes = {it["uid"]: read_deployment(it["manifest"]) for it in self._store.all().values()}
        with self._lock:
            over = set(self._over)  # what ends during a look may not be seen by it, so it counts until the next one
        seen = self._loop.look()
        with self._lock:
            self._over -= over
            self._ending -= over
            self._beginning = {name: it for name, it in self._beginning.items() if name not in over}
            ours = [one for one in seen if one.owner and one.key not in self._ending]
            for one in ours:
                if one.owner not in wishes or one.key in self._announced:
                    self._end(one)
            waits = [self._reconcile(uid, spec, ours, seen) for uid, spec in wishes.items()]
        if self._untidy and not self._beginning and not self._ending:
            self._untidy = False
            self._tidy({one.key for one in seen})
        return min((wait for wait in waits if wait is not None), default=None)

    def _reconcile(self, uid: str, spec: DeploymentSpec, ours: Iterable[Seen], everything: Iterable[Seen]) -> float | None:
        """Do for one Deployment what is to be done; as ``reconcile``."""
        now, wish = time.time(), spec.wish
        pods = {one.replica.name: one for one in ours if one.owner == uid}
        begun = [replica for owner, _, replica in self._beginning.values() if owner == uid and replica.name not in pods]
        there = [*(replace(one.replica, failed=one.replica.failed and name not in self._beginning) for name, one in pods.items()), *begun]
        todo = step(wish, there, now)
        for name in todo.delete:
            if name in pods and name not in self._beginning:
                self._end(pods[name])
        patience = self._patience_s(uid, wish.template, now)
        halves = [one for one in pods.values() if not one.started and not one.replica.failed and one.replica.name not in self._beginning]
        if not todo.create and not halves:
            if all(owner != uid for owner, _, _ in self._beginning.values()):  # while it is tried once more, it is not known to be better
                self._note(spec.name, "")
        elif not patience:
            self._begin(uid, spec, todo.create, everything)
            for one in halves:  # whoever made it was stopped in between, or could not start it
                self._work_on(uid, spec, one.pod.spec, one.replica, one.pod.start)
        waits = [patience or None, next_look_s(wish, there, now)]
        return min((wait for wait in waits if wait), default=None)

    def _tidy_later(self) -> None:
        self._untidy = True

    def _tidy(self, there: Collection[str]) -> None:
        """Remove what is left where whoever removed or made a pod was stopped in between: its volumes, and the mark that it ends."""
        self._loop.tidy()
        marks = Store(self._machine, ENDING)
        for key in announced(self._machine) - set(there):
            marks.delete(key)

    def _note(self, name: str, why: str) -> None:
        """Write down why a Deployment has fewer pods than it wants, for ``Deployment.status``."""
        if self._noted.get(name) != why:
            self._noted[name] = why
            self._do(partial(self._write_note, name))

    def _write_note(self, name: str) -> None:
        """Write what is to be said by now: whoever was told to earlier may come to it later."""
        with self._writing:
            self._notes.put(name, {"why": self._noted[name]})

    def _patience_s(self, uid: str, template: str, now: float) -> float:
        """Seconds until a template that could not be made into a pod is tried again: twice as many after each failure."""
        failures = self._failures.get((uid, template), [])
        return max(0.0, failures[-1] + min(MOST_PATIENCE_S, 2.0 ** (len(failures) - 1)) - now) if failures else 0.0

    def _begin(self, uid: str, spec: DeploymentSpec, number: int, everything: Iterable[Seen]) -> None:
        """Make some pods, on the nodes that have room."""
        held: defaultdict[str, list[PodSpec]] = defaultdict(list)
        for one in everything:
            held[one.replica.node].append(one.pod.spec)
        seen = {one.replica.name for one in everything}
        for _, other, replica in self._beginning.values():
            if replica.name not in seen:
                held[replica.node].append(other)
        names = [f"{spec.name}-{spec.hash}-{''.join(secrets.choice(LETTERS) for _ in range(5))}" for _ in range(number)]
        copies = {name: spec.pod(name, {OWNER: spec.name, UID: uid}) for name in names}
        closed = self._loop.lost | cordoned(self._machine)
        plan = schedule(list(copies.values()), [node for node in self._nodes if node.name not in closed], held)
        if plan.pending:
            self._note(spec.name, next(iter(plan.pending.values())))
        for name, place in plan.placements.items():
            node = next(node for node in self._nodes if node.name == place)
            self._work_on(uid, spec, copies[name], Replica(name, spec.hash, place, time.time()), partial(_make, node, copies[name]))

    def _work_on(self, uid: str, spec: DeploymentSpec, copy: PodSpec, replica: Replica, work: Callable[[], object]) -> None:
        """Have a pod made, or started; until that is over it is left alone."""
        self._beginning[replica.name] = (uid, copy, replica)
        self._do(work).add_done_callback(partial(self._begun, replica.name, spec))

    def _begun(self, name: str, spec: DeploymentSpec, made: Future[Any]) -> None:
        """A pod was made, or could not be."""
        with self._lock:
            uid, _, replica = self._beginning[name]
            self._over.add(name)
            if made.cancelled():
                return
            if error := made.exception():
                failures = self._failures[uid, spec.hash]
                if failures and replica.created < failures[-1]:  # those that were begun together fail together, which counts once
                    failures.pop()
                failures.append(time.time())
                self._note(spec.name, str(error))
            else:
                self._failures.pop((uid, spec.hash), None)
        self._loop.wake()

    def _end(self, one: Seen) -> None:
        self._ending.add(one.key)
        self._do(partial(self._remove, one.pod)).add_done_callback(lambda _: self._ended(one.key))

    def _remove(self, pod: Pod) -> None:
        try:
            depart(self._machine, pod)
        except CourseError:  # it is seen again, and tried again
            self._untidy = True
            self._loop.closed.wait(RETRY_S)

    def _ended(self, key: str) -> None:
        with self._lock:
            self._over.add(key)
        self._loop.wake()

    def _do(self, work: Callable[[], object]) -> Future[Any]:
        """Have something done beside the loop, which must not wait for it."""
        future: Future[Any] = Future()
        with suppress(RuntimeError):  # after the end, what was left is found by the next controller
            return self._hands.submit(work)
        future.cancel()
        return future


def _make(node: Node, copy: PodSpec) -> None:
    Pod.create(node.machine, copy, node=node.name, network=node.network).start()
