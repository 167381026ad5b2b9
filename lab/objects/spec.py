"""What a Pod manifest asks for, in dataclasses.

``read`` takes manifests that a cluster takes, but fewer of their fields: those that this course's pods really heed.  Any other field is
refused, and named by its path and its line, unless it says what holds anyway.  The names of the fields, their defaults and their limits are
those of Kubernetes.  ``docs/manifests.md`` has a table of what is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import ip_address
from typing import Any

from lab.box.errors import UsageError
from lab.objects.config import Configs, configs
from lab.objects.container import ContainerSpec, Context, container
from lab.objects.manifest.documents import documents
from lab.objects.manifest.fields import LONG_NAME, Fields, no_duplicates
from lab.objects.manifest.position import WHOLE, Position
from lab.objects.metadata import Metadata, label_pairs, metadata
from lab.objects.quantity import NOTHING, Resources
from lab.objects.security import PodSecurity, pod_security
from lab.objects.volume import Volume, volume

RESTARTS = ("Always", "OnFailure", "Never")
PAUSE = "pause"
"""The name of the container that is in every pod, and in no manifest."""
OTHER_PAUSE = "POD"
"""Its name in a pod that has a container called pause itself; no container of a manifest can be called that."""
CONFIGS = ("ConfigMap", "Secret")
VERSIONS = {"Pod": "v1", "ConfigMap": "v1", "Secret": "v1", "Deployment": "apps/v1", "Service": "v1"}


@dataclass(frozen=True, kw_only=True)
class PodSpec:
    """A pod.

    Args:
        name: of the pod.
        containers: that run side by side.
        init: that begin before them, one after the other: each is run to its end, or is a sidecar and goes on.
        namespace: that it is in.
        labels: by which it is selected.
        annotations: whatever else somebody wants to note.
        volumes: directories that live as long as the pod.
        restart: ``Always``, ``OnFailure`` or ``Never``.
        share_pid: whether all containers are in one tree of processes.
        hostname: the host name that all containers see.
        grace_s: seconds that a container has to end by itself before it is killed.
        node_selector: labels that a node must have to take it.
        host_aliases: names, each with the address that it stands for in all containers.
        security: what holds for all its containers.
        source: the manifest that this was read from, as JSON.
    """

    name: str
    containers: tuple[ContainerSpec, ...]
    init: tuple[ContainerSpec, ...] = ()
    namespace: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    restart: str = "Always"
    share_pid: bool = False
    hostname: str = ""
    grace_s: int = 30
    node_selector: Mapping[str, str] = field(default_factory=dict)
    host_aliases: tuple[tuple[str, str], ...] = ()
    security: PodSecurity = field(default_factory=PodSecurity)
    source: str = field(repr=False, compare=False)

    @cached_property
    def requests(self) -> Resources:
        """The most that the pod needs at any time.

        That is all its containers and sidecars together, or an init container with the sidecars before it, whichever is more.
        """
        sidecars, most = NOTHING, NOTHING
        for it in self.init:
            most = most.at_least(sidecars + it.requests)
            sidecars = sidecars + it.requests if it.sidecar else sidecars
        return most.at_least(sum((it.requests for it in self.containers), sidecars))

    @property
    def everyone(self) -> tuple[ContainerSpec, ...]:
        """All containers that the manifest has, those that begin first among them."""
        return (*self.init, *self.containers)

    def place(self, it: ContainerSpec) -> int:
        """A container's number among all, in the order in which they begin; init containers come first."""
        return [one.name for one in self.everyone].index(it.name)

    @property
    def sidecars(self) -> tuple[ContainerSpec, ...]:
        """The init containers that go on running beside the others."""
        return tuple(it for it in self.init if it.sidecar)

    @property
    def pause(self) -> str:
        """The name of the container that owns what the others share."""
        return OTHER_PAUSE if any(it.name == PAUSE for it in self.everyone) else PAUSE

    @property
    def host_ports(self) -> dict[tuple[int, str], int]:
        """For each published port of the machine, with its protocol, the port inside the pod that it leads to."""
        ports = (port for it in self.everyone for port in it.ports)
        return {(port.host, port.protocol): port.inside for port in ports if port.host}

    def named(self, name: str) -> PodSpec:
        """The same pod under another name.

        Raises:
            UsageError: that can't be a name.
        """
        whole = json.loads(self.source)
        manifest = next(it for it in whole["items"] if it["kind"] == "Pod") if whole["kind"] == "List" else whole
        manifest["metadata"]["name"] = name
        return read(whole)


