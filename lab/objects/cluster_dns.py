"""The names of Services, for all containers of a machine and for the machine itself.

Every container asks the machine's own address for names, and the machine asks itself.  There a name server (dnsmasq) answers with what it
finds in one file: a Service's virtual address, which never changes, or the addresses of its ready pods where it is *headless* and has none.
In a cluster CoreDNS does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.box.machine import Machine
    from lab.objects.published import Published

HOME = "/run/course/cluster-dns"
DOMAIN = "default.svc.cluster.local"
"""The full name of a Service ends in it; a cluster has another one for each namespace."""
FOLLOW = f"""
mkdir -p {HOME} && cat > {HOME}/new && mv {HOME}/new {HOME}/hosts
kill -HUP $(cat {HOME}/pid 2>/dev/null) 2>/dev/null && exit
address=$(ip -4 -o address show docker0 | awk '{{split($4, part, "/"); print part[1]}}')
exec dnsmasq --conf-file=/dev/null --user=root --pid-file={HOME}/pid --bind-interfaces --listen-address="127.0.0.1,$address" \\
    --no-resolv --no-hosts --addn-hosts={HOME}/hosts --local-ttl=1 --no-negcache
"""
REMOVE = f"kill $(cat {HOME}/pid 2>/dev/null) 2>/dev/null; rm -rf {HOME}"


class ClusterDns:
    """The names of Services on a machine.

    Args:
        machine: whose containers are answered.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def follow(self, services: Sequence[Published]) -> None:
        """Know the names of these Services, and no others; see ``Way``."""
        lines = [
            f"{address} {it.spec.name} {it.spec.name}.default {it.spec.name}.{DOMAIN}\n"
            for it in services
            for address in ([it.address] if it.virtual else [one.address for one in it.ready])
        ]
        self._machine.sh(FOLLOW, check=True, stdin="".join(lines).encode())

    def remove(self) -> None:
        """End the name server; see ``Way``."""
        self._machine.sh(REMOVE)
