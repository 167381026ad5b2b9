"""Namespaces, which are the walls around a container: which process is in which, as the kernel numbers them.

The kernel gives each namespace a number, and shows it for each process under ``/proc/PID/ns``.  Two processes with the same number are in
the same namespace: there is no wall of that kind between them, whatever their containers were made with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.box.errors import CourseError
from lab.observe.process import pid
from lab.report import table

if TYPE_CHECKING:
    from lab.box.machine import Machine

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
"""All kinds that the kernel has; the names are those under ``/proc/PID/ns``."""
WALLS = ("net", "ipc", "uts", "pid", "mnt")
"""The kinds that matter for a pod, in the order in which they are drawn."""
LOOK_S = 15.0
"""Seconds that a look may take."""


@dataclass(frozen=True)
class Walls:
    """The walls between a container and the box.

    Args:
        box: by kind, the kernel's number for the namespace of the box's first process.
        container: likewise, of the container's first process.
    """

    box: Mapping[str, str]
    container: Mapping[str, str]

    @property
    def private(self) -> set[str]:
        """The kinds of namespaces that the container has for itself."""
        return {kind for kind in self.box if self.box[kind] != self.container[kind]}

    def __repr__(self) -> str:
        rows = [(kind, self.box[kind], self.container[kind], "wall" if kind in self.private else "shared") for kind in self.box]
        return table(("kind", "the box", "the container", ""), *rows)


@dataclass(frozen=True)
class Between:
    """The walls between some processes.

    Args:
        numbers: by a process's name and by kind, the kernel's number for the namespace that it is in.
    """

    numbers: Mapping[str, Mapping[str, str]]

    @property
    def down(self) -> set[str]:
        """The kinds that all of the processes share: no wall of these kinds stands between any two."""
        return {kind for kind in WALLS if len(self._different(kind)) == 1}

    @property
    def up(self) -> set[str]:
        """The kinds that no two of the processes share: a wall of these kinds stands between any two."""
        return {kind for kind in WALLS if len(self._different(kind)) == len(self.numbers)}

    def _different(self, kind: str) -> set[str]:
        return {own[kind] for own in self.numbers.values()}

    def __repr__(self) -> str:
        words = {kind: "gone" if kind in self.down else "wall" if kind in self.up else "gone between some" for kind in WALLS}
        rows = [(kind, *(own[kind] for own in self.numbers.values()), words[kind]) for kind in WALLS]
        return table(("kind", *self.numbers, ""), *rows)


def walls(box: Machine, container: str) -> Walls:
    """The walls between a container and the box.

    Raises:
        docker.errors.NotFound: there is no such container.
        CourseError: it does not run.
    """
    process = pid(box, container)
    numbers = namespaces(box, process)
    return Walls(numbers[1], _of(container, process, numbers))


def between(box: Machine, processes: Mapping[str, int]) -> Between:
    """The walls between some processes.

    Args:
        box: that they run on.
        processes: their ids on the box, by the names that are to be shown.

    Raises:
        CourseError: one of them has ended.
    """
    numbers = namespaces(box, *processes.values())
    those = {name: _of(name, process, numbers) for name, process in processes.items()}
    return Between({name: {kind: own[kind] for kind in WALLS} for name, own in those.items()})


def _of(name: str, process: int, numbers: Mapping[int, Mapping[str, str]]) -> Mapping[str, str]:
    if process not in numbers:
        raise CourseError(f"{name} does not run.", "The kernel numbers the namespaces of what runs, and only of that.", "start it again")
    return numbers[process]


def namespaces(box: Machine, *processes: int) -> dict[int, dict[str, str]]:
    """The kernel's numbers for the namespaces of some processes, and of the box's first process.

    Args:
        box: that they run on.
        processes: their ids on the box.

    Returns:
        By process id, the number by kind.  Processes that have ended, or are about to and have lost some, are left out, and so are kinds
        that the box's kernel does not have.

    Raises:
        ConnectionError: the box has no shell that answers.
    """
    wanted = " ".join(f"{process}/ns" for process in sorted({1, *processes}))
    seen = box.sh(rf"cd /proc && find {wanted} -type l -printf '%h %f %l\n' 2>/dev/null", timeout=LOOK_S)
    links = re.findall(r"^(\d+)/ns (\w+) \w+:\[(\d+)\]$", seen.stdout, re.MULTILINE)
    found: dict[int, dict[str, str]] = {}
    for process, kind, number in sorted(links, key=lambda link: link[1]):
        if kind in NAMESPACES:
            found.setdefault(int(process), {})[kind] = number
    if 1 not in found:
        raise ConnectionError(f"no shell on the machine: {seen.stderr.strip() or f'exit code {seen.code}'}")
    return {process: own for process, own in found.items() if own.keys() == found[1].keys()}
