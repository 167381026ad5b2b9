"""What a Pod manifest asks for in one of its containers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from lab.box.errors import UsageError
from lab.objects.config import Configs
from lab.objects.env import filled_in, filled_late, variables
from lab.objects.handler import Handler, Probe, pre_stop, probes
from lab.objects.manifest.fields import Fields, no_duplicates
from lab.objects.manifest.position import Position
from lab.objects.metadata import Metadata
from lab.objects.quantity import NOTHING, Resources, cpu, memory
from lab.objects.security import PodSecurity, Security, security
from lab.objects.volume import Volume

PROTOCOLS = ("TCP", "UDP", "SCTP")
PULLS = ("IfNotPresent", "Never")
PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LEAST_MEMORY = 6 * 2**20
"""Docker starts nothing with less: 6Mi."""


@dataclass(frozen=True)
class Port:
    """A port that a container listens on.

    Args:
        inside: its number in the container.
        host: the port of the machine that leads to it; nothing where none does.
        protocol: TCP, UDP or SCTP.
        name: no other port of the container has it; it may be empty.
    """

    inside: int
    host: int | None = None
    protocol: str = "TCP"
    name: str = ""


@dataclass(frozen=True)
class Mount:
    """Where a container sees a volume of its pod, or a part of that.

    Args:
        volume: its name.
        path: of the container, where it is.
        read_only: whether nothing can be written there.
        part: the path inside the volume that is seen there; all of it if that is empty.
    """

    volume: str
    path: str
    read_only: bool = False
    part: str = ""


@dataclass(frozen=True)
class ContainerSpec:
    """One container of a pod.

    Args:
        name: no other container of the pod has it.
        image: its name; the image must be on the machine already.
        command: replaces the image's entry point, unless it is empty.
        args: replaces the image's command, unless it is empty.
        working_dir: the directory that it starts in; the image's if it is empty.
        env: the variables' values, by their names.
        ports: that it listens on.
        mounts: the volumes that it sees, and where.
        requests: how much the scheduler keeps free for it.
        limits: how much it can use at most; 0 stands for no limit.
        probes: that ask how it is, by ``startup``, ``liveness`` or ``readiness``.
        pre_stop: what is done before it is told to end.
        security: who it runs as, and what it may do.
        sidecar: whether it is an init container that goes on running beside the others.
        stdin: whether something can be typed into it.
        tty: whether it has a terminal.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    requests: Resources = NOTHING
    limits: Resources = NOTHING
    probes: Mapping[str, Probe] = field(default_factory=dict)
    pre_stop: Handler | None = None
    security: Security = field(default_factory=Security)
    sidecar: bool = False
    stdin: bool = False
    tty: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """All in which a variable can stand: command, arguments, and the variables' values."""
        return (*self.command, *self.args, *self.env.values())

    def filled_late(self, address: str, node: str) -> ContainerSpec:
        """The same container with the pod's address, and the name of its node, where they belong."""
        command, args = (tuple(filled_late(word, address, node) for word in words) for words in (self.command, self.args))
        env = {name: filled_late(value, address, node) for name, value in self.env.items()}
        return replace(self, command=command, args=args, env=env)


@dataclass(frozen=True)
class Context:
    """What a container's part of a manifest can refer to.

    Args:
        metadata: of its pod.
        configs: ConfigMaps and Secrets.
        volumes: of its pod.
        security: what its pod says for all containers.
    """

    metadata: Metadata
    configs: Configs
    volumes: tuple[Volume, ...]
    security: PodSecurity


