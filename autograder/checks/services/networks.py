"""What stands between a client and a replica: sockets and addresses in all networks of a machine, those of its containers included.

Where the kernel rewrites addresses, a connection has two ends, and the client's leads to the address that was asked.  With a proxy there
are two more: somebody has a connection that leads to the replica itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from autograder.inspect import look_until
from lab.box.machine import Machine

SLOW_S, ARRIVES_S, LASTS_S = 12, 8, 1.2
"""Seconds that the request takes that is looked at; until it has arrived; between two looks, because who asks for a moment is no proxy."""
EACH = r"""
each=$(find /proc/[0-9]*/ns/net -maxdepth 0 -printf '%l %h\n' 2>/dev/null | sort -u -k1,1 | sed 's|.*/proc/\([0-9]*\)/ns|\1|')
"""
"""Sets ``$each`` to a process in each of the networks."""
CONNECTIONS = f"{EACH}\nfor pid in $each; do nsenter --target $pid --net ss -Htnp state established; done"
OWNERS = rf"""{EACH}
for pid in $each; do
  found=$(nsenter --target $pid --net ip -o addr show to $address/32)
  [ "$found" ] && echo "$(echo "$found" | awk '{{print $2; exit}}') of $(nsenter --target $pid --uts hostname)"
done
"""
ASK_SLOWLY = (
    "setsid nsenter --target {pid} --net curl -s --noproxy '*' --max-time {seconds} 'http://{address}:{port}/slow?s={seconds}' "
    "> /dev/null 2>&1 < /dev/null & echo $!"
)


@dataclass(frozen=True)
class Connection:
    """A connection as one of its ends has it, both as ``address:port``; and the program there, empty where none is known."""

    here: str
    there: str
    program: str = ""


def parse_connections(printed: str) -> set[Connection]:
    """The connections in what ``ss -Htnp state established`` has printed."""
    lines = re.findall(r"^\d+ +\d+ +(\S+) +(\S+)(.*)$", printed, re.MULTILINE)
    return {Connection(_plain(here), _plain(there), _program(rest)) for here, there, rest in lines}


def between(machine: Machine, address: str, port: int, pid: int, ends: Collection[str]) -> str:
    """The name of a program that stands between a client and the replicas; empty where nobody does.

    Args:
        machine: that all of them are on.
        address: that the client asks.
        port: likewise.
        pid: a process in the client's network.
        ends: where connections to the replicas end.
    """
    order = ASK_SLOWLY.format(pid=pid, address=address, port=port, seconds=SLOW_S)
    asker = machine.sh(order, check=True).stdout.strip()

    def arrived() -> bool:
        return any(it.here in ends for it in _look(machine))

    try:
        look_until("a request at a replica", bool, arrived, timeout_s=ARRIVES_S, every_s=0.3)
        first = _look(machine)
        machine.sh(f"sleep {LASTS_S}")
        lasting = [it for it in first & _look(machine) if it.there in ends]
        return next((it.program or "a program" for it in lasting), "")
    finally:
        machine.sh(f"kill {asker}")


def owner(machine: Machine, address: str) -> str:
    """The interface that has an address, and the host name of whoever has the interface; empty where no interface has it."""
    return machine.sh(f"address={address}\n{OWNERS}").stdout.strip().partition("\n")[0]


def _look(machine: Machine) -> set[Connection]:
    return parse_connections(machine.sh(CONNECTIONS).stdout)


def _plain(end: str) -> str:
    """An end without the name of its interface, and as IPv4 where it is an IPv4 address in a socket of IPv6."""
    return re.sub(r"^\[::ffff:([\d.]+)\]", r"\1", re.sub(r"%\w+", "", end))


def _program(rest: str) -> str:
    return next(iter(re.findall(r'\("([^"]+)"', rest)), "")
