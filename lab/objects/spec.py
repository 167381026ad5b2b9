"""What a Pod manifest asks for, in dataclasses.

``read`` takes manifests that a cluster takes, but fewer of their fields: those that this course's pods really heed.  Any other field is
refused, and named by its path and its line.  The names of the fields, their defaults and their limits are those of Kubernetes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lab.box.errors import UsageError
from lab.objects.container import ContainerSpec, container
from lab.objects.fields import Fields, no_duplicates
from lab.objects.manifest import parse
from lab.objects.position import Position
from lab.objects.quantity import NOTHING, Resources

RESTARTS = ("Always", "OnFailure", "Never")
PAUSE = "pause"
"""The name of the container that is in every pod, and in no manifest."""
LABEL_IS = "At most 63 letters, digits, hyphens, dots and underscores, with a letter or digit at both ends"
LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LONG_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_NAME = re.compile(f"({LONG_NAME.pattern}/)?{LABEL.pattern}")


@dataclass(frozen=True, kw_only=True)
class PodSpec:
    """A pod.

    Args:
        name: of the pod.
        containers: that run side by side.
        init: that run before them, one after the other, each to its end.
        labels: of the pod.
        volumes: names of directories, empty at first, that live as long as the pod.
        restart: ``Always``, ``OnFailure`` or ``Never``.
        share_pid: whether all containers are in one tree of processes.
        hostname: the host name that all containers see.
        grace_s: seconds that a container has to end by itself before it is killed.
        source: the manifest that this was read from, as JSON.
    """

    name: str
    containers: tuple[ContainerSpec, ...]
    init: tuple[ContainerSpec, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    restart: str = "Always"
    share_pid: bool = False
    hostname: str = ""
    grace_s: int = 30
    source: str = field(repr=False, compare=False)

    @cached_property
    def requests(self) -> Resources:
        """The most that the pod needs at any time: all its containers together, or an init container alone, whichever is more."""
        at_once = sum((it.requests for it in self.containers), NOTHING)
        alone = [it.requests for it in self.init]
        return Resources(max([at_once.cpu, *(it.cpu for it in alone)]), max([at_once.memory, *(it.memory for it in alone)]))

    @property
    def host_ports(self) -> dict[tuple[int, str], int]:
        """For each published port of the machine, with its protocol, the port inside the pod that it leads to."""
        everyone = (port for it in (*self.init, *self.containers) for port in it.ports)
        return {(port.host, port.protocol): port.inside for port in everyone if port.host}

    def named(self, name: str) -> PodSpec:
        """The same pod under another name.

        Raises:
            UsageError: that can't be a name.
        """
        manifest = json.loads(self.source)
        return read({**manifest, "metadata": {**manifest["metadata"], "name": name}})


def read(manifest: str | Mapping[str, Any]) -> PodSpec:
    """The pod that a manifest describes.

    Args:
        manifest: YAML, or the mapping that it stands for.

    Raises:
        UsageError: it is not a Pod's, or asks for what is not supported; names the field by its path, and by its line in YAML.
    """
    if not isinstance(manifest, str | Mapping):
        what = f"This is not a manifest: {type(manifest).__name__}."
        raise UsageError(what, "It is text, or a mapping.", "of a file: Path('pod.yaml').read_text(); of bytes: .decode()")
    read_from = parse(manifest) if isinstance(manifest, str) else None
    whole = read_from.content if read_from else dict(manifest)  # type: ignore[arg-type]
    fields = Fields(whole, Position(document=read_from.document if read_from else None))
    kind, version = fields.take("kind", str), fields.take("apiVersion", str)
    if (kind, version) != ("Pod", "v1"):
        what = f"This is a {kind} of {version}, and not a Pod"
        raise UsageError(f"{what}: {fields.at('kind')}.", "Only one kind is read here.", "write apiVersion: v1, kind: Pod")
    metadata = fields.inside("metadata")
    name, labels = metadata.name("name", rule=LONG_NAME, most=253), _labels(metadata)
    metadata.done()
    spec = fields.inside("spec")
    fields.done()
    return _pod(name, labels, spec, whole)


def _labels(metadata: Fields) -> dict[str, str]:
    labels = metadata.pairs("labels")
    for key, value in labels.items():
        if not LABEL_NAME.fullmatch(key):
            why = f"{LABEL_IS}. Before it may stand a domain and a slash."
            raise UsageError(f"{metadata.at('labels', key)}: {key!r} can't be a label's name.", why, "write for example tier")
        if value and not LABEL.fullmatch(value):
            why = f"{LABEL_IS}."
            raise UsageError(f"{metadata.at('labels', key)}: {value!r} can't be a label's value.", why, "put other text in an annotation")
    return labels


def _pod(name: str, labels: Mapping[str, str], fields: Fields, whole: Mapping[str, Any]) -> PodSpec:
    parts = {key: list(fields.each(key)) for key in ("volumes", "initContainers", "containers")}
    volumes = tuple(map(_volume, parts["volumes"]))
    init = tuple(container(it, volumes) for it in parts["initContainers"])
    containers = tuple(container(it, volumes) for it in parts["containers"])
    if not containers:
        raise UsageError(f"{fields.at('containers')} is missing.", "A pod has at least one container.", "add one, with name and image")
    everyone = list(zip((*init, *containers), (*parts["initContainers"], *parts["containers"]), strict=True))
    names = [(PAUSE, fields.position), *((it.name, its.at("name")) for it, its in everyone)]
    no_duplicates("containers are called", names, f"give each a name of its own; {PAUSE} is the one that every pod begins with")
    volume_names = [(name, its.at("name")) for name, its in zip(volumes, parts["volumes"], strict=True)]
    no_duplicates("volumes are called", volume_names, "give each a name of its own")
    published = [
        (f"{port.host}/{port.protocol}", its.at("ports", number, "hostPort"))
        for it, its in everyone for number, port in enumerate(it.ports) if port.host
    ]  # fmt: skip
    no_duplicates("containers want hostPort", published, "choose another for one")
    options: dict[str, Any] = {
        "restart": fields.one_of("restartPolicy", RESTARTS),
        "share_pid": fields.take("shareProcessNamespace", bool, False),
        "hostname": fields.name("hostname", name[:63].rstrip("-.")),
        "grace_s": fields.within("terminationGracePeriodSeconds", 0, 3600, 30),
    }
    fields.done()
    source = json.dumps(whole)  # not before all of it was looked at: what YAML reads need not be JSON
    return PodSpec(name=name, containers=containers, init=init, labels=labels, volumes=volumes, source=source, **options)


def _volume(fields: Fields) -> str:
    name, kind = fields.name("name"), fields.take("emptyDir", dict, None)
    fields.done()
    if kind is None:
        why = "A volume says what kind it is, and this is the kind that is read here: a directory that is empty at first."
        raise UsageError(f"{fields.at('emptyDir')} is missing.", why, "write emptyDir: {}")
    Fields(kind, fields.at("emptyDir")).done()
    return name
