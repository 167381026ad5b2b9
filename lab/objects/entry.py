"""One way in for all pods of a machine that are ready: a reverse proxy in a container, as lesson 01 had it in front of its fleet.

It is told of no pod.  It asks each address that the engine may give to a pod, several times a second, whether somebody is ready there
(``/ready``), and hands requests to those who are, in turn.  So it knows neither labels nor Deployments: whoever is ready gets requests.  A
request that is refused, because a pod has just ended, goes to the next one.

That is dear, reaches the pods of one machine only, and takes strangers in.  Lesson 06 has what Kubernetes does instead: a Service.
"""

from __future__ import annotations

import shlex
from ipaddress import ip_network
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.box.machine import Machine

MOST = 40
"""Addresses that are asked, beginning with the lowest: the engine gives the lowest one that is free."""
CONFIG = """
global
    nbthread 1
    hard-stop-after 1s
defaults
    mode http
    timeout connect 500ms
    timeout client 30s
    timeout server 30s
    timeout check 2s
    retries 3
    option redispatch 1
listen entry
    bind :{port}
    balance roundrobin
    option httpchk GET /ready
    default-server check inter 500ms fastinter 250ms fall 2 rise 1
"""
ANSWERED = "for look in $(seq 100); do curl -sfo /dev/null --max-time 5 localhost:{port} && break; sleep 0.2; done"
"""A script that waits until somebody answers, or has not answered for long."""


def entry(machine: Machine, name: str, port: int = 8000) -> None:
    """Put a reverse proxy in front of all pods of a machine that are ready, in the place of one of that name; if one is ready, wait for it.

    Args:
        machine: with the pods, which listen on port 8080.
        name: of the proxy's container.
        port: of the machine, where it takes requests.

    Raises:
        CourseError: it does not start; the port is taken, for instance.
    """
    ipam = machine.docker.networks.get("bridge").attrs["IPAM"]["Config"][0]
    hosts = [str(host) for host in islice(ip_network(ipam["Subnet"]).hosts(), MOST) if str(host) != ipam.get("Gateway")]
    servers = "".join(f"    server pod-{number} {host}:8080\n" for number, host in enumerate(hosts, 1))
    file, container = shlex.quote(f"/root/{name}.cfg"), shlex.quote(name)
    machine.sh(f"cat > {file}", check=True, stdin=(CONFIG.format(port=port) + servers).encode())
    run = f"docker run -d --name {container} -p {port}:{port} -v {file}:/etc/haproxy/haproxy.cfg:ro proxy"
    machine.sh(f"docker rm -f {container} 2>/dev/null; {run}", check=True)
    machine.sh(ANSWERED.format(port=port))
