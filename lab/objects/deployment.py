"""A Deployment: so many copies of one pod, and a loop that sees to it.

The wish is kept in a ``Store``, apart from whoever fulfils it.  ``Deployment`` writes it there.  A ``Controller`` reads it, compares it
with the pods that there are, and does what ``rollout.step`` says.  It remembers nothing that it could look up.  So it does not matter what
it has missed: when it begins anew it goes on where another one has stopped, and while there is none, the pods run on as they are.

A controller is told when something may have changed, looks, and acts; in between it does nothing at all.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.client import HTTPException
from typing import Any, Self

from docker.errors import DockerException

from lab.box.errors import CourseError, UsageError
from lab.box.parallel import AT_ONCE, in_parallel
from lab.objects.deployment_spec import DeploymentSpec, read_deployment
from lab.objects.node import Node, schedule
from lab.objects.pod import Pod
from lab.objects.replicas import OWNER, UID, Observer, Seen
from lab.objects.rollout import Replica, next_look_s, step
from lab.objects.spec import PodSpec
from lab.objects.store import Store
from lab.objects.watch import EVERYTHING, RETRY_S, Watch

SETTLE_S = 0.02
"""Seconds after a change until it is looked at: most come in bursts."""
LOCK_S = 10.0
"""Seconds in which a machine tells whether another controller is at work."""
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
        schedule((), nodes)  # refuses two of one name
        self._nodes, self._store = nodes, Store(nodes[0].machine, "deployment")
        self._observers = {node.name: Observer(node) for node in nodes}
        self._wake, self._closed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._beginning: dict[str, tuple[str, PodSpec, Replica]] = {}
        self._ending: set[str] = set()
        self._failures: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        self._watches: list[Watch] = []
        self._hands = ThreadPoolExecutor(AT_ONCE)
        self._thread = threading.Thread(target=self._run, name="controller", daemon=True)
        self.notes: dict[str, str] = {}
        """Why a Deployment has fewer pods than it wants, by its name; in words."""

    def start(self) -> Self:
        """Begin.

        Raises:
            UsageError: another controller is at work.
        """
        for node in self._nodes:
            lock = f"{self._store.home}/.controller" if node is self._nodes[0] else ""
            self._watches.append(Watch(node.machine, partial(self._changed, self._observers[node.name]), self._store.home, lock))
        first = self._watches[0]
        first.decided.wait(LOCK_S)
        if first.taken:
            self.stop()
            why = "Two would each make what the other one has made already."
            raise UsageError("Another controller is at work there.", why, "stop that one first: controller.stop()")
        self._thread.start()
        return self

    def stop(self) -> None:
        """End; the pods run on, and nobody sees to them."""
        self._closed.set()
        self._wake.set()
        for watch in self._watches:
            watch.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        self._hands.shutdown(wait=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _changed(self, observer: Observer, what: str) -> None:
        observer.forget(what)
        self._wake.set()

    def _run(self) -> None:
        patience: float | None = 0.0
        while not self._closed.is_set():
            self._wake.wait(patience)
            self._closed.wait(SETTLE_S)
            self._wake.clear()
            try:
                patience = self.reconcile()
            except (CourseError, OSError, HTTPException, DockerException):  # a node does not answer: whatever it was, look again
                for observer in self._observers.values():
                    observer.forget(EVERYTHING)
                patience = RETRY_S

    def reconcile(self) -> float | None:
        """Compare what there is with what is wanted, and begin what is to be done.

        Returns:
            Seconds until it is to be compared again, although nothing has changed; nothing where there is no such time.
        """
        wishes = {it["uid"]: read_deployment(it["manifest"]) for it in self._store.all().values()}
        seen = [one for pods in in_parallel(lambda observer: observer.look(), self._observers.values()) for one in pods]
        with self._lock:
            ours = [one for one in seen if one.owner and one.key not in self._ending]
            for one in ours:
                if one.owner not in wishes:
                    self._end(one)
                elif not one.started and not one.replica.failed and one.replica.name not in self._beginning:
                    self._do(one.pod.start)  # whoever made it was stopped in between
            waits = [self._reconcile(uid, spec, ours, seen) for uid, spec in wishes.items()]
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
        if not todo.create:
            self.notes.pop(spec.name, None)
        elif not patience:
            self._begin(uid, spec, todo.create, everything)
        waits = [patience or None, next_look_s(wish, there, now)]
        return min((wait for wait in waits if wait), default=None)

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
        plan = schedule(list(copies.values()), self._nodes, held)
        if plan.pending:
            self.notes[spec.name] = next(iter(plan.pending.values()))
        for name, place in plan.placements.items():
            node = next(node for node in self._nodes if node.name == place)
            self._beginning[name] = (uid, copies[name], Replica(name, spec.hash, place, time.time()))
            self._do(partial(_make, node, copies[name])).add_done_callback(partial(self._begun, name, spec))

    def _begun(self, name: str, spec: DeploymentSpec, made: Future[Any]) -> None:
        """A pod was made, or could not be."""
        with self._lock:
            uid, *_ = self._beginning.pop(name)
            if error := made.exception():
                self._failures[uid, spec.hash].append(time.time())
                self.notes[spec.name] = str(error)
            else:
                self._failures.pop((uid, spec.hash), None)
        self._wake.set()

    def _end(self, one: Seen) -> None:
        self._ending.add(one.key)
        self._do(one.pod.delete).add_done_callback(lambda _: self._ended(one.key))

    def _ended(self, key: str) -> None:
        with self._lock:
            self._ending.discard(key)
        self._wake.set()

    def _do(self, work: Callable[[], object]) -> Future[Any]:
        """Have something done beside the loop, which must not wait for it."""
        future: Future[Any] = Future()
        with suppress(RuntimeError):  # after the end, what was left is found by the next controller
            return self._hands.submit(work)
        future.cancel()
        return future


def _make(node: Node, copy: PodSpec) -> None:
    Pod.create(node.machine, copy, node=node.name).start()


class Deployment:
    """A wish for so many copies of a pod; a ``Controller`` fulfils it.

    Args:
        name: of the Deployment.
        nodes: as the controller has them.
    """

    def __init__(self, name: str, *nodes: Node) -> None:
        self.name, self._nodes = name, nodes
        self._store = Store(nodes[0].machine, "deployment")

    @classmethod
    def apply(cls, manifest: str | Mapping[str, Any], *nodes: Node) -> Deployment:
        """Wish for what a manifest says, in the place of what was wished for under that name before.

        Raises:
            UsageError: the manifest makes no sense, or another Deployment has the same selector.
        """
        spec = read_deployment(manifest)
        it = cls(spec.name, *nodes)
        others = {name: read_deployment(kept["manifest"]) for name, kept in it._store.all().items() if name != spec.name}
        if same := next((other.name for other in others.values() if other.selector == spec.selector), ""):
            why = "Both would take each other's pods for their own."
            raise UsageError(f"The Deployment {same} has the same selector: {dict(spec.selector)}.", why, "another label for one of them")
        it._keep(spec)
        return it

    def scale(self, replicas: int) -> None:
        """Wish for another number of copies.

        Raises:
            UsageError: that is no number of copies.
            CourseError: the Deployment is gone.
        """
        self._keep(self.spec.amended(replicas=replicas))

    def undo(self, revision: int = 0) -> None:
        """Wish for an earlier template again: that of a revision, or of the one before the present one.

        Raises:
            UsageError: there is no such revision.
            CourseError: the Deployment is gone.
        """
        earlier = {it["number"]: it for it in self._kept()["revisions"][:-1]}
        wanted = revision or max(earlier, default=0)
        if wanted not in earlier:
            there = ", ".join(map(str, earlier)) or "none"
            raise UsageError(
                f"There is no earlier revision {wanted or ''}.".replace(" .", "."), f"There are: {there}.", "name one of those"
            )
        self._keep(self.spec.amended(template=earlier[wanted]["template"]))

    @property
    def spec(self) -> DeploymentSpec:
        """What is wished for.

        Raises:
            CourseError: the Deployment is gone.
        """
        return read_deployment(self._kept()["manifest"])

    def history(self) -> list[tuple[int, str]]:
        """The number and the template's hash of each revision that is remembered, the present one last."""
        return [(it["number"], it["hash"]) for it in self._kept()["revisions"]]

    def pods(self) -> list[Seen]:
        """Its pods, as they are now, the oldest first."""
        uid = self._kept()["uid"]
        seen = [one for pods in in_parallel(lambda node: Observer(node).look(), self._nodes) for one in pods if one.owner == uid]
        return sorted(seen, key=lambda one: (one.replica.created, one.replica.name))

    def delete(self) -> None:
        """Wish for nothing any more: the controller removes the pods."""
        self._store.delete(self.name)

    def _kept(self) -> dict[str, Any]:
        kept = self._store.get(self.name)
        if not kept:
            raise CourseError(f"There is no Deployment {self.name}.", "It was deleted, or never made.", "Deployment.apply(manifest, node)")
        return kept

    def _keep(self, spec: DeploymentSpec) -> None:
        kept = self._store.get(self.name) or {"uid": secrets.token_hex(4), "revisions": []}
        revisions = [it for it in kept["revisions"] if it["hash"] != spec.hash]
        if len(revisions) == len(kept["revisions"]) or kept["revisions"][-1]["hash"] != spec.hash:
            number = max((it["number"] for it in kept["revisions"]), default=0) + 1
            revisions.append({"number": number, "hash": spec.hash, "template": spec.template})
        else:
            revisions = kept["revisions"]
        content = {"uid": kept["uid"], "manifest": spec.source, "revisions": revisions[-spec.history - 1 :], "changed": time.time()}
        self._store.put(self.name, content)
