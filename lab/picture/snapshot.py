"""What is on a machine at a moment, as plain data: its containers, the walls between them, and its networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NOT_READY = "not ready"
BOX = "box"
"""In ``shares``, in the place of a container's id: the namespace is the machine's own."""


@dataclass(frozen=True)
class Link:
    """A container's end of a network.

    Args:
        network: the network's id.
        address: IPv4, or empty where it has none at the moment.
        aliases: names that lead to the container on this network, beside its own.
    """

    network: str
    address: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class Port:
    """A port that is published: ``host`` on the machine leads to ``inside`` in the container.

    ``address`` is the only one of the machine's at which it does; empty where it does at all of them.
    """

    host: int
    inside: int
    protocol: str = "tcp"
    address: str = ""

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}{':' if address else ''}{self.host}→{self.inside}" + ("" if self.protocol == "tcp" else f"/{self.protocol}")


@dataclass(frozen=True)
class Container:
    """A container as its engine and the kernel have it.

    Args:
        id: 64 hex digits.
        name: without the slash.
        image: as it was asked for.
        state: the engine's word: created, running, paused, restarting, removing, exited, dead.
        health: healthy, unhealthy or starting; empty where no health check was asked for.
        exit_code: of its last run; nothing where it has never ended, or runs again.
        trouble: why it did not start, or that memory ran out, in a few words; else empty.
        created: seconds since 1970.
        labels: its labels.
        links: its networks.
        ports: that are published.
        shares: by kind, whose namespace it uses where it has none of its own: another container's id, or ``BOX``.
        runtime: what runs it, where that is not Docker: Podman, containerd, runc or crun; else empty.
        process: the id of its first process where it runs; else 0.
        finding: what its probes say, such as "not ready: HTTP 503"; empty where it has none.
    """

    id: str
    name: str
    image: str = ""
    state: str = "running"
    health: str = ""
    exit_code: int | None = None
    trouble: str = ""
    created: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    ports: tuple[Port, ...] = ()
    shares: Mapping[str, str] = field(default_factory=dict)
    runtime: str = ""
    process: int = 0
    finding: str = ""

    @property
    def ready(self) -> bool:
        """Whether it runs, and nothing says that it can't be asked."""
        return self.state == "running" and not self.finding.startswith(NOT_READY) and self.health in ("", "healthy")


@dataclass(frozen=True)
class Wished:
    """A Deployment as it is wished for: how many copies, and the hash of their template."""

    name: str
    replicas: int
    template: str


@dataclass(frozen=True)
class ServicePort:
    """A port of a Service, and where it leads.

    Args:
        number: that clients use.
        protocol: TCP, UDP or SCTP.
        ready: the address and port of each endpoint, such as ``10.244.1.3:8080``, by its pod's name.
        left_out: why a pod that has the labels is no endpoint, by its name.
        node: the port of every machine that leads here as well; nothing where none does.
    """

    number: int
    protocol: str = "TCP"
    ready: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    node: int | None = None


@dataclass(frozen=True)
class Service:
    """A Service.

    Args:
        name: of it.
        address: its virtual one; ``None``, the word, where it has none.
        ports: and where they lead; none where nobody has looked yet.
        kept: whether it is kept on this machine, which else was only told of its endpoints.
    """

    name: str
    address: str
    ports: tuple[ServicePort, ...] = ()
    kept: bool = True


@dataclass(frozen=True)
class Network:
    """A network of an engine, or a bridge that somebody else has made; ``subnet`` is empty where it has none."""

    id: str
    name: str
    driver: str = "bridge"
    subnet: str = ""


@dataclass(frozen=True)
class NetworkNamespace:
    """A network namespace with a name (``ip netns``), and without a container.

    Args:
        name: under ``/run/netns``.
        number: the kernel's.
        cards: its network cards in words, with the other end where that is known, such as ``eth0 ↔ veth-red``.
        addresses: of all of them.
        links: the bridges that it is on.
    """

    name: str
    number: str
    cards: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Box:
    """One machine at that moment.

    Args:
        name: its host name.
        containers: oldest first.
        networks: that its engine has, and bridges that others have made.
        namespaces: for networks, that nobody but their name holds.
        wishes: the Deployments that it keeps.
        services: that it keeps, or was told of.
        end_reason: what became of it; the rest is as it was before it ended.  Empty where it runs.
        ended: the time of day when it was found to have ended, such as ``12:03:59``; empty where it runs.
    """

    name: str
    containers: tuple[Container, ...] = ()
    networks: tuple[Network, ...] = ()
    namespaces: tuple[NetworkNamespace, ...] = ()
    wishes: tuple[Wished, ...] = ()
    services: tuple[Service, ...] = ()
    end_reason: str = ""
    ended: str = ""


@dataclass(frozen=True)
class Snapshot:
    """Some machines at a moment."""

    boxes: tuple[Box, ...]
