"""What a Pod manifest asks for in one of its containers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from lab.box.errors import UsageError
from lab.objects.fields import Fields, no_duplicates
from lab.objects.position import Position
from lab.objects.quantity import NOTHING, Resources, cpu, memory

PROTOCOLS = ("TCP", "UDP", "SCTP")
PULLS = ("IfNotPresent", "Never")
ENV_NAME = re.compile(r"[ -<>-~]+")
"""Any ASCII that can be printed, but =; as Kubernetes since 1.34."""
PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
VARIABLE = re.compile(r"\$(?:\$|\(([^)]*)\))")
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
    """Where a container sees a volume of its pod."""

    volume: str
    path: str
    read_only: bool = False


@dataclass(frozen=True)
class ContainerSpec:
    """One container of a pod.

    Args:
        name: no other container of the pod has it.
        image: its name; the image must be on the machine already.
        command: replaces the image's entry point, unless it is empty.
        args: replaces the image's command, unless it is empty.
        env: the variables' values, by their names.
        ports: that it listens on.
        mounts: the volumes that it sees, and where.
        requests: how much the scheduler keeps free for it.
        limits: how much it can use at most; 0 stands for no limit.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    requests: Resources = NOTHING
    limits: Resources = NOTHING


def container(fields: Fields, volumes: Iterable[str]) -> ContainerSpec:
    """The container that a part of a manifest describes.

    Args:
        fields: that part.
        volumes: those that its pod has.

    Raises:
        UsageError: it asks for what is not supported, or makes no sense; names the field by its path, and by its line if there is one.
    """
    name, image = fields.name("name"), fields.take("image", str)
    if not image.strip():
        raise UsageError(f"{fields.at('image')} is empty.", "It is an image's name, and a tag after a colon.", "write for example app:v1")
    fields.one_of("imagePullPolicy", PULLS)  # nothing is ever fetched, so that both are kept
    env: dict[str, str] = {}
    for it in fields.each("env"):
        key = it.take("name", str)
        if not ENV_NAME.fullmatch(key):
            why = "It is made of letters, digits and marks of ASCII other than =."
            raise UsageError(f"{it.at('name')}: {key!r} can't be a variable's name.", why, "write name: A and value: b")
        env[key] = _filled_in(it.take("value", str, ""), env)
        it.done()
    found = ContainerSpec(
        name, image,
        command=tuple(_filled_in(word, env) for word in fields.texts("command")),
        args=tuple(_filled_in(word, env) for word in fields.texts("args")),
        env=env,
        ports=tuple(_port(it) for it in fields.each("ports")),
        mounts=tuple(_mount(it, volumes) for it in fields.each("volumeMounts")),
        **_resources(fields.inside("resources")),
    )  # fmt: skip
    port_names = [(it.name, fields.at("ports", number, "name")) for number, it in enumerate(found.ports) if it.name]
    no_duplicates("ports are called", port_names, "give each a name of its own")
    paths = [(it.path, fields.at("volumeMounts", number, "mountPath")) for number, it in enumerate(found.mounts)]
    no_duplicates("volumeMounts are at", paths, "choose another mountPath for one")
    fields.done()
    return found


def _filled_in(text: str, env: Mapping[str, str]) -> str:
    """``$(NAME)`` replaced by that variable, as a cluster does; left alone where there is none.  ``$$`` stands for one ``$``."""
    return VARIABLE.sub(lambda found: "$" if found[1] is None else env.get(found[1], found[0]), text)


def _port(fields: Fields) -> Port:
    inside, host = fields.within("containerPort", 1, 65535), fields.within("hostPort", 0, 65535, None) or None
    name = fields.name("name", "", rule=PORT_NAME, most=15)
    port = Port(inside, host, fields.one_of("protocol", PROTOCOLS), name)
    fields.done()
    return port


def _mount(fields: Fields, volumes: Iterable[str]) -> Mount:
    mount = Mount(fields.take("name", str), fields.take("mountPath", str), fields.take("readOnly", bool, False))
    if mount.volume not in volumes:
        why = f"spec.volumes has {', '.join(volumes) or 'none'}."
        raise UsageError(f"{fields.at('name')}: there is no volume {mount.volume}.", why, f"add it: - name: {mount.volume}, emptyDir: {{}}")
    if not mount.path.startswith("/") or mount.path == "/" or ":" in mount.path:
        why = "It is a directory inside the container, from its root on, and not the root itself."
        raise UsageError(f"{fields.at('mountPath')}: {mount.path} can't be mounted at.", why, "write for example /data")
    fields.done()
    return mount


def _resources(fields: Fields) -> dict[str, Resources]:
    limits, limited = _amounts(fields.inside("limits"))
    requests, asked = _amounts(fields.inside("requests"))
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
