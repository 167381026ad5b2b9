"""The copies that belong together: found by a label, whatever tool has made them.

A copy is what shares a network: one container, or those of a pod.  It is one of ours if at least one of its containers has the label.  Who
shares a network with whom is read from the kernel, so it does not matter how the containers were started.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from autograder.inspect import addresses, container, image, look_until, state
from lab.box.machine import Machine
from lab.box.parallel import in_parallel
from lab.objects.spec import PAUSE
from lab.observe.namespace import namespaces

PORT = 8080
"""The port that the course's app listens on where nothing else was set."""
HOLD_S, EVERY_S, REMOVE_S = 1.0, 0.3, 120.0
Identity = frozenset[tuple[str, int]]
Identities = frozenset[Identity]
JOINED = "container:"
"""What a container's network mode begins with if it has joined another container's."""


@dataclass(frozen=True)
class Part:
    """A running container of a copy.

    Args:
        found: what ``docker inspect`` says of it.
        version: of the course's app, such as ``v1``; empty where it is no container of the app.
    """

    found: Mapping[str, Any]
    version: str = ""

    @property
    def name(self) -> str:
        """The engine's name for it."""
        return str(self.found["Name"][1:])

    @property
    def pid(self) -> int:
        """The id of its process 1, as the machine counts."""
        return int(self.found["State"]["Pid"])

    @property
    def is_pause(self) -> bool:
        """Whether it is a container of the image pause, which does nothing."""
        return str(self.found["Config"]["Image"]).partition(":")[0] == PAUSE


@dataclass(frozen=True)
class Copy:
    """Containers that run in one network, which is not the machine's.

    Args:
        parts: the containers.
    """

    parts: tuple[Part, ...]

    @cached_property
    def apps(self) -> list[Part]:
        """Those of the course's app."""
        return [part for part in self.parts if part.version]

    @cached_property
    def sidecars(self) -> list[Part]:
        """Those that are neither the app nor pause."""
        return [part for part in self.parts if not part.version and not part.is_pause]

    @property
    def name(self) -> str:
        """The name of its first container, the app's if it has one."""
        return (self.apps or list(self.parts))[0].name

    @property
    def identity(self) -> Identity:
        """The ids of its apps and of their processes: another one after a restart, and in every other copy."""
        return frozenset((str(part.found["Id"]), part.pid) for part in self.apps)

    @property
    def address(self) -> str:
        """Its address in the networks of the engine; empty where it has none."""
        return next((one for part in self.parts for one in addresses(part.found)), "")


@dataclass(frozen=True)
class Copies:
    """All that has a label, at one moment.

    Args:
        groups: what runs in a network of its own, the eldest first.
        outside: the containers that are in the network of the machine itself.
        ended: what ``docker inspect`` says of the containers that do not run.
    """

    groups: tuple[Copy, ...]
    outside: tuple[Part, ...] = ()
    ended: tuple[Mapping[str, Any], ...] = ()

    @cached_property
    def each(self) -> tuple[Copy, ...]:
        """The copies: the groups in which an app runs."""
        return tuple(group for group in self.groups if group.apps)

    @property
    def identities(self) -> Identities:
        """Who the copies are."""
        return frozenset(copy.identity for copy in self.each)

    def of(self, version: str) -> list[Copy]:
        """The copies in which an app of that version runs."""
        return [copy for copy in self.each if any(part.version == version for part in copy.apps)]


def look(machine: Machine, label: str) -> Copies:
    """All that has a label, as it is now.

    Args:
        machine: to look at.
        label: such as ``app=web``.
    """
    api = machine.docker.api
    name, _, value = label.partition("=")
    ids = _belong(api.containers(all=True), name, value)
    found = [it for it in in_parallel(lambda one: container(machine, one), ids) if it]
    running = [it for it in found if state(it) == "running" and it["State"]["Pid"]]
    numbers = namespaces(machine, *(int(it["State"]["Pid"]) for it in running))
    versions = {one: version_of(machine, one) for one in {str(it["Image"]) for it in running}}
    networks: dict[str, list[Part]] = {}
    for it in sorted(running, key=lambda it: str(it["Created"])):
        if walls := numbers.get(int(it["State"]["Pid"])):
            networks.setdefault(walls["net"], []).append(Part(it, versions[it["Image"]]))
    outside = networks.pop(numbers[1]["net"], [])
    groups = tuple(Copy(tuple(parts)) for parts in networks.values())
    return Copies(groups, tuple(outside), tuple(it for it in found if it not in running))


def settled(machine: Machine, label: str, wanted: Callable[[Copies], bool], *, timeout_s: float) -> Copies:
    """The copies as soon as they are as wanted, and stay the same for a second; or as they are when the time is up.

    Args:
        machine: to look at.
        label: that they have.
        wanted: says whether they are.
        timeout_s: seconds until it is given up.
    """

    def stay(found: Copies) -> bool:
        if not wanted(found):
            return False
        time.sleep(HOLD_S)
        return look(machine, label).identities == found.identities

    return look_until("the copies", stay, lambda: look(machine, label), timeout_s=timeout_s, every_s=EVERY_S)


def remove(machine: Machine, label: str) -> None:
    """Remove all that has a label, and what shares a network with it."""
    found = look(machine, label)
    ids = [str(part.found["Id"]) for copy in found.groups for part in copy.parts]
    if ids := ids + [str(it["Id"]) for it in (*(part.found for part in found.outside), *found.ended)]:
        machine.sh(f"docker rm -fv {' '.join(ids)}", timeout=REMOVE_S)


def _belong(listed: Sequence[Mapping[str, Any]], name: str, value: str) -> list[str]:
    """The ids of the containers that have a label, and of those that have joined them, or that they have joined."""
    owner = {it["Id"]: _owner(it, listed) for it in listed}
    ours = {owner[it["Id"]] for it in listed if (it["Labels"] or {}).get(name) == value}
    return [one for one in owner if owner[one] in ours]


def _owner(it: Mapping[str, Any], listed: Iterable[Mapping[str, Any]]) -> str:
    """The id of the container whose network it is."""
    joined = str(it["HostConfig"]["NetworkMode"])
    if not joined.startswith(JOINED):
        return str(it["Id"])
    whose = joined.removeprefix(JOINED)
    return next((str(one["Id"]) for one in listed if one["Id"] == whose or f"/{whose}" in (one["Names"] or ())), whose)


def version_of(machine: Machine, name: str) -> str:
    """The version of the course's app that an image is, or was made from; empty where it is another one.

    Args:
        machine: that has the image.
        name: of the image, or its id.
    """
    own, app = image(machine, name), image(machine, "app:v1")
    if not own or not app:
        return ""
    layers = app["RootFS"]["Layers"]
    set_to = (one.partition("=")[2] for one in own["Config"]["Env"] or () if one.startswith("VERSION="))
    return next(set_to, "") if own["RootFS"]["Layers"][: len(layers)] == layers else ""
