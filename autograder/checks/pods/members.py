"""The members of a pod: the containers that a task has named, and which namespaces they share.

A pod may be made by hand, by ``lab.objects.pod`` or by compose.  The latter two put a number behind the names, so a container is found by
its name, or by its name and a number.  Whether containers share a namespace (whether there is a *wall* between them) is read from the
kernel, which numbers namespaces; so it does not matter how the containers were started.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autograder.framework.task import Task
from autograder.inspect import Listener, container, image, state
from lab.box.machine import Machine
from lab.observe.namespace import namespaces

PORT = 8080
"""The port that the course's app listens on where nothing else was set."""


@dataclass(frozen=True)
class Member:
    """A container of a pod.

    Args:
        role: what it is in the pod, such as ``pause``.
        name: the name that the task has given it.
        found: what ``docker inspect`` says of it; None where it does not exist.
        walls: the kernel's numbers of its namespaces, by their kind; empty where it does not run.
    """

    role: str
    name: str
    found: Mapping[str, Any] | None = None
    walls: Mapping[str, str] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """The engine's name for it; the task's where it does not exist."""
        return str(self.found["Name"][1:]) if self.found else self.name

    @property
    def runs(self) -> bool:
        """Whether it runs, and is not paused."""
        return bool(self.walls) and state(self.found) == "running"

    @property
    def pid(self) -> int:
        """The id of its process 1, as the machine counts; 0 where it does not run."""
        return int(self.found["State"]["Pid"]) if self.found else 0

    @property
    def described(self) -> str:
        """Its role and its state, such as ``app exited (1)``."""
        code = f" ({self.found['State']['ExitCode']})" if self.found and state(self.found) in ("exited", "dead", "restarting") else ""
        return f"{self.role} {state(self.found)}{code}"

    @property
    def published(self) -> set[int]:
        """The ports of the machine that it publishes."""
        bound = (self.found or {}).get("NetworkSettings", {}).get("Ports") or {}
        return {int(one["HostPort"]) for ends in bound.values() for one in ends or () if one["HostPort"]}


@dataclass(frozen=True)
class Members:
    """The members of one pod, as they were at one moment.

    Args:
        each: the members, in the order in which they were asked for.
        outside: the kernel's numbers of the machine's own namespaces, by their kind.
    """

    each: tuple[Member, ...]
    outside: Mapping[str, str]

    def __getitem__(self, role: str) -> Member:
        return next(member for member in self.each if member.role == role)

    @property
    def all_run(self) -> bool:
        """Whether each of them runs."""
        return all(member.runs for member in self.each)

    def numbers(self, kind: str) -> list[str]:
        """The numbers of the namespaces of one kind that the running members are in, one for each member."""
        return [member.walls[kind] for member in self.each if member.walls]

    def joined(self, kind: str) -> bool:
        """Whether all are in one namespace of that kind, and it is not the machine's."""
        return self.all_run and len(set(self.numbers(kind))) == 1 and not self.opened(kind)

    def apart(self, kind: str) -> bool:
        """Whether each has a namespace of that kind of its own."""
        return self.all_run and len(set(self.numbers(kind))) == len(self.each) and not self.opened(kind)

    def opened(self, kind: str) -> bool:
        """Whether at least one is in the machine's own namespace of that kind."""
        return self.outside.get(kind) in self.numbers(kind)

    @property
    def described(self) -> str:
        """The role and state of each, in words."""
        return ", ".join(member.described for member in self.each)


def names(key: str, *roles: str) -> dict[str, str]:
    """The names that a task gives a pod and its containers, by role: those that ``lab.objects.pod`` and compose use, without the number.

    Args:
        key: of the task; the name of the pod.
        roles: of the containers.
    """
    return {"pod": key, **{role: f"{key}-{role}" for role in roles}}


def look(machine: Machine, task: Task, *roles: str) -> Members:
    """The members of a pod, as they are now.

    Args:
        machine: that they are on.
        task: the task, whose parameters are their names by role.
        roles: which of them.
    """
    listed = machine.docker.api.containers(all=True, filters={"name": task.key})
    named = {role: str(task.values[role]) for role in roles}
    ids = {role: _meant(listed, name) for role, name in named.items()}
    found = {role: container(machine, one) if one else None for role, one in ids.items()}
    numbers = namespaces(machine, *(int(it["State"]["Pid"]) for it in found.values() if it and it["State"]["Pid"]))
    members = (Member(role, named[role], it, numbers.get(int(it["State"]["Pid"]), {}) if it else {}) for role, it in found.items())
    return Members(tuple(members), numbers[1])


def _meant(listed: Iterable[Mapping[str, Any]], name: str) -> str:
    """The id of the container that a name stands for; empty where there is none.  Of several, the newest that runs is taken."""
    number = re.compile(rf"/{re.escape(name)}(-[0-9a-f]+)?")
    meant = [it for it in listed if any(number.fullmatch(one) for one in it["Names"] or ())]
    exact = [it for it in meant if f"/{name}" in it["Names"]]
    found = exact or sorted(meant, key=lambda it: (it["State"] == "running", it["Created"]))
    return str(found[-1]["Id"]) if found else ""


def is_the_app(machine: Machine, member: Member) -> bool:
    """Whether a container is of the image app:v1, or of one that was made from it and still has its version."""
    own, app = image(machine, str(member.found["Image"])) if member.found else None, image(machine, "app:v1")
    if not own or not app:
        return False
    layers = app["RootFS"]["Layers"]
    return bool(own["RootFS"]["Layers"][: len(layers)] == layers and "VERSION=v1" in own["Config"]["Env"])


def ports_of(member: Member, found: Iterable[Listener]) -> set[int]:
    """The ports that a running container's own programs listen on.

    Args:
        member: the container.
        found: everybody who listens in its network.
    """
    return {it.port for it in found if it.mnt == member.walls["mnt"]}


def shared_directories(one: Member, other: Member) -> list[str]:
    """The directories or files of the machine that both containers have mounted, at whatever path; what is within another counts, too."""
    first, second = ([f"{it['Source']}/" for it in (member.found or {}).get("Mounts", ()) if it.get("Source")] for member in (one, other))
    return sorted({max(a, b, key=len)[:-1] or "/" for a in first for b in second if a.startswith(b) or b.startswith(a)})
