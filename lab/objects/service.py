"""A Service: one name, and one address that never changes, for all pods that have certain labels.

``Service`` writes down what is wanted, and tells where it leads.  That it leads there is the work of a ``ServiceController``.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from lab.box.errors import CourseError, UsageError, WaitTimeout
from lab.objects.node import Node
from lab.objects.published import Published
from lab.objects.service_spec import HEADLESS, NODE_PORTS, Endpoint, Endpoints, ServiceSpec, read_service
from lab.objects.store import ENDPOINTS, SERVICES, Store
from lab.objects.watch import Watch
from lab.report import RenewedLine

ADDRESSES = IPv4Network("10.96.0.0/16")
"""Virtual addresses are from here; no network of a box has one of them.  In clusters that kubeadm made it is 10.96.0.0/12."""
WAIT_S, SEEN_S = 60.0, 15.0
"""Seconds that ``wait`` has, if it is not told otherwise; and those in which a controller sees what has been changed."""
UNSEEN = "Its controller has not seen yet what is wanted, or none is at work."


def kept_service(kept: Mapping[str, Any]) -> ServiceSpec:
    """What is wanted of a Service, as a ``Store`` has kept it."""
    return read_service(kept["manifest"]).with_node_ports(kept["node_ports"])


class Service:
    """A name for a group of pods; a ``ServiceController`` makes it lead there.

    Args:
        name: of the Service.
        nodes: as the controller has them.
    """

    def __init__(self, name: str, *nodes: Node) -> None:
        self.name, self._machine = name, nodes[0].machine
        self._store, self._lists = Store(self._machine, SERVICES), Store(self._machine, ENDPOINTS)

    @classmethod
    def apply(cls, manifest: str | Mapping[str, Any], *nodes: Node) -> Service:
        """Have a Service as a manifest says, in the place of the one of that name.  It keeps its address for as long as it is there.

        Raises:
            UsageError: the manifest makes no sense, asks for an address that can't be had, or for what another Service has.
        """
        spec = read_service(manifest)
        it = cls(spec.name, *nodes)
        there = it._store.all()
        before = there.pop(spec.name, {})
        address = _address(spec, before.get("address", HEADLESS), {kept["address"]: name for name, kept in there.items()})
        chosen = _node_ports(spec, before.get("node_ports", {}), map(kept_service, there.values()))
        it._store.put(spec.name, {"manifest": manifest, "address": address, "node_ports": chosen, "revision": secrets.token_hex(4)})
        return it

    @property
    def spec(self) -> ServiceSpec:
        """What is wanted.

        Raises:
            CourseError: the Service is gone.
        """
        return kept_service(self._kept())

    @property
    def address(self) -> str:
        """Its virtual address, IPv4; the word ``None`` where it is headless.

        Raises:
            CourseError: the Service is gone.
        """
        return str(self._kept()["address"])

    def status(self) -> Published:
        """Where it leads, and who was left out and why, as its controller has written it down.

        What has just been changed is not seen at once: its controller has some seconds.

        Raises:
            CourseError: the Service is gone, or no controller sees it.
        """
        if not (found := self._published() or self._await(lambda _: True, SEEN_S)):
            raise CourseError(f"The Service {self.name} leads nowhere yet.", UNSEEN, "ServiceController(node).start()")
        return found

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where its first port leads now.

        Raises:
            CourseError: as ``status``.
        """
        return self.status().ready

    def wait(self, ready: int = 1, timeout_s: float = WAIT_S) -> Published:
        """Return when it leads to so many pods.

        Args:
            ready: how many.
            timeout_s: seconds until it is given up.

        Raises:
            WaitTimeout: the time is up; with who was left out and why.
            CourseError: the Service is gone.
        """
        if found := self._await(lambda published: len(published.ready) == ready, timeout_s):
            return found
        hint = f"compare the labels of the pods with the selector, {dict(self.spec.selector)}"
        raise WaitTimeout(f"The Service {self.name} does not lead to {ready} pods.", repr(self._published() or UNSEEN), hint)

    def delete(self) -> None:
        """Have no such Service any more: the controller takes its address and its name away."""
        self._store.delete(self.name)

    def _published(self) -> Published | None:
        """Where it leads; nothing as long as no controller has seen what is wanted now."""
        kept, listed = self._kept(), self._lists.get(self.name)
        if not listed or listed["revision"] != kept["revision"]:
            return None
        spec = kept_service(kept)
        leads = [Endpoints(tuple(Endpoint(**one) for one in it["ready"]), it["left_out"]) for it in listed["ports"]]
        return Published(spec, kept["address"], dict(zip(spec.ports, leads, strict=True)), kept["revision"])

    def _await(self, wanted: Callable[[Published], bool], timeout_s: float) -> Published | None:
        """Where it leads, as soon as that is as wanted; nothing where the time is up first."""
        until, changed = time.monotonic() + timeout_s, threading.Event()
        watch = Watch(self._machine, lambda _: changed.set(), self._lists.home)
        try:
            with RenewedLine() as line:
                while True:
                    changed.clear()
                    found = self._published()
                    line.say(found.in_short if found else f"{self.name} leads nowhere yet")
                    if found and wanted(found):
                        return found
                    left = until - time.monotonic()
                    if left <= 0:
                        return None
                    changed.wait(min(left, line.hidden_s or left))
        finally:
            watch.close()

    def _kept(self) -> dict[str, Any]:
        kept = self._store.get(self.name)
        if not kept:
            raise CourseError(f"There is no Service {self.name}.", "It was deleted, or never made.", "Service.apply(manifest, node)")
        return kept


def _address(spec: ServiceSpec, before: str, taken: Mapping[str, str]) -> str:
    """The address that a Service gets.

    Args:
        spec: what is wanted.
        before: what it has; the word ``None`` where it has none.
        taken: the names of other Services, by their addresses.
    """
    if who := taken.get(spec.address, "") if spec.address != HEADLESS else "":
        raise UsageError(f"The address {spec.address} is the Service {who}'s.", "An address leads to one.", "take clusterIP out")
    if spec.address not in ("", HEADLESS) and IPv4Address(spec.address) not in ADDRESSES:
        why = f"Services have addresses from {ADDRESSES}, which no network of a box has."
        raise UsageError(f"clusterIP: {spec.address} can't be had.", why, "take it out, and one is chosen")
    address = spec.address or (before if before != HEADLESS else "")
    while not address or address in taken.keys() - {HEADLESS}:
        address = str(ADDRESSES[1 + secrets.randbelow(ADDRESSES.num_addresses - 2)])
    return address


def _node_ports(spec: ServiceSpec, before: Mapping[str, int], others: Iterable[ServiceSpec]) -> dict[str, int]:
    """The ports of nodes that are chosen for a Service, by the keys of its own; those that it has it keeps.

    Raises:
        UsageError: the manifest asks for one that another Service has.
    """
    taken = {port.node: other.name for other in others for port in other.ports if port.node}
    taken |= {port.node: spec.name for port in spec.ports if port.node and port.node not in taken}
    for port in spec.ports:
        if port.node and (who := taken[port.node]) != spec.name:
            raise UsageError(f"nodePort: {port.node} is the Service {who}'s.", "A port of the nodes leads to one.", "choose another one")
    free = iter(secrets.SystemRandom().sample([n for n in range(NODE_PORTS[0], NODE_PORTS[1] + 1) if n not in taken], len(spec.ports)))
    return {port.key: before.get(port.key) or next(free) for port in spec.ports if spec.outside and not port.node}
