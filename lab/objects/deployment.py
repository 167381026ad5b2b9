"""A Deployment: a wish for so many copies of one pod, kept apart from whoever fulfils it.

``Deployment`` writes the wish into a ``Store``, and tells how far it is fulfilled.  It makes no pod and removes none: that is the work of a
``Controller``.  Without one, nothing happens.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from lab.box.errors import CourseError, UsageError, WaitTimeout
from lab.box.parallel import in_parallel
from lab.objects.deployment_spec import DeploymentSpec, read_deployment
from lab.objects.node import Node
from lab.objects.replicas import Observer, Seen, look_at
from lab.objects.rollout import Replica, next_look_s
from lab.objects.store import NOTES, WISHES, Store
from lab.objects.watch import Watch
from lab.report import SHOWN_AFTER_S, RenewedLine, table

WAIT_S = 300.0
"""Seconds that ``wait`` has, if it is not told otherwise: an emulated box takes some 20 for each pod of an update."""
SETTLE_S = 0.05
"""Seconds after a change until ``wait`` looks: most come in bursts, and whoever looks takes time from those who work."""
MOST_OF_A_NOTE = 80
"""Letters of a controller's note that have room in a line."""


@dataclass(frozen=True)
class DeploymentStatus:
    """How far a wish is fulfilled.

    Args:
        name: of the Deployment.
        wanted: how many copies are wanted.
        there: how many there are, of whatever template.
        updated: those of the template that is wanted.
        ready: those that can be asked.
        available: those that have been ready for long enough to count.
        fulfilled: whether nothing is left to be done.
        patience_s: seconds until it counts as stuck; below 0 where it is.
        look_again_s: seconds until a copy will have been ready for long enough; those until it counts as stuck where none is waited for.
        note: why there are fewer than wanted, in the controller's words; empty where it has nothing to say.
    """

    name: str
    wanted: int
    there: int
    updated: int
    ready: int
    available: int
    fulfilled: bool
    patience_s: float
    look_again_s: float
    note: str = ""

    @property
    def in_short(self) -> str:
        """How far it is, in one line."""
        new = f", {self.updated} of the new template" if self.updated < self.there else ""
        why = f": {self.note.splitlines()[0][:MOST_OF_A_NOTE]}" if self.note and not self.fulfilled else ""
        return f"{self.ready} of {self.wanted} ready{new}{why}"

    def __repr__(self) -> str:
        row = (self.name, f"{self.ready} of {self.wanted}", self.updated, self.available, self.there)
        stuck = "stuck: nothing has gone forward for too long" if self.patience_s < 0 and not self.fulfilled else ""
        lines = [table(("deployment", "ready", "of this template", "available", "pods in all"), row), stuck, self.note]
        return "\n".join(filter(None, lines))


def deployment_status(spec: DeploymentSpec, there: Collection[Replica], changed: float, now: float) -> DeploymentStatus:
    """How far a wish is fulfilled, from what there is.

    Args:
        spec: what is wanted.
        there: the pods that there are.
        changed: when the wish was changed last, in seconds since 1970.
        now: likewise.
    """
    wish, living = spec.wish, [pod for pod in there if not pod.failed]
    updated = [pod for pod in living if pod.template == wish.template]
    available = [pod for pod in living if pod.available_at(wish.min_ready_s) <= now]
    forward = max([changed, *(at for pod in updated for at in (pod.created, pod.available_at(wish.min_ready_s)) if at <= now)])
    done = len(there) == wish.replicas and all(pod in available and pod.template == wish.template for pod in there)
    patience, soon = forward + spec.deadline_s - now, next_look_s(wish, there, now)
    return DeploymentStatus(
        spec.name, wish.replicas, len(there), len(updated), sum(pod.ready_since is not None for pod in living), len(available), done,
        patience, patience if soon is None else soon,
    )  # fmt: skip


