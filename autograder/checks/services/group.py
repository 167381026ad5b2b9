"""The replicas that stand behind an entry, however they were made: containers of the app that say a word which was drawn for the task."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.framework.task import Task
from autograder.inspect import ASK, container
from lab.box.machine import Machine

STARTS_S = 15
LOOK = r"""
for it in $each; do
  pid=${it%:*}
  page "http://127.0.0.1:${it#*:}/" $patience_s | sed -n "s/^container: /host $pid /p"
  nsenter --target $pid --net ip -o -4 addr show scope global | sed "s|.* inet \([0-9.]*\)/.*|address $pid \1|"
done
"""
"""Prints, for each process and port of ``$each``, what its page says who it is, and which addresses it has."""


@dataclass(frozen=True)
class Replica:
    """A container of the app that runs.

    Args:
        container: its name.
        pid: of its first process, as the machine counts.
        host: by what name its page says who it is; empty where it does not answer.
        addresses: its own; those of its pod, where it is in one.
        port: on which it listens.
        network: of Docker's that it is in.
    """

    container: str
    pid: int
    host: str
    addresses: tuple[str, ...]
    port: int
    network: str

    @property
    def ends(self) -> tuple[str, ...]:
        """Where connections to it end, such as ``172.17.0.2:8080``."""
        return tuple(f"{address}:{self.port}" for address in self.addresses)

    def same(self, machine: Machine) -> bool:
        """Whether it runs as it did: the same container, and the same process in it."""
        found = container(machine, self.container)
        return found is not None and found["State"]["Pid"] == self.pid


def replicas(machine: Machine, task: Task) -> list[Replica]:
    """The containers of the app that run and have the task's greeting, sorted by their names; those just started get time to answer."""
    listed = [container(machine, it["Id"]) for it in machine.docker.api.containers()]
    found = {it["State"]["Pid"]: it for it in listed if it and _variables(it).get("GREETING") == task.greeting}
    ports = {pid: int(_variables(it).get("PORT", "8080")) for pid, it in found.items()}
    each = " ".join(f"{pid}:{port}" for pid, port in ports.items())
    printed = machine.sh(f"each='{each}' patience_s={STARTS_S}\n{ASK}{LOOK}", timeout=60 + len(found) * STARTS_S).stdout

    def of(kind: str, pid: int) -> tuple[str, ...]:
        return tuple(re.findall(rf"^{kind} {pid} (\S+)$", printed, re.MULTILINE))

    made = [
        Replica(it["Name"].lstrip("/"), pid, next(iter(of("host", pid)), ""), of("address", pid), ports[pid], _network(machine, it))
        for pid, it in found.items()
    ]
    return sorted(made, key=lambda it: it.container)


def about_group(task: Task, group: Sequence[Replica], wanted: int) -> str:
    """The hint where there are not as many replicas as there should be, or one does not answer; empty where all is well."""
    if len(group) != wanted:
        return f"There are {len(group)} containers of the app that run with GREETING={task.greeting}; there are to be {wanted}."
    silent = [it.container for it in group if not it.host]
    return f"{silent[0]} does not answer on its own port {group[0].port}: docker logs {silent[0]}" if silent else ""


def _variables(found: Mapping[str, Any]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in found["Config"]["Env"] or () if "=" in line)


def _network(machine: Machine, found: Mapping[str, Any]) -> str:
    """The network that a container is in, or that of the container whose network it has joined."""
    mode = str(found["HostConfig"]["NetworkMode"])
    if mode.startswith("container:"):
        owner = container(machine, mode.removeprefix("container:"))
        return _network(machine, owner) if owner else ""
    return next(iter(found["NetworkSettings"]["Networks"]), "")
