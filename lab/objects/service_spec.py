"""What a Service manifest asks for: one name, and one port or several, for all pods that have certain labels.

The names of the fields, their defaults and their limits are those of Kubernetes; ``docs/manifests.md`` has a table of what is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Any

from lab.box.errors import UsageError
from lab.objects.container import PORT_NAME, PROTOCOLS
from lab.objects.manifest.fields import NAME, Fields, no_duplicates
from lab.objects.metadata import label_pairs, metadata
from lab.objects.rollout import Replica
from lab.objects.spec import PodSpec, objects, one_of_a_kind, refuse_unread

KINDS = ("ClusterIP", "NodePort")
NODE_PORTS = (30000, 32767)
HEADLESS = "None"
AFFINITY_S = 10800
"""Seconds that a client stays with an endpoint, where affinity is asked for and no time is named."""


@dataclass(frozen=True)
class ServicePort:
    """A port of a Service.

    Args:
        number: that clients use.
        target: the port of a pod that it leads to: its number, or the name that a container has for it.
        protocol: TCP, UDP or SCTP.
        name: no other port of the Service has it; it may be empty where there is only one.
        node: the port of every node that leads here as well; nothing where none does.
    """

    number: int
    target: int | str
    protocol: str = "TCP"
    name: str = ""
    node: int | None = None

    @property
    def key(self) -> str:
        """What no other port of the Service has: its number and its protocol."""
        return f"{self.number}/{self.protocol}"

    def inside(self, pod: PodSpec) -> int | None:
        """The number of the port in a pod; nothing where no container has one of that name."""
        if isinstance(self.target, int):
            return self.target
        ports = (port for it in pod.everyone for port in it.ports)
        return next((port.inside for port in ports if (port.name, port.protocol) == (self.target, self.protocol)), None)


@dataclass(frozen=True, kw_only=True)
class ServiceSpec:
    """A Service.

    Args:
        name: of it.
        selector: labels that its pods have.
        ports: at least one.
        address: that clients use, if the manifest says which; ``None``, the word, where it is to have none.
        sticky_s: seconds that a client stays with one endpoint; 0 where it does not matter to whom it comes.
        unready_too: whether pods are endpoints before they are ready.
        outside: whether a port of every node leads to each of its ports; where the manifest does not say which, one is chosen.
    """

    name: str
    selector: Mapping[str, str]
    ports: tuple[ServicePort, ...]
    address: str = ""
    sticky_s: int = 0
    unready_too: bool = False
    outside: bool = False

    def with_node_ports(self, chosen: Mapping[str, int]) -> ServiceSpec:
        """It with the ports of nodes that were chosen, by the keys of its own."""
        return replace(self, ports=tuple(replace(port, node=port.node or chosen.get(port.key)) for port in self.ports))

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels is meant."""
        return all(labels.get(name) == value for name, value in self.selector.items())


@dataclass(frozen=True, order=True)
class Endpoint:
    """Where one port of a Service leads: to a pod's name, its address, the port there, and its node."""

    pod: str
    address: str
    port: int
    node: str = ""

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Candidate:
    """A pod that may be an endpoint.

    Args:
        spec: what was asked for.
        replica: how it is.
        address: IPv4; empty where it has none.
        ending: whether it is about to be removed.
    """

    spec: PodSpec
    replica: Replica
    address: str
    ending: bool = False


