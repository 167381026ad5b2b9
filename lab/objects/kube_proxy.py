"""What makes virtual addresses work on a node: it keeps the kernel's rules as they are to be.  A cluster's is called kube-proxy.

It is no proxy: no packet ever passes through it.  If it dies, the rules stay, and lead where they led last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.objects.virtual_address import HAIRPIN, Address, removal, rules

if TYPE_CHECKING:
    from lab.box.machine import Machine
    from lab.objects.published import Published


class KubeProxy:
    """The virtual addresses on a machine.

    Args:
        machine: whose rules are written.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def follow(self, services: Sequence[Published]) -> None:
        """Lead to these Services, and to no others; see ``Way``."""
        wanted = [
            Address(it.spec.name, it.address, port, leads.ready, it.spec.sticky_s)
            for it in services
            if it.virtual
            for port, leads in it.ports.items()
        ]
        self._restore(rules(wanted, self._saved()))
        self._machine.sh(HAIRPIN)  # a card may go meanwhile

    def remove(self) -> None:
        """Take all of the rules away; see ``Way``."""
        self._restore(removal(self._saved()))

    def _saved(self) -> str:
        return self._machine.sh("iptables-save", check=True).stdout

    def _restore(self, text: str) -> None:
        """Put rules in force, all at once: no packet finds half of them."""
        self._machine.sh("iptables-restore --noflush --wait 10", check=True, stdin=text.encode())
