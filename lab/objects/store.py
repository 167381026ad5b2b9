"""Where wishes are kept, so that whoever is to fulfil them finds them again after a failure.

Kubernetes keeps all its objects in a database behind its API server.  Here each is a file on a machine, which is replaced as a whole.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.box.machine import Machine

HOME = "/var/lib/course/objects"
WISHES, NOTES = "deployment", "deployment-note"
"""The kinds of what is kept: Deployments, and what their controller has to say of each."""
SERVICES, ENDPOINTS = "service", "endpoints"
"""Services, and where each leads."""
ENDING = "ending"
"""Pods that are about to be removed, by their keys."""
CORDONED = "cordoned"
"""Nodes that get no new pods."""
ALL = """
[ -e {home} ] || exit 0
cd {home} || exit
shopt -s nullglob
for it in *.json; do
    line=()
    {{ mapfile -t line < "$it" || [ ! -e "$it" ]; }} 2>/dev/null || exit
    printf '%s\\n' "${{line[@]}}"
done
"""
"""A script that prints all objects, one a line.  Where it can't, it fails: to find none would mean that none is wanted."""


class Store:
    """The objects of one kind that a machine keeps.

    Args:
        machine: that keeps them.
        kind: in small letters, such as ``deployment``.
    """

    def __init__(self, machine: Machine, kind: str) -> None:
        self._machine, self.home = machine, f"{HOME}/{kind}"

    def all(self) -> dict[str, dict[str, Any]]:
        """Every object, by its name.

        Raises:
            CourseError: the machine does not answer.
        """
        said = self._machine.sh(ALL.format(home=self.home), check=True).stdout
        return {it["name"]: it for it in map(json.loads, filter(None, said.splitlines()))}

    def get(self, name: str) -> dict[str, Any] | None:
        """The object of that name; nothing where there is none."""
        said = self._machine.sh(f"cat {self._path(name)} 2>/dev/null").stdout
        return dict(json.loads(said)) if said else None

    def put(self, name: str, content: dict[str, Any]) -> None:
        """Keep an object in the place of the one of that name, if there was one."""
        line = json.dumps({**content, "name": name}) + "\n"
        new = f"{self.home}/.{name}.$$"
        self._machine.sh(f"mkdir -p {self.home} && cat > {new} && mv {new} {self._path(name)}", check=True, stdin=line.encode())

    def delete(self, name: str) -> None:
        """Keep an object no longer; it is no error if there is none."""
        self._machine.sh(f"rm -f {self._path(name)}", check=True)

    def _path(self, name: str) -> str:
        return shlex.quote(f"{self.home}/{name}.json")
