"""Virtual addresses by IPVS, the kernel's own load balancer, where the kernel has it.

The rules of iptables are asked one after the other; IPVS looks an address up in a table, so ten thousand Services cost no more than ten.
It takes only what is addressed to the machine itself.  One route says that of the virtual address, which is still on no interface.
(kube-proxy's mode ``ipvs`` puts the addresses on a card of its own for that, ``kube-ipvs0``.)

The pods see the node's address in the place of the client's: all that passes is masqueraded.  Ports of nodes are not served.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.box.errors import CourseError

if TYPE_CHECKING:
    from lab.box.machine import Machine
    from lab.objects.published import Published

FLAGS = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}
MASQUERADE = "POSTROUTING -m ipvs --ipvs --vdir ORIGINAL -j MASQUERADE"
PREPARE = f"""
sysctl -qw net.ipv4.vs.conntrack=1
iptables -t nat -C {MASQUERADE} 2> /dev/null || iptables -t nat -A {MASQUERADE}
"""
ROUTES = "ip route show table local proto 99 | sed -n 's/^local \\([0-9.]*\\) .*/\\1/p'"


class Ipvs:
    """The virtual addresses on a machine.

    Args:
        machine: whose tables are written.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def follow(self, services: Sequence[Published]) -> None:
        """Lead to these Services, and to no others; see ``Way``."""
        if self._machine.sh("ipvsadm --list --numeric").code:
            why = "It is a part of the kernel that not every one has; a container has its computer's."
            raise CourseError(f"The kernel of {self._machine.name} has no IPVS.", why, 'mode="iptables"')
        virtual = [it for it in services if it.virtual]
        wanted = set[str]()
        for it in virtual:
            sticky = f" -p {it.spec.sticky_s}" if it.spec.sticky_s else ""
            for port, leads in it.ports.items():
                at = f"{FLAGS[port.protocol]} {it.address}:{port.number}"
                wanted |= {f"-A {at} -s rr{sticky}", *(f"-a {at} -r {one} -m -w 1" for one in leads.ready)}
        there = set(self._machine.sh("ipvsadm --save --numeric", check=True).stdout.splitlines())
        gone = sorted((_undone(line) for line in there - wanted), reverse=True)
        lines = [*(f"ipvsadm {line}" for line in (*gone, *sorted(wanted - there)))]
        self._machine.sh("\n".join(["set -e", PREPARE, *lines, *self._routes({it.address for it in virtual})]), check=True)

    def remove(self) -> None:
        """Leave no table, route or rule; see ``Way``."""
        lines = ["ipvsadm --clear 2> /dev/null", f"iptables -t nat -D {MASQUERADE} 2> /dev/null", *self._routes(set()), ":"]
        self._machine.sh("\n".join(lines), check=True)

    def _routes(self, wanted: set[str]) -> list[str]:
        """Commands after which just these addresses are the machine's own."""
        there = set(self._machine.sh(ROUTES, check=True).stdout.split())
        made = [f"ip route add local {address} dev lo proto 99" for address in sorted(wanted - there)]
        return [*made, *(f"ip route delete local {address} dev lo proto 99" for address in sorted(there - wanted))]


def _undone(line: str) -> str:
    """The options that take away what a saved line adds; those of an endpoint sort after its address's, and go first."""
    words = line.split()
    keep = words[1:5] if words[0] == "-a" else words[1:3]
    return " ".join([{"-A": "-D", "-a": "-d"}[words[0]], *keep])
