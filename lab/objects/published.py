"""What everybody is told of a Service: its address, and where each of its ports leads now.

In a cluster this is an EndpointSlice.  The services' controller writes it; every *way* to the Service follows it, on every node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from lab.objects.service_spec import HEADLESS, Endpoint, Endpoints, ServicePort, ServiceSpec
from lab.report import table


@dataclass(frozen=True)
class Published:
    """A Service, and where it leads.

    Args:
        spec: what was asked for.
        address: its virtual address, IPv4; the word ``None`` where it has none.
        ports: where each of its ports leads.
        revision: of what was asked for; another one each time.
    """

    spec: ServiceSpec
    address: str
    ports: Mapping[ServicePort, Endpoints]
    revision: str = ""

    @property
    def virtual(self) -> bool:
        """Whether it has an address of its own."""
        return self.address != HEADLESS

    @property
    def ready(self) -> tuple[Endpoint, ...]:
        """Where its first port leads."""
        return next(iter(self.ports.values())).ready

    @property
    def in_short(self) -> str:
        """How many pods it leads to, in one line."""
        left_out = len(next(iter(self.ports.values())).left_out)
        return f"{self.spec.name} leads to {len(self.ready)}{f', {left_out} left out' if left_out else ''}"

    def content(self) -> dict[str, Any]:
        """It as a ``Store`` keeps it."""
        ports = [
            {"name": port.name, "port": port.number, "protocol": port.protocol, "node_port": port.node, **asdict(leads)}
            for port, leads in self.ports.items()
        ]
        return {"address": self.address, "ports": ports, "revision": self.revision}

    def __repr__(self) -> str:
        rows = []
        for port, leads in self.ports.items():
            entry = f"{self.spec.name}:{port.number}"
            rows += [(entry, one.pod, str(one), one.node, "ready") for one in leads.ready]
            rows += [(entry, pod, "", "", f"left out: it {why}") for pod, why in sorted(leads.left_out.items())]
        notes = [f"{self.spec.name}:{port.number} is port {port.node} of every node." for port in self.ports if port.node]
        notes += [f"{self.spec.name}:{port.number} leads nowhere." for port, leads in self.ports.items() if not leads.ready]
        return "\n".join([table(("service", "pod", "leads to", "node", ""), *rows), *notes] if rows else notes)


class Way(Protocol):
    """One way to Services, on one machine."""

    def follow(self, services: Sequence[Published]) -> None:
        """Lead to these, and to no others.

        Raises:
            CourseError: the machine refuses, or does not answer.
        """

    def remove(self) -> None:
        """Leave nothing of it on the machine.

        Raises:
            CourseError: likewise.
        """
