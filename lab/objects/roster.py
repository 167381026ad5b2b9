"""A roster: the list of a Service's endpoints, on every node, for clients that choose one by themselves.

Nobody stands between such a client and the pods.  In return each client has to read the list again when it changes, and to try the next one
when somebody does not answer.  Clients of gRPC, or of a cluster's headless Services, work like that.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.box.parallel import in_parallel
from lab.objects.service_spec import Endpoint
from lab.objects.store import ENDPOINTS, Store

if TYPE_CHECKING:
    from lab.box.machine import Machine
    from lab.objects.published import Published


class Roster:
    """The lists on a machine.

    Args:
        machine: that keeps them.
    """

    def __init__(self, machine: Machine) -> None:
        self._store = Store(machine, ENDPOINTS)

    def follow(self, services: Sequence[Published]) -> None:
        """Keep the lists of these Services, and no others; see ``Way``."""
        wanted = {it.spec.name: it.content() for it in services}
        there = self._store.all()
        changed = {name: content for name, content in wanted.items() if there.get(name) != {**content, "name": name}}
        in_parallel(lambda name: self._store.put(name, changed[name]), changed)
        in_parallel(self._store.delete, there.keys() - wanted.keys())

    def remove(self) -> None:
        """Keep no list any more; see ``Way``."""
        self.follow(())


def roster(machine: Machine, service: str) -> list[Endpoint]:
    """Where the first port of a Service leads, by the list on a machine, in random order; empty where there is none."""
    kept = Store(machine, ENDPOINTS).get(service) or {"ports": [{"ready": []}]}
    ready = [Endpoint(**it) for it in kept["ports"][0]["ready"]]
    return random.sample(ready, len(ready))
