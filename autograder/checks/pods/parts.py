"""What the checks of pods have in common: the containers that a task has named, and the walls between them.

A pod may be made by hand, by ``lab.objects.pod`` or by compose, and those two put a number behind the names.  So a container is the one
that is meant where it has the name, or the name and a number.  Which walls stand is told by the numbers that the kernel has for namespaces,
however they came about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autograder.checks.task import Task
from autograder.checks.tools import container, state
from lab.box.machine import Machine
from lab.observe.namespace import namespaces

PORT = 8080
"""On which the course's app listens where it is told nothing else."""
LISTEN = r"""
seen=$(nsenter --target $pid --net ss -Hltnp)
echo "$seen"
for one in $(echo "$seen" | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u); do echo "$one $(readlink /proc/$one/ns/mnt)"; done
"""


@dataclass(frozen=True)
class Part:
    """A container that a task has named.

    Args:
        role: what it is in the pod, such as ``pause``.
        name: what it is to be called.
        found: what the engine knows of it; nothing where it is not there.
        walls: the kernel's numbers for its namespaces, by their kind; none where it does not run.
    """

    role: str
    name: str
    found: Mapping[str, Any] | None = None
    walls: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """It does, and is not frozen."""
        return bool(self.walls) and state(self.found) == "running"

    @property
    def pid(self) -> int:
        """Its process 1, as the machine counts; 0 where there is none."""
        return int(self.found["State"]["Pid"]) if self.found else 0

    @property
    def says(self) -> str:
        """Its role and its state, in words."""
        code = f" ({self.found['State']['ExitCode']})" if self.found and state(self.found) in ("exited", "dead", "restarting") else ""
        return f"{self.role} {state(self.found)}{code}"

    @property
    def published(self) -> set[int]:
        """The ports of the machine that lead to it."""
        bound = (self.found or {}).get("NetworkSettings", {}).get("Ports") or {}
        return {int(one["HostPort"]) for ends in bound.values() for one in ends or () if one["HostPort"]}


@dataclass(frozen=True)
class Parts:
    """Those of one pod.

    Args:
        each: of them, as the task names them.
        outside: the machine's own numbers, by the kind of namespace.
    """

    each: tuple[Part, ...]
    outside: Mapping[str, str]

    def __getitem__(self, role: str) -> Part:
        return next(part for part in self.each if part.role == role)

    @property
    def run(self) -> bool:
        """All of them do."""
        return all(part.runs for part in self.each)

    def numbers(self, kind: str) -> list[str]:
        """The namespaces of a kind that they are in, of those that run."""
        return [part.walls[kind] for part in self.each if part.walls]

    def joined(self, kind: str) -> bool:
        """There is no wall of that kind between them, and one around them."""
        return self.run and len(set(self.numbers(kind))) == 1 and not self.opened(kind)

    def apart(self, kind: str) -> bool:
        """Each has that wall for itself."""
        return self.run and len(set(self.numbers(kind))) == len(self.each) and not self.opened(kind)

    def opened(self, kind: str) -> bool:
        """One of them at least lacks that wall towards the machine."""
        return self.outside.get(kind) in self.numbers(kind)

    @property
    def says(self) -> str:
        """How each of them is, in words."""
        return ", ".join(part.says for part in self.each)


def names(key: str, *roles: str) -> dict[str, str]:
    """What a pod and its containers are to be called, by role: as ``lab.objects.pod`` and compose call them, but for the number."""
    return {"pod": key, **{role: f"{key}-{role}" for role in roles}}


def look(machine: Machine, task: Task, *roles: str) -> Parts:
    """The containers of a pod, as they are now.

    Args:
        machine: that they are on.
        task: has their names, by role.
        roles: of which.
    """
    listed = machine.docker.api.containers(all=True, filters={"name": task.key})
    named = {role: str(task.values[role]) for role in roles}
    ids = {role: _meant(listed, name) for role, name in named.items()}
    found = {role: container(machine, one) if one else None for role, one in ids.items()}
    numbers = namespaces(machine, *(int(it["State"]["Pid"]) for it in found.values() if it and it["State"]["Pid"]))
    parts = (Part(role, named[role], it, numbers.get(int(it["State"]["Pid"]), {}) if it else {}) for role, it in found.items())
    return Parts(tuple(parts), numbers[1])


def _meant(listed: Iterable[Mapping[str, Any]], name: str) -> str:
    """The id of the container that is meant by a name: of several, one that runs, and the newest of those; empty where there is none."""
    number = re.compile(rf"/{re.escape(name)}(-[0-9a-f]+)?")
    meant = [it for it in listed if any(number.fullmatch(one) for one in it["Names"] or ())]
    exact = [it for it in meant if f"/{name}" in it["Names"]]
    found = exact or sorted(meant, key=lambda it: (it["State"] == "running", it["Created"]))
    return str(found[-1]["Id"]) if found else ""


def listeners(machine: Machine, pid: int) -> dict[int, set[str]]:
    """Who listens behind a process's wall of the network: the kernel's numbers of their file systems (mnt), by TCP port."""
    seen = machine.sh(f"pid={pid}\n{LISTEN}").stdout
    files = dict(re.findall(r"^(\d+) mnt:\[(\d+)\]$", seen, re.MULTILINE))
    ports: dict[int, set[str]] = {}
    for port, owners in re.findall(r"^LISTEN\s+\d+\s+\d+\s+\S+:(\d+)\s+\S+\s+(.*)$", seen, re.MULTILINE):
        ports.setdefault(int(port), set()).update(files[one] for one in re.findall(r"pid=(\d+)", owners) if one in files)
    return ports


def common(one: Part, other: Part) -> list[str]:
    """The directories of the machine that both see, wherever they see them."""
    first, second = ([f"{it['Source']}/" for it in (part.found or {}).get("Mounts", ()) if it.get("Source")] for part in (one, other))
    return sorted({max(a, b, key=len) for a in first for b in second if a.startswith(b) or b.startswith(a)})