def container(fields: Fields, pod: Context, *, init: bool = False) -> ContainerSpec:
    """The container that a part of a manifest describes.

    Args:
        fields: that part.
        pod: what it can refer to.
        init: whether it is an init container.

    Raises:
        UsageError: it asks for what is not supported, or makes no sense; names the field by its path, and by its line if there is one.
    """
    name, image = fields.name("name"), fields.take("image", str)
    if not image.strip():
        raise UsageError(f"{fields.at('image')} is empty.", "It is an image's name, and a tag after a colon.", "write for example app:v1")
    fields.one_of("imagePullPolicy", PULLS)  # nothing is ever fetched, so that both are kept
    sidecar = init and fields.has("restartPolicy") and bool(fields.one_of("restartPolicy", ("Always",)))
    env = variables(fields, pod.metadata, pod.configs)
    ports = tuple(_port(it) for it in fields.each("ports", "ContainerPort"))
    named = {port.name: port.inside for port in ports if port.name}
    found = ContainerSpec(
        name, image,
        command=tuple(filled_in(word, env) for word in fields.texts("command")),
        args=tuple(filled_in(word, env) for word in fields.texts("args")),
        working_dir=fields.take("workingDir", str, ""),
        env=env,
        ports=ports,
        mounts=tuple(_mount(it, pod.volumes) for it in fields.each("volumeMounts", "VolumeMount")),
        probes=probes(fields, named),
        pre_stop=pre_stop(fields, named),
        security=security(fields.inside("securityContext", "SecurityContext"), pod.security),
        sidecar=sidecar,
        stdin=fields.take("stdin", bool, False),
        tty=fields.take("tty", bool, False),
        **_resources(fields.inside("resources", "ResourceRequirements")),
    )  # fmt: skip
    fields.take("stdinOnce", bool, False)  # ends the input when who types leaves, as Docker does anyway
    if init and not sidecar and (found.probes or found.pre_stop):
        what = f"{fields.position} has probes or a lifecycle, and is an init container."
        raise UsageError(what, "It is waited for until it ends.", "take them out, or make it a sidecar: restartPolicy: Always")
    port_names = [(it.name, fields.at("ports", number, "name")) for number, it in enumerate(found.ports) if it.name]
    no_duplicates("ports are called", port_names, "give each a name of its own")
    paths = [(it.path, fields.at("volumeMounts", number, "mountPath")) for number, it in enumerate(found.mounts)]
    no_duplicates("volumeMounts are at", paths, "choose another mountPath for one")
    fields.done()
    return found


def _port(fields: Fields) -> Port:
    inside, host = fields.within("containerPort", 1, 65535), fields.within("hostPort", 0, 65535, None) or None
    name = fields.name("name", "", rule=PORT_NAME, most=15)
    port = Port(inside, host, fields.one_of("protocol", PROTOCOLS), name)
    fields.done()
    return port


def _mount(fields: Fields, volumes: tuple[Volume, ...]) -> Mount:
    name, path, part = fields.take("name", str), fields.take("mountPath", str), fields.take("subPath", str, "")
    of = next((it for it in volumes if it.name == name), None)
    if not of:
        why = f"spec.volumes has {', '.join(it.name for it in volumes) or 'none'}."
        raise UsageError(f"{fields.at('name')}: there is no volume {name}.", why, f"add it: - name: {name}, emptyDir: {{}}")
    if not path.startswith("/") or path == "/" or ":" in path:
        why = "It is a directory inside the container, from its root on, and not the root itself."
        raise UsageError(f"{fields.at('mountPath')}: {path} can't be mounted at.", why, "write for example /data")
    if part.startswith("/") or ".." in PurePosixPath(part).parts:
        raise UsageError(
            f"{fields.at('subPath')}: {part} leads out of the volume.", "It is a path inside the volume.", "write for example a/b"
        )
    if part and of.in_memory:
        why = "The part would have to be there before the volume is."
        raise UsageError(f"{fields.at('subPath')} of a volume in memory is not supported here.", why, "take it out, or medium: Memory")
    mount = Mount(name, path, fields.take("readOnly", bool, False) or of.files is not None, part)
    fields.done()
    return mount


def _resources(fields: Fields) -> dict[str, Resources]:
    limits, limited = _amounts(fields.inside("limits", "ResourceList"))
    requests, asked = _amounts(fields.inside("requests", "ResourceList"))
    fields.done()
    if limits.memory and limits.memory < LEAST_MEMORY:
        raise UsageError(
            f"{fields.at('limits', 'memory')} is too little.", "Docker starts nothing with less than 6Mi.", "write 6Mi or more"
        )
    for what in limited & asked:
        if getattr(requests, what) > getattr(limits, what):
            why = "What is kept free for a container can't be more than what it may use."
            raise UsageError(f"{fields.at('requests', what)} is more than {fields.at('limits', what)}.", why, "raise the limit")
    # Who names a limit and no request asks for as much as the limit.
    requests = Resources(*(getattr(requests if what in asked else limits, what) for what in ("cpu", "memory")))
    return {"requests": requests, "limits": limits}


def _amounts(fields: Fields) -> tuple[Resources, set[str]]:
    """The amounts, and the names of those that the manifest has."""
    readers: dict[str, Callable[[object, Position], int]] = {"cpu": cpu, "memory": memory}
    written = {what: fields.take(what, object, None) for what in readers}
    fields.done()
    named = {what: readers[what](value, fields.at(what)) for what, value in written.items() if value is not None}
    return Resources(**named), set(named)
