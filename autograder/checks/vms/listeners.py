"""Who listens on a machine's ports, and what they say: a program is known by its port, whatever started it and however it is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autograder.checks.tools import comes_true
from lab.observe.web import APP as SOURCE

if TYPE_CHECKING:
    from autograder.checks.task import Task
    from lab.box.machine import Machine

APP = "/srv/app/server.py"
"""Where a machine has the app's source."""
STARTS_S = 6
WHO = r"""
who() { ss -Hltnp "sport = :$1" | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -un; }
ask() { curl -s --http0.9 --noproxy '*' --max-time 4 -H 'Connection: close' -w '\nstatus: %{http_code}\n' "http://127.0.0.1:$1/"; }
dead() { for process in $*; do grep -qs '^State:.[^ZX]' "/proc/$process/status" && return 1; done; return 0; }
"""
"""Shell functions: ``who PORT`` gives the processes that listen there, ``ask PORT`` what they say.

One that nobody has collected is a zombie, and as dead as any.
"""
LOOK = r"""
for port in $ports; do
  processes=$(who $port)
  echo "port $port $(echo $processes)"
  for process in $processes; do echo "name $port $(cat /proc/$process/comm)"; done
  echo "up $port $(cut -d' ' -f1 /proc/uptime)"
  [ "$processes" ] || continue
  for look in 1 2 3; do
    said=$(ask $port)
    echo "$said" | grep -qv '^$\|^status: 000$' && break
  done
  echo "$said" | sed "s/^/said $port /"
done
echo "init $(grep -v '^#' /etc/inittab | grep -c "server.py")"
"""
"""Asked up to three times: a program that answers before it has read the question may lose its answer on the way."""
END = r"""
for port in $ports; do old="$old $(who $port)"; done
kill -9 $old 2>/dev/null
for look in $(seq 50); do dead $old && exit 0; sleep 0.1; done
exit 1
"""


@dataclass(frozen=True)
class Listener:
    """Who listens on a port, and what it says.

    Args:
        processes: their ids, as the machine counts; none where nobody listens.
        names: of their programs.
        said: what came back, in lines; the last one is the status.
        up_s: the seconds that the machine was up just before.
    """

    processes: frozenset[int]
    names: tuple[str, ...]
    said: tuple[str, ...]
    up_s: float

    def page(self, name: str) -> str:
        """What the app's page says under a name, such as ``greeting``; empty where it does not."""
        return next((line.removeprefix(f"{name}: ") for line in self.said if line.startswith(f"{name}: ")), "")

    @property
    def words(self) -> str:
        """What it says, in a few words."""
        if not self.processes:
            return "nobody listens"
        status = self.page("status")
        greeting = self.page("greeting")
        return f"says {greeting[:50]}" if greeting else f"answers with {status}" if status not in ("", "000") else "does not answer"


def listeners(machine: Machine, *ports: int) -> tuple[dict[int, Listener], bool]:
    """Who listens on the ports now; and whether init's table names the app.

    Raises:
        CourseError: the machine can't be looked at.
    """
    seen = machine.sh(f"ports='{' '.join(map(str, ports))}'\n{WHO}{LOOK}", check=True).stdout.splitlines()

    def of(kind: str, port: int) -> list[str]:
        start = f"{kind} {port} "
        return [line.removeprefix(start) for line in seen if line.startswith(start)]

    found = {
        port: Listener(
            frozenset(int(word) for line in of("port", port) for word in line.split()),
            tuple(of("name", port)),
            tuple(of("said", port)),
            float(of("up", port)[0]),
        )
        for port in ports
    }
    return found, "init 0" not in seen


def settled(machine: Machine, *ports: int, good: Callable[[Mapping[int, Listener]], bool]) -> tuple[dict[int, Listener], bool]:
    """As ``listeners``; where something is there, or is to be, it gets a moment to start."""
    seen = listeners(machine, *ports)

    def look() -> bool:
        nonlocal seen
        if good(seen[0]):
            return True
        seen = listeners(machine, *ports)
        return False

    if seen[1] or any(one.processes for one in seen[0].values()):
        comes_true(look, within_s=STARTS_S, every_s=0.5)
    return seen


def end(machine: Machine, *ports: int) -> None:
    """Kill everybody who listens on the ports, and see them dead."""
    machine.sh(f"ports='{' '.join(map(str, ports))}'\n{WHO}{END}")


def bring_the_app(*machines: Machine) -> None:
    """Put the app's source on machines, as a package would."""
    for machine in machines:
        machine.put(SOURCE, APP)


def prepare(machine: Machine, task: Task) -> None:  # noqa: ARG001
    """The app's source is all that is on the machines of a task."""
    bring_the_app(*task.machines.values())


def why_nobody(port: int, *, named: bool, container: bool = False) -> str:
    """A hint where nobody listens on a port."""
    if container:
        return f"A container publishes port {port}. There are none yet: the program itself runs on the machine."
    if named:
        return f"Nobody listens on port {port}. init's table names the app, but init reads it only when told to: kill -HUP 1."
    return f"Nobody listens on port {port} of the machine. If somebody did: a check kills them, and nobody brought them back."


def is_container(listener: Listener) -> bool:
    """It is Docker that listens, for a container."""
    return any(re.match("docker-proxy|rootlesskit", name) for name in listener.names)