class Deployment:
    """A wish for so many copies of a pod; a ``Controller`` fulfils it.

    Args:
        name: of the Deployment.
        nodes: as the controller has them.
    """

    def __init__(self, name: str, *nodes: Node) -> None:
        self.name, self._nodes = name, nodes
        self._store, self._notes = (Store(nodes[0].machine, kind) for kind in (WISHES, NOTES))

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
            there, which = ", ".join(map(str, earlier)) or "none", f" {wanted}" if wanted else ""
            raise UsageError(f"There is no earlier revision{which}.", f"Remembered are: {there}.", "deployment.history()")
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
        """Its pods, as they are now, the oldest first; without those of nodes that don't answer."""
        return self._pods(self._kept()["uid"], {})

    def _pods(self, uid: str, observers: dict[str, Observer]) -> list[Seen]:
        seen = [one for pods in in_parallel(lambda node: _pods_on(node, observers), self._nodes) for one in pods if one.owner == uid]
        return sorted(seen, key=lambda one: (one.replica.created, one.replica.name))

    def status(self) -> DeploymentStatus:
        """How far the wish is fulfilled, now.

        Raises:
            CourseError: the Deployment is gone.
        """
        return self._status({}, 0.0)

    def _status(self, observers: dict[str, Observer], since: float) -> DeploymentStatus:
        """As ``status``; how long nothing has gone forward counts from some moment on, in seconds since 1970, if that is later."""
        kept, note = self._kept(), self._notes.get(self.name) or {"why": ""}
        there, changed = [one.replica for one in self._pods(kept["uid"], observers)], max(since, kept["changed"])
        return replace(deployment_status(read_deployment(kept["manifest"]), there, changed, time.time()), note=note["why"])

    def __repr__(self) -> str:
        found = [one.replica for one in self.pods()]
        rows = [(one.name, one.node, "yes" if one.ready_since and not one.failed else "no") for one in found]
        return table(("pod", "node", "ready"), *rows)

    def wait(self, timeout_s: float = WAIT_S, *, shown: bool = True) -> DeploymentStatus:
        """Return when the wish is fulfilled; what takes longer shows how far it is.

        Args:
            timeout_s: seconds until it is given up.
            shown: whether it is shown how far it is.

        Raises:
            WaitTimeout: the time is up, or nothing has gone forward for the manifest's ``progressDeadlineSeconds``; with what is missing.
            CourseError: the Deployment is gone.
        """
        began, until, changed = time.time(), time.monotonic() + timeout_s, threading.Event()
        observers: dict[str, Observer] = {}

        def heard(node: Node, what: str) -> None:
            if node.name in observers:
                observers[node.name].forget(what)
            changed.set()

        watches = [Watch(node.machine, partial(heard, node), self._store.home) for node in self._nodes]
        try:
            with RenewedLine(SHOWN_AFTER_S if shown else math.inf) as line:
                while True:
                    changed.clear()
                    status = self._status(observers, began)  # what was lost after a long time of peace is no update that is stuck
                    line.say(status.in_short)
                    if status.fulfilled:
                        return status
                    left = min(until - time.monotonic(), status.patience_s)
                    if left <= 0:
                        raise WaitTimeout(f"The Deployment {self.name} is not as it is wanted.", repr(status), _what_next(status))
                    changed.wait(min(left, status.look_again_s, line.hidden_s or left))
                    time.sleep(SETTLE_S)
        finally:
            in_parallel(Watch.close, watches)

    def outcome(self, timeout_s: float = WAIT_S) -> DeploymentStatus:
        """How far it is when nothing more is to be expected: as ``wait``, also where that gives up.

        Nothing is shown meanwhile, for somebody may be asked first what they expect.

        Raises:
            CourseError: the Deployment is gone.
        """
        with suppress(WaitTimeout):
            return self.wait(timeout_s, shown=False)
        return self.status()

    def delete(self) -> None:
        """Wish for nothing any more: the controller removes the pods."""
        self._store.delete(self.name)
        self._notes.delete(self.name)

    def _kept(self) -> dict[str, Any]:
        kept = self._store.get(self.name)
        if not kept:
            raise CourseError(f"There is no Deployment {self.name}.", "It was deleted, or never made.", "Deployment.apply(manifest, node)")
        return kept

    def _keep(self, spec: DeploymentSpec) -> None:
        kept = self._store.get(self.name) or {"uid": secrets.token_hex(4), "revisions": []}
        revisions = kept["revisions"]
        if not revisions or revisions[-1]["hash"] != spec.hash:
            number = max((it["number"] for it in revisions), default=0) + 1
            others = [it for it in revisions if it["hash"] != spec.hash]  # one that is wanted again is the latest then, and no other
            revisions = [*others, {"number": number, "hash": spec.hash, "template": spec.template}]
        content = {"uid": kept["uid"], "manifest": spec.source, "revisions": revisions[-spec.history - 1 :], "changed": time.time()}
        self._store.put(self.name, {**content, "replicas": spec.replicas, "hash": spec.hash})  # for whoever wants no more than to show it


def _what_next(status: DeploymentStatus) -> str:
    """What to type where a wish is not fulfilled in time."""
    if status.note:
        return "deployment.undo(), or mend the manifest"
    if status.updated:
        return "deployment.wait() again, if it goes forward; deployment.pods()[-1].pod.status(): what does it lack? or deployment.undo()"
    return "Controller(node).start(), if none is at work"


def _pods_on(node: Node, observers: dict[str, Observer]) -> list[Seen]:
    """The pods of a node; none where it does not answer.

    Args:
        node: to be looked at.
        observers: what is known of nodes, by their names; the node is added.
    """
    looked = look_at(observers.setdefault(node.name, Observer(node)))
    return [] if isinstance(looked, Exception) else looked
