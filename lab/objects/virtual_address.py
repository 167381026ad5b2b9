"""A virtual address: one that no network card has, and that every node rewrites to the address of a pod.

Nobody listens on it, and no packet with it ever leaves a node.  The kernel's rules choose an endpoint for each new connection, and remember
it as long as that lasts.  The rules are those of kube-proxy, Kubernetes' own, in its mode ``iptables``.  This module only writes them down,
as text for ``iptables-restore``; no machine is touched.

An endpoint that asks its own Service is sent back to where it came from.  A bridge does that only where it is told to: ``HAIRPIN``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from lab.objects.service_spec import Endpoint, ServicePort

SERVICES, NODE_PORTS, LEAVING, NOBODY, MARK = (f"COURSE-{name}" for name in ("SERVICES", "NODEPORTS", "POSTROUTING", "NOBODY", "MARK-MASQ"))
MASQUERADED = "0x4000"
"""The mark of packets whose sender is to be replaced by the node's address on the way they take: an endpoint that asks itself would answer
behind the node's back, and what the node itself sends has its address on the way to nowhere, since nobody has the virtual one."""
HAIRPIN = 'for card in /sys/class/net/*/brport; do bridge link set dev "$(basename "${card%/brport}")" hairpin on; done'
"""For a shell: tells all bridges to send back what comes from a card to that card, where that is the way.  Clusters' networks do it for
each pod."""
OWN_CHAIN = re.compile(r"^:(COURSE-(?:SVC|SEP)-[0-9A-F]{12}) ", re.MULTILINE)


@dataclass(frozen=True)
class Address:
    """One port of a Service at its virtual address.

    Args:
        service: its name.
        address: IPv4.
        port: of the Service.
        ready: where it leads; nowhere where nobody is ready.
        sticky_s: seconds that a client stays with one endpoint; 0 where it does not matter to whom it comes.
    """

    service: str
    address: str
    port: ServicePort
    ready: tuple[Endpoint, ...]
    sticky_s: int = 0

    @property
    def chain(self) -> str:
        """The chain that chooses one of its endpoints."""
        return f"COURSE-SVC-{_digest(self.service, self.port.number, self.port.protocol)}"

    def leads_to(self, endpoint: Endpoint) -> str:
        """The chain that leads to one of its endpoints."""
        return f"COURSE-SEP-{_digest(self.service, self.port.number, self.port.protocol, endpoint.address, endpoint.port)}"

    @property
    def matched(self) -> str:
        """What a packet to it looks like, for a rule."""
        protocol = self.port.protocol.lower()
        return f"-d {self.address}/32 -p {protocol} -m {protocol} --dport {self.port.number}"


JUMPS = (
    ("nat", "PREROUTING", SERVICES), ("nat", "OUTPUT", SERVICES), ("nat", "POSTROUTING", LEAVING),
    ("filter", "INPUT", NOBODY), ("filter", "FORWARD", NOBODY), ("filter", "OUTPUT", NOBODY),
)  # fmt: skip
"""Which of the kernel's chains lead to which of these."""


