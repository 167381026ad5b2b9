"""One network for all pods of several machines: each pod has an address of its own, and reaches every other one by it.

Docker's own network is the same on every machine, so its addresses mean nothing elsewhere.  Here each machine gets a part of one larger
range, and every machine has a route to the part of each other one.  No address is replaced on the way.  That is what Kubernetes asks of a
network; a plugin (CNI) does it in a cluster, often with just such routes.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.box.parallel import in_parallel
from lab.objects.node import Node

if TYPE_CHECKING:
    from lab.box.machine import Machine

NAME = "pods"
"""Of the network, and of its bridge on each machine."""
RANGE = "10.244"
"""The first half of all pods' addresses."""
MAKE = f"""
docker network inspect {NAME} > /dev/null 2>&1 || docker network create {NAME} --subnet {{subnet}} \\
    -o com.docker.network.bridge.name={NAME} -o com.docker.network.bridge.enable_ip_masquerade=false || exit
for way in -o -i; do
    iptables -C DOCKER-USER $way {NAME} -j ACCEPT 2> /dev/null || iptables -I DOCKER-USER $way {NAME} -j ACCEPT || exit
done
"""
"""Docker keeps its networks apart; DOCKER-USER is asked before that."""
REMOVE = f"""
for way in -o -i; do iptables -D DOCKER-USER $way {NAME} -j ACCEPT 2> /dev/null; done
ip route | sed -n 's|^\\({RANGE}\\.[0-9.]*/24\\) via .*|\\1|p' | xargs -r -n 1 ip route delete
if docker network inspect {NAME} > /dev/null 2>&1; then docker network rm {NAME}; fi
"""


def make(*nodes: Node) -> tuple[Node, ...]:
    """Make a network of pods on the machines of some nodes, or complete it where it is there.

    Returns:
        The nodes, whose pods will be on it.

    Raises:
        CourseError: a machine refuses, or does not answer.
    """
    machines = list({id(node.machine): node.machine for node in nodes}.values())
    addresses = in_parallel(_address, machines)
    subnets = {address: f"{RANGE}.{address.rpartition('.')[2]}.0/24" for address in addresses}

    def on(pair: tuple[Machine, str]) -> None:
        machine, own = pair
        routes = [f"ip route replace {subnet} via {address}" for address, subnet in subnets.items() if address != own]
        machine.sh("\n".join(["set -e", MAKE.format(subnet=shlex.quote(subnets[own])), *routes]), check=True)

    in_parallel(on, list(zip(machines, addresses, strict=True)))
    return tuple(replace(node, network=NAME) for node in nodes)


def remove(*nodes: Node) -> None:
    """Take the network away from the machines of some nodes, once no pod is on it any more.

    Raises:
        CourseError: a pod is on it, or a machine does not answer.
    """
    in_parallel(lambda machine: machine.sh(REMOVE, check=True), {id(node.machine): node.machine for node in nodes}.values())


def _address(machine: Machine) -> str:
    """Its address on the segment of machines."""
    return machine.sh("hostname -i", check=True).stdout.split()[-1]