def read(manifest: str | Mapping[str, Any]) -> PodSpec:
    """The pod that a manifest describes.

    Args:
        manifest: YAML, or the mapping that it stands for.  Beside the pod may stand the ConfigMaps and Secrets that it uses: in documents
            of their own, or all together in the ``items`` of a ``List``.

    Raises:
        UsageError: it is not a Pod's, or asks for what is not supported; names the field by its path, and by its line in YAML.
    """
    parts, source = objects(manifest, ("Pod", *CONFIGS))
    pod, others = one_of_a_kind(parts, "Pod")
    found = _pod(pod, configs(others))
    refuse_unread(parts)
    # Not written before all of it was looked at: what YAML reads need not be JSON.
    return replace(found, source=json.dumps(source))


def objects(manifest: str | Mapping[str, Any], kinds: tuple[str, ...]) -> tuple[list[Fields], dict[str, Any]]:
    """The objects that a manifest describes.

    Args:
        manifest: YAML, or the mapping that it stands for.
        kinds: that are read there; the first one is what the manifest is about.

    Returns:
        Each object; and the whole as one mapping, a ``List`` where there are several documents.

    Raises:
        UsageError: it is not YAML, or holds an object of another kind.
    """
    if not isinstance(manifest, str | Mapping):
        what = f"This is not a manifest: {type(manifest).__name__}."
        raise UsageError(what, "It is text, or a mapping.", "of a file: Path('pod.yaml').read_text(); of bytes: .decode()")
    if isinstance(manifest, str):
        wholes = [(it.content, Position(document=it.node)) for it in documents(manifest)]
    else:
        wholes = [(dict(manifest), WHOLE)]
    source = [content for content, _ in wholes]
    whole = source[0] if len(source) == 1 else {"apiVersion": "v1", "kind": "List", "items": source}
    return [part for content, position in wholes for part in _items(content, position, kinds)], whole


def one_of_a_kind(parts: Iterable[Fields], kind: str) -> tuple[Fields, list[Fields]]:
    """The one object of a kind among those of a manifest; and the others.

    Raises:
        UsageError: there is none, or there are several.
    """
    there = list(parts)
    wanted, others = ([it for it in there if (it.peek("kind") == kind) is so] for so in (True, False))
    if len(wanted) > 1:
        line, many = wanted[1].position.line, f"several {kind.lower()}s"
        why = f"The second one begins in line {line}." if line else "Each is a manifest of its own."
        raise UsageError(f"There are {many} in this manifest, and this reads one.", why, "text.split('\\n---\\n'), and read each")
    if not wanted:
        raise UsageError(f"There is no {kind} here.", "A ConfigMap or a Secret alone is not run.", f"add a document with kind: {kind}")
    return wanted[0], others


def refuse_unread(parts: Iterable[Fields]) -> None:
    """Refuse what nobody has asked for in the objects of a manifest: called once, at its end.

    Raises:
        UsageError: there is something.
    """
    for it in parts:
        it.refuse_unread()


