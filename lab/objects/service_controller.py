"""The loop that sees to Services: it finds out where each leads, writes that down, and has every way to it follow.

Like the Deployments' controller it remembers nothing that it could look up, and only hears of changes.  If it dies, all ways stay as they
are: Services lead on, to whom they led last.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from lab.box.errors import UsageError
from lab.box.machine import Machine
from lab.box.parallel import in_parallel
from lab.objects.cluster_dns import ClusterDns
from lab.objects.ipvs import Ipvs
from lab.objects.kube_proxy import KubeProxy
from lab.objects.loop import Loop
from lab.objects.node import Node
from lab.objects.published import Published, Way
from lab.objects.roster import Roster
from lab.objects.service import kept_service
from lab.objects.service_spec import Candidate, endpoints
from lab.objects.store import ENDING, SERVICES, Store

MODES: Mapping[str, Callable[[Machine], Way]] = {"iptables": KubeProxy, "ipvs": Ipvs}
"""kube-proxy has a third one, ``nftables``."""


class ServiceController:
    """Sees to it that Services lead to the pods that are ready.

    Args:
        nodes: whose pods can be endpoints, and on which the ways begin; the first one's machine keeps the Services.
        also: more ways that are to follow, such as a ``ReverseProxy``.
        mode: who rewrites virtual addresses on the nodes: ``iptables``, or ``ipvs`` where the kernel has it.

    Raises:
        UsageError: there is no such mode.
    """

    def __init__(self, *nodes: Node, also: Sequence[Way] = (), mode: str = "iptables") -> None:
        if mode not in MODES:
            raise UsageError(f"There is no mode {mode}.", f"There are: {', '.join(MODES)}.", 'ServiceController(node, mode="iptables")')
        first = nodes[0].machine
        self._services, self._marks = Store(first, SERVICES), Store(first, ENDING)
        self._loop = Loop(nodes, [self._services, self._marks], self.reconcile, self._forget)
        hosts = {id(node.machine): node for node in nodes}.values()
        self._ways = [
            *(_Follower(way(node.machine), node.name) for node in hosts for way in (MODES[mode], ClusterDns)),
            *map(_Follower, also),
        ]
        self._rosters = [_Follower(Roster(node.machine), node.name) for node in hosts]

    def start(self) -> Self:
        """Begin.

        Raises:
            UsageError: another controller of Services is at work.
        """
        self._loop.start()
        return self

    def stop(self) -> None:
        """End; the ways stay as they are, and follow nobody any more."""
        self._loop.stop()

    def remove(self) -> None:
        """End, and take all ways away from all nodes.

        Raises:
            CourseError: a machine refuses, or does not answer.
        """
        self.stop()
        in_parallel(lambda it: it.way.remove(), [*self._ways, *self._rosters])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def reconcile(self) -> float | None:
        """Find out where Services lead, and have the ways follow where that has changed."""
        kept, leaving, seen = self._services.all(), self._marks.all(), self._loop.look()
        there = [Candidate(one.pod.spec, one.replica, one.address, one.key in leaving) for one in seen]
        published = [_publish(it, there) for it in kept.values()]
        for followers in (self._ways, self._rosters):  # the rosters last: whoever is to end waits until they have left them
            in_parallel(lambda it: it.follow(published, self._loop.silent), followers)
        return None

    def _forget(self) -> None:
        for it in (*self._ways, *self._rosters):
            it.last = None


@dataclass
class _Follower:
    """A way, the node that it begins on, and what it leads to; nothing where that is not known."""

    way: Way
    node: str = ""
    last: Sequence[Published] | None = None

    def follow(self, published: Sequence[Published], silent: Collection[str]) -> None:
        """Have the way follow, where it does not already, and its node answers."""
        if self.node in silent:
            self.last = None
        elif published != self.last:
            self.way.follow(published)
            self.last = published


def _publish(kept: Mapping[str, Any], there: Sequence[Candidate]) -> Published:
    spec = kept_service(kept)
    return Published(spec, kept["address"], {port: endpoints(spec, port, there) for port in spec.ports}, kept["revision"])
