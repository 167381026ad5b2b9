"""A second future: a machine beside the box that is a copy of the box as it is now, memory included, with an identity of its own."""

from __future__ import annotations

from dataclasses import replace

from lab.box.build.recipe import MEMORY_MB
from lab.box.core.instance_dir import InstanceDir
from lab.box.drivers.base import Driver
from lab.box.drivers.registry import BACKENDS
from lab.box.instances import inventory, membership, startup
from lab.box.instances.instance import Instance

MARGIN = 1.15
"""A copy shares no memory with its template; and QEMU takes some beside the machine's."""
OWN_ADDRESS = "ip -4 addr flush dev eth0; ip addr replace {address} dev eth0"
"""The copy has woken up with the address that the box has on the segment, too."""


def branch(directory: InstanceDir, driver: Driver, name: str) -> Instance:
    """Start a copy of the box; the caller excludes all other changes of the box.

    Args:
        directory: the box's.
        driver: runs it.
        name: of the new machine.

    Raises:
        UsageError: no machine can have that name, or one has.
        NotOnThisBackend: the backend can't copy what runs; says what to do instead.
        CourseError: the quota allows no more, or it did not start; nothing is left of it then.
    """
    installation, backend = directory.installation, BACKENDS[directory.backend]
    prefix = backend.open_segment(installation, driver.origin)
    (there,) = inventory.reserve(
        installation, backend.name, driver.origin, prefix, (name,), clear=membership.clear, each_mb=MEMORY_MB * MARGIN
    )
    copy = backend.driver(there, driver.origin)
    try:
        record = startup.start(copy, there, peers=membership.peers(installation, backend.name), original=driver)
        made = Instance(there, copy)
        made.sh(OWN_ADDRESS.format(address=copy.interface()["address"]), check=True)
        there.save(replace(there.load() or record, ready_s=record.ready_s))
    except BaseException:
        membership.clear([there])
        raise
    membership.update_peers(installation)
    return Instance(there, copy)
