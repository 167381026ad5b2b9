"""Clients for an entry: in a network of their own outside of all of Docker's, or in the network of the replicas.

Which of the two reaches an entry depends on how it was made: what Docker publishes is for those outside, and rules by hand may lead only
those to a replica who are in its network.  Each client has an address of its own, and all of them are in one container, which does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_interface

from autograder.framework.task import Task
from autograder.inspect import container
from lab.box.machine import Machine

OUTSIDE = "198.51.100"
"""Addresses that the standards keep for documentation: nobody has them."""
FIRST = 11
NOBODY_ELSE = ("", "host")
"""Networks that a client with an address of its own can't be in."""
START = "docker rm -f $name > /dev/null 2>&1; docker run -d --name $name --network $network pause"
VETH = f"""
ip link add name $link type veth peer name eth9 netns $pid && ip addr add {OUTSIDE}.1/24 dev $link && ip link set $link up || exit
inside() {{ nsenter --target $pid --net ip "$@"; }}
for last in $(seq {FIRST} $(({FIRST} + count - 1))); do inside addr add {OUTSIDE}.$last/24 dev eth9; done
inside link set eth9 up
inside route add default via {OUTSIDE}.1
"""
"""A cable from the machine into the network of a process.  It goes with that network."""
ADDRESSES = """
for address in $addresses; do nsenter --target $pid --net ip addr add $address dev eth0; done
"""


@contextmanager
def client(machine: Machine, task: Task, network: str) -> Iterator[int]:
    """A container in one of Docker's networks for as long as the ``with`` block lasts; gives its process, as the machine counts.

    Raises:
        CourseError: it can't be started.
    """
    name = f"{task.key}-client"
    machine.sh(f"name={name} network={network if network not in NOBODY_ELSE else 'bridge'}\n{START}", check=True)
    try:
        found = container(machine, name)
        yield found["State"]["Pid"] if found else 0
    finally:
        machine.sh(f"docker rm -f {name}")


@contextmanager
def outside(machine: Machine, task: Task, count: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """So many clients that come to the machine from outside; gives a process in their network, and their addresses."""
    with client(machine, task, "none") as pid:
        machine.sh(f"link=to-{task.key[-4:]} pid={pid} count={count}\n{VETH}", check=True)
        yield pid, tuple(f"{OUTSIDE}.{last}" for last in range(FIRST, FIRST + count))


@contextmanager
def beside(machine: Machine, task: Task, network: str, count: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """So many clients in one of Docker's networks, likewise; they have the last addresses of its subnet."""
    with client(machine, task, network) as pid:
        found = container(machine, f"{task.key}-client") or {}
        ours = next(iter(found["NetworkSettings"]["Networks"].values()))
        interface = ip_interface(f"{ours['IPAddress']}/{ours['IPPrefixLen']}")
        last = int(interface.network.broadcast_address)
        addresses = [str(ip_address(last - number)) for number in range(1, count + 1)]
        own = " ".join(f"{address}/{ours['IPPrefixLen']}" for address in addresses)
        machine.sh(f"pid={pid} addresses='{own}'\n{ADDRESSES}", check=True)
        yield pid, tuple(addresses)
