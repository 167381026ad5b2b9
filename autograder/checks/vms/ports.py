"""What the ports of a machine say: who listens there, and what comes back to a request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autograder.inspect import kill, listeners, look_until
from autograder.inspect.processes import LISTENERS, parse_listeners
from lab.observe.web import APP as SOURCE

if TYPE_CHECKING:
    from autograder.framework.task import Task
    from lab.box.machine import Machine

APP = "/srv/app/server.py"
"""Where a machine has the app's source."""
STARTS_S = 6
CONTAINED = "A container has port {port}. There are none yet: the program itself runs on the machine."
ASK = r"""
ask() { curl -s --http0.9 --noproxy '*' --max-time 4 -H 'Connection: close' -w '\nstatus: %{http_code}\n' "http://127.0.0.1:$1/"; }
"""
"""A function for a shell script: ``ask PORT`` prints what comes back from a port, and its status in the last line."""
LOOK = r"""
found=$(listeners 1)
echo "$found"
for port in $ports; do
  echo "up $port $(cut -d' ' -f1 /proc/uptime)"
  echo "$found" | grep -q "^LISTEN .*:$port " || continue
  for look in 1 2 3; do
    said=$(ask $port)
    echo "$said" | grep -qv '^$\|^status: 000$' && break
  done
  echo "$said" | sed "s/^/said $port /"
done
echo "init $(grep -v '^#' /etc/inittab | grep -c "server.py")"
"""
"""A port is asked up to three times: a program that answers before it has read the request may lose its answer on the way."""


@dataclass(frozen=True)
class Port:
    """A port of a machine, at one moment.

    Args:
        processes: the ids of those that listen on it, as the machine counts; empty where nobody does.
        programs: their names.
        said: what came back to a request, in lines; the last one is the status.
        up_s: the seconds that the machine had been up just before.
        contained: a container listens there, or Docker for one.
    """

    processes: frozenset[int]
    programs: tuple[str, ...]
    said: tuple[str, ...]
    up_s: float
    contained: bool = False

    def page(self, name: str) -> str:
        """What the app's page says under a name, such as ``greeting``; empty where it says nothing."""
        return next((line.removeprefix(f"{name}: ") for line in self.said if line.startswith(f"{name}: ")), "")

    @property
    def words(self) -> str:
        """What it says, in a few words for a verdict."""
        if not self.processes:
            return "nobody listens"
        status = self.page("status")
        greeting = self.page("greeting")
        return f"says {greeting[:50]}" if greeting else f"answers with {status}" if status not in ("", "000") else "does not answer"


@dataclass(frozen=True)
class Ports:
    """Some ports of a machine, at one moment.

    Args:
        by_number: what each of them says.
        named: init's table names the app, so that init is to start it.
    """

    by_number: Mapping[int, Port]
    named: bool

    def __getitem__(self, port: int) -> Port:
        return self.by_number[port]


def look_at(machine: Machine, *ports: int) -> Ports:
    """Who listens on some ports now, and what they say.

    Raises:
        CourseError: the machine can't be looked at.
    """
    printed = machine.sh(f"ports='{' '.join(map(str, ports))}'\n{LISTENERS}{ASK}{LOOK}", check=True).stdout
    lines, found = printed.splitlines(), parse_listeners(printed)
    own = re.findall(r"^/proc/1/ns mnt:\[(\d+)\]$", printed, re.MULTILINE)

    def of(kind: str, port: int) -> list[str]:
        start = f"{kind} {port} "
        return [line.removeprefix(start) for line in lines if line.startswith(start)]

    def at(port: int) -> Port:
        there = sorted((it for it in found if it.port == port), key=lambda it: it.pid)
        processes, programs = frozenset(it.pid for it in there), tuple(it.program for it in there)
        contained = any(re.match("docker-proxy|rootlesskit", it.program) or (it.mnt and [it.mnt] != own) for it in there)
        return Port(processes, programs, tuple(of("said", port)), float(of("up", port)[0]), contained)

    return Ports({port: at(port) for port in ports}, named="init 0" not in lines)


def look_when_started(machine: Machine, *ports: int, good: Callable[[Ports], bool]) -> Ports:
    """As ``look_at``; but where something has been started, it gets some seconds to become good."""
    seen = look_at(machine, *ports)
    begun = seen.named or any(port.processes for port in seen.by_number.values())
    if good(seen) or not begun:
        return seen
    return look_until("the machine's ports", good, lambda: look_at(machine, *ports), timeout_s=STARTS_S, every_s=0.5)


def end(machine: Machine, *ports: int) -> None:
    """Kill everybody who listens on some ports, and wait until they are dead."""
    kill(machine, *(it.pid for it in listeners(machine) if it.port in ports))


def bring_the_app(*machines: Machine) -> None:
    """Put the app's source on machines, as a package would."""
    for machine in machines:
        machine.put(SOURCE, APP)


def prepare(machine: Machine, task: Task) -> None:  # noqa: ARG001
    """Put the app's source on each machine of a task; nothing else is there."""
    bring_the_app(*task.machines.values())


def why_nobody(port: int, *, named: bool, container: bool = False) -> str:
    """The hint where nobody listens on a port, or Docker does.

    Args:
        port: that was looked at.
        named: init's table names the app.
        container: a container has the port.
    """
    if container:
        return CONTAINED.format(port=port)
    if named:
        return f"Nobody listens on port {port}. init's table names the app, but init reads it only when told to: kill -HUP 1."
    return f"Nobody listens on port {port} of the machine. If somebody did: a check kills them, and nobody brought them back."