@dataclass(frozen=True)
class Endpoints:
    """Where a port of a Service leads.

    Args:
        ready: sorted by the pods' names.
        left_out: why a pod that has the labels is no endpoint, by its name.
    """

    ready: tuple[Endpoint, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


def endpoints(service: ServiceSpec, port: ServicePort, pods: Iterable[Candidate]) -> Endpoints:
    """Where a port of a Service leads, from the pods that there are."""
    found, left_out = [], {}
    for pod in pods:
        if service.selects(pod.spec.labels):
            if why := _why_not(service, port, pod):
                left_out[pod.replica.name] = why
            else:
                found.append(Endpoint(pod.replica.name, pod.address, port.inside(pod.spec) or 0, pod.replica.node))
    return Endpoints(tuple(sorted(found)), left_out)


def _why_not(service: ServiceSpec, port: ServicePort, pod: Candidate) -> str:
    if pod.ending:
        return "is about to end"
    if pod.replica.failed or not pod.address:
        return "does not run"
    if pod.replica.ready_since is None and not service.unready_too:
        return "is not ready"
    return "" if port.inside(pod.spec) else f"has no port called {port.target}"


def read_service(manifest: str | Mapping[str, Any]) -> ServiceSpec:
    """The Service that a manifest describes.

    Args:
        manifest: YAML, or the mapping that it stands for.

    Raises:
        UsageError: it is not a Service's, asks for what is not supported, or contradicts itself; names the field by its path, and by its
            line in YAML.
    """
    parts, _ = objects(manifest, ("Service",))
    whole, _ = one_of_a_kind(parts, "Service")
    for key in ("kind", "apiVersion"):
        whole.take(key, str)
    about, fields = metadata(whole.inside("metadata", "ObjectMeta")), whole.inside("spec", "ServiceSpec")
    if not NAME.fullmatch(about.name) or len(about.name) > 63 or about.name[0].isdigit():
        why = "It becomes a host name, and is one word that begins with a letter."
        raise UsageError(f"{whole.at('metadata', 'name')}: {about.name!r} can't be a Service's name.", why, "write for example web")
    selector = label_pairs(fields, "selector")
    if not selector:
        why = "Without it a Service has no pods. (In a cluster, somebody else writes its endpoints then.)"
        raise UsageError(f"{fields.at('selector')} is missing.", why, "selector: {app: web}")
    outside = fields.one_of("type", KINDS) == "NodePort"
    ports = tuple(_ports(fields, outside=outside))
    found = ServiceSpec(
        name=about.name, selector=selector, ports=ports, address=_address(fields), sticky_s=_sticky_s(fields),
        unready_too=fields.take("publishNotReadyAddresses", bool, False), outside=outside,
    )  # fmt: skip
    fields.done()
    whole.done()
    refuse_unread(parts)
    return found


def _ports(fields: Fields, *, outside: bool) -> Iterator[ServicePort]:
    found = [_port(it, outside=outside) for it in fields.each("ports", "ServicePort")]
    if not found:
        raise UsageError(f"{fields.at('ports')} is missing.", "A Service has at least one port.", "ports: [{port: 80, targetPort: 8080}]")
    if len(found) > 1 and not all(port.name for port in found):
        why = "Where there are several, each is told by its name."
        raise UsageError(f"{fields.at('ports')}: a port has no name.", why, "name: http")
    told: dict[str, list[object]] = {
        "ports are": [port.key for port in found],
        "ports are called": [port.name for port in found],
        "ports want nodePort": [port.node or f"none {number}" for number, port in enumerate(found)],
    }
    for what, keys in told.items():
        no_duplicates(what, ((key, fields.at("ports", number)) for number, key in enumerate(keys)), "change one of them")
    yield from found


def _port(fields: Fields, *, outside: bool) -> ServicePort:
    number, protocol = fields.within("port", 1, 65535), fields.one_of("protocol", PROTOCOLS)
    target: int | str = number
    if isinstance(fields.peek("targetPort"), str):
        target = fields.name("targetPort", rule=PORT_NAME, most=15)
    elif fields.has("targetPort"):
        target = fields.within("targetPort", 1, 65535)
    if not outside and fields.has("nodePort"):
        why = "Only a Service of the type NodePort is reached at its nodes."
        raise UsageError(f"{fields.at('nodePort')} has no place here.", why, "type: NodePort")
    found = ServicePort(number, target, protocol, fields.name("name", ""), fields.within("nodePort", *NODE_PORTS, None))
    fields.done()
    return found


def _address(fields: Fields) -> str:
    address = str(fields.take("clusterIP", str, ""))
    if address not in ("", HEADLESS):
        try:
            IPv4Address(address)
        except ValueError:
            why = "It is an address of IPv4, or the word None."
            raise UsageError(f"{fields.at('clusterIP')}: {address} is no address.", why, "take it out, and one is chosen") from None
    return address


def _sticky_s(fields: Fields) -> int:
    sticky = fields.one_of("sessionAffinity", ("None", "ClientIP")) == "ClientIP"
    config = fields.inside("sessionAffinityConfig", "SessionAffinityConfig")
    client = config.inside("clientIP", "ClientIPConfig")
    seconds = int(client.within("timeoutSeconds", 1, 86400, AFFINITY_S))
    client.done()
    config.done()
    return seconds if sticky else 0
