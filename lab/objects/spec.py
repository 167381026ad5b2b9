"""What a Pod manifest asks for, in dataclasses.

``read`` takes the manifests that a cluster takes, and fewer: the fields that this course's pods can keep their word about.  Any other field
is refused by its path.  The names of the fields, their defaults and their limits are those of Kubernetes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.box.errors import UsageError
from lab.objects.container import ContainerSpec, container
from lab.objects.fields import Fields
from lab.objects.manifest import load
from lab.objects.quantity import NOTHING, Resources

RESTARTS = ("Always", "OnFailure", "Never")
PAUSE = "pause"
"""The name of the container that is in every pod, and in no manifest."""
LONG_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True, kw_only=True)
class PodSpec:
    """A pod.

    Args:
        name: of the pod.
        containers: that run side by side.
        init: that run before them, one after the other.
        labels: of the pod.
        volumes: names of directories, empty at first, that live as long as the pod.
        restart: ``Always``, ``OnFailure`` or ``Never``.
        share_pid: one process tree for all of them.
        hostname: what they call the machine that they think they are.
        grace_s: seconds between asking a container to end and making it.
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

    @property
    def requests(self) -> Resources:
        """What the pod needs at any time: its containers together or, as they run alone, the greediest of those before them."""
        together = sum((it.requests for it in self.containers), NOTHING)
        alone = [it.requests for it in self.init]
        return Resources(max([together.cpu, *(it.cpu for it in alone)]), max([together.memory, *(it.memory for it in alone)]))

    @property
    def host_ports(self) -> dict[tuple[int, str], int]:
        """The port inside the pod, by port and protocol of the machine."""
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
        UsageError: it is not a Pod's, or asks for what is not supported; names the field by its path.
    """
    whole = load(manifest) if isinstance(manifest, str) else dict(manifest)
    fields = Fields(whole)
    kind, version = fields.take("kind", str), fields.take("apiVersion", str)
    if (kind, version) != ("Pod", "v1"):
        raise UsageError(f"This is a {kind} of {version}, and not a Pod.", "Only one kind is read here.", "write apiVersion: v1, kind: Pod")
    metadata = fields.inside("metadata")
    name, labels = metadata.name("name", rule=LONG_NAME, most=253), metadata.pairs("labels")
    metadata.done()
    spec = fields.inside("spec")
    fields.done()
    return _pod(name, labels, spec, whole)


def _pod(name: str, labels: Mapping[str, str], fields: Fields, whole: Mapping[str, Any]) -> PodSpec:
    volumes = tuple(_volume(it) for it in fields.each("volumes"))
    init = tuple(container(it, volumes) for it in fields.each("initContainers"))
    containers = tuple(container(it, volumes) for it in fields.each("containers"))
    if not containers:
        raise UsageError(f"{fields.at('containers')} is missing.", "A pod has at least one container.", "add one, with name and image")
    names = [it.name for it in (*init, *containers)]
    fields.no_twins("containers are called", [PAUSE, *names], f"give each a name of its own; {PAUSE} is the one that every pod begins with")
    fields.no_twins("volumes are called", volumes, "give each a name of its own")
    published = [(port.host, port.protocol) for it in (*init, *containers) for port in it.ports if port.host]
    fields.no_twins("containers want hostPort", [f"{port}/{protocol}" for port, protocol in published], "choose another for one")
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