def _items(content: object, position: Position, kinds: tuple[str, ...]) -> Iterator[Fields]:
    """The objects that a document describes: one, or those in its list.

    Raises:
        UsageError: one is of a kind that is not read here.
    """
    fields = Fields(content, position)
    kind, version = fields.take("kind", str), fields.take("apiVersion", str)
    if kind == "List":
        for number, item in enumerate(fields.take("items", list, [])):
            yield from _items(item, position.of("items", number), kinds)
    elif kind in kinds and VERSIONS[kind] == version:
        yield Fields(content, position, kind)
    else:
        what, wanted = f"This is a {kind} of {version}, and not a {kinds[0]}", f"write apiVersion: {VERSIONS[kinds[0]]}, kind: {kinds[0]}"
        raise UsageError(f"{what}: {fields.at('kind')}.", f"A {kinds[0]} is read here, with its ConfigMaps and Secrets.", wanted)


def _aliases(fields: Fields) -> Iterator[tuple[str, str]]:
    address = fields.take("ip", str)
    try:
        ip_address(address)
    except ValueError:
        raise UsageError(f"{fields.at('ip')}: {address} is no address.", "It is of IPv4 or IPv6.", "write for example 10.0.0.1") from None
    for name in fields.texts("hostnames"):
        if not LONG_NAME.fullmatch(name):
            raise UsageError(f"{fields.at('hostnames')}: {name!r} can't be a name.", "It is a host's name.", "write for example db.local")
        yield name, address
    fields.done()


def _pod(whole: Fields, known: Configs) -> PodSpec:
    for key in ("kind", "apiVersion"):
        whole.take(key, str)
    found = pod_spec(metadata(whole.inside("metadata", "ObjectMeta")), whole.inside("spec", "PodSpec"), known)
    whole.done()
    return found


def pod_spec(about: Metadata, fields: Fields, known: Configs) -> PodSpec:
    """The pod that a part of a manifest describes.

    Args:
        about: what the pod is called.
        fields: that part.
        known: the ConfigMaps and Secrets that it can use.

    Raises:
        UsageError: it makes no sense.
    """
    security = pod_security(fields.inside("securityContext", "PodSecurityContext"))
    types = {"volumes": "Volume", "initContainers": "Container", "containers": "Container"}
    parts = {key: list(fields.each(key, kind)) for key, kind in types.items()}
    volumes = tuple(volume(it, known) for it in parts["volumes"])
    context = Context(about, known, volumes, security)
    init = tuple(container(it, context, init=True) for it in parts["initContainers"])
    containers = tuple(container(it, context) for it in parts["containers"])
    if not containers:
        raise UsageError(f"{fields.at('containers')} is missing.", "A pod has at least one container.", "add one, with name and image")
    everyone = list(zip((*init, *containers), (*parts["initContainers"], *parts["containers"]), strict=True))
    no_duplicates("containers are called", ((it.name, its.at("name")) for it, its in everyone), "give each a name of its own")
    names = ((it.name, its.at("name")) for it, its in zip(volumes, parts["volumes"], strict=True))
    no_duplicates("volumes are called", names, "give each a name of its own")
    published = [
        (f"{port.host}/{port.protocol}", its.at("ports", number, "hostPort"))
        for it, its in everyone for number, port in enumerate(it.ports) if port.host
    ]  # fmt: skip
    no_duplicates("containers want hostPort", published, "choose another for one")
    found = PodSpec(
        name=about.name, namespace=about.namespace, labels=about.labels, annotations=about.annotations,
        containers=containers, init=init, volumes=volumes, security=security,
        restart=fields.one_of("restartPolicy", RESTARTS),
        share_pid=fields.take("shareProcessNamespace", bool, False),
        hostname=fields.name("hostname", about.name[:63].rstrip("-.")),
        grace_s=fields.within("terminationGracePeriodSeconds", 0, 3600, 30),
        node_selector=label_pairs(fields, "nodeSelector"),
        host_aliases=tuple(pair for it in fields.each("hostAliases", "HostAlias") for pair in _aliases(it)),
        source="",
    )  # fmt: skip
    fields.done()
    return found