def rules(addresses: Collection[Address], before: str) -> str:
    """All rules, as text for ``iptables-restore --noflush``, which puts them in force at once.

    Args:
        addresses: that are to work; none where all rules are to go.
        before: what ``iptables-save`` has printed, from which chains that are not needed any more are known.
    """
    nat, filters = list(_nat(addresses)), list(_filter(addresses))
    chains = [SERVICES, NODE_PORTS, LEAVING, MARK, *(chain for it in addresses for chain in _chains(it))]
    stale = [chain for chain in OWN_CHAIN.findall(before) if chain not in chains]
    jumps = {table: list(_jumps(table, before)) for table in ("nat", "filter")}
    parts = [
        "*nat", *_empty([*chains, *stale]), *jumps["nat"], *nat, *(f"-X {chain}" for chain in stale), "COMMIT",
        "*filter", *_empty([NOBODY]), *jumps["filter"], *filters, "COMMIT",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def removal(before: str) -> str:
    """What takes all of the rules away again, likewise."""
    there = {"nat": [SERVICES, NODE_PORTS, LEAVING, MARK, *OWN_CHAIN.findall(before)], "filter": [NOBODY]}
    parts = []
    for table, chains in there.items():
        known = [chain for chain in chains if f":{chain} " in before]
        jumps = [f"-D {chain} -j {ours}" for its, chain, ours in JUMPS if its == table and _has(before, chain, ours)]
        parts += [f"*{table}", *_empty(known), *jumps, *(f"-X {chain}" for chain in known), "COMMIT"]
    return "\n".join(parts) + "\n"


def _jumps(table: str, before: str) -> Iterator[str]:
    """Lines that put each jump first in its chain: an engine that was there first accepts what we are to refuse."""
    rules_there = before.partition(f"*{table}\n")[2].partition("COMMIT")[0].splitlines()
    for its, chain, ours in JUMPS:
        first = next((line for line in rules_there if line.startswith(f"-A {chain} ")), "")
        if its == table and first != f"-A {chain} -j {ours}":
            if _has(before, chain, ours):
                yield f"-D {chain} -j {ours}"
            yield f"-I {chain} 1 -j {ours}"


def _has(saved: str, chain: str, ours: str) -> bool:
    return f"-A {chain} -j {ours}\n" in saved


def _empty(chains: Iterable[str]) -> Iterator[str]:
    """Lines that make chains where they are missing, and empty those that are there."""
    return (f":{chain} - [0:0]" for chain in chains)


def _chains(it: Address) -> Iterator[str]:
    if it.ready:
        yield it.chain
        yield from map(it.leads_to, it.ready)


def _nat(addresses: Collection[Address]) -> Iterator[str]:
    yield f"-A {MARK} -j MARK --set-xmark {MASQUERADED}/{MASQUERADED}"
    yield f"-A {LEAVING} -m mark --mark {MASQUERADED}/{MASQUERADED} -j MASQUERADE"
    for it in addresses:
        if it.ready:
            yield f"-A {SERVICES} {it.matched} -m addrtype --src-type LOCAL -j {MARK}"
            yield f"-A {SERVICES} {it.matched} -j {it.chain}"
            yield from _node_port(it)
            yield from _choice(it)
    yield f"-A {SERVICES} -m addrtype --dst-type LOCAL -j {NODE_PORTS}"


def _node_port(it: Address) -> Iterator[str]:
    """A port of every node that leads to an address.  Whoever comes from outside is answered by the node that was asked."""
    if it.port.node:
        protocol = it.port.protocol.lower()
        matched = f"-A {NODE_PORTS} -p {protocol} -m {protocol} --dport {it.port.node}"
        yield f"{matched} -j {MARK}"
        yield f"{matched} -j {it.chain}"


def _choice(it: Address) -> Iterator[str]:
    """One endpoint for each new connection: of n that are left, each rule takes one in n."""
    if it.sticky_s:
        for one in it.ready:
            chain = it.leads_to(one)
            yield f"-A {it.chain} -m recent --name {chain} --rcheck --seconds {it.sticky_s} --reap -j {chain}"
    for number, one in enumerate(it.ready):
        left = len(it.ready) - number
        chance = f" -m statistic --mode random --probability {1 / left:.10f}" if left > 1 else ""
        chain, protocol = it.leads_to(one), it.port.protocol.lower()
        yield f"-A {it.chain}{chance} -j {chain}"
        yield f"-A {chain} -s {one.address}/32 -j {MARK}"
        seen = f" -m recent --name {chain} --set" if it.sticky_s else ""
        yield f"-A {chain} -p {protocol}{seen} -j DNAT --to-destination {one}"


def _filter(addresses: Collection[Address]) -> Iterator[str]:
    """Where nobody is ready, whoever asks is told so at once."""
    for it in addresses:
        if not it.ready:
            yield f"-A {NOBODY} {it.matched} -j REJECT --reject-with icmp-port-unreachable"


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12].upper()
