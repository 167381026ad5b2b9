"""Who is on the segment, and telling everybody: each machine's /etc/hosts has the names and addresses of all others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from lab.box.core.inside import BOX
from lab.box.core.installation import Installation, lock
from lab.box.core.instance_dir import BOX_NUMBER, InstanceDir, box_record
from lab.box.drivers.registry import driver_of
from lab.box.errors import CourseError
from lab.box.instances import inventory, startup
from lab.box.parallel import AT_ONCE, in_parallel


def peers(installation: Installation, backend: str) -> dict[str, str]:
    """Address by name of all machines on one segment, and of the box if it is on it.

    Args:
        installation: whose machines.
        backend: what runs the machines of the segment.
    """
    box = box_record(installation)
    known = {name: record.address for name, record in inventory.all_records(installation).items() if record.backend == backend}
    if box and box.backend == backend and known:
        address = f"{next(iter(known.values())).rpartition('.')[0]}.{BOX_NUMBER}"
        return {BOX: address, box.name: address, **known}
    return known


def update_peers(installation: Installation, informed: Sequence[str] = ()) -> None:
    """Update the hosts file of every machine, and of the box.

    Args:
        installation: whose machines.
        informed: the names of machines that know everybody already.
    """
    box = box_record(installation)
    with lock(installation.machines, "peers"), ThreadPoolExecutor(AT_ONCE) as pool:
        directories = [directory for directory in inventory.usable_machines(installation).values() if directory.name not in informed]
        if box:
            directories.append(InstanceDir(installation, box.backend))
        for job in [pool.submit(_set_peers, directory) for directory in directories]:
            with suppress(CourseError):  # it does not run, or breaks down at this moment
                job.result()


def _set_peers(directory: InstanceDir) -> None:
    driver, known = driver_of(directory), peers(directory.installation, directory.backend)
    if not driver.alive():
        return
    if directory.is_box and known:
        driver.connect()
        driver.access.control({"interface": driver.interface(), "peers": known})
    else:
        driver.access.control({"peers": known})


def rejoin_segment(installation: Installation) -> None:
    """Reconnect a replaced box to the private network, and update every machine's hosts file."""
    if inventory.all_records(installation):
        update_peers(installation)


def remove(directories: Sequence[InstanceDir]) -> None:
    """End machines, side by side, free their names, and tell those that stay.

    Raises:
        CourseError: what runs one of them can't be reached.
    """
    clear(directories)
    if directories:
        update_peers(directories[0].installation)


def clear(directories: Sequence[InstanceDir]) -> None:
    """End machines, side by side, and free their names, where nobody needs to be told: they were never listed.

    Raises:
        CourseError: what runs one of them can't be reached.
    """
    in_parallel(_clear, directories)


def _clear(directory: InstanceDir) -> None:
    record = directory.load()
    if not record:
        return  # somebody else was quicker
    try:
        startup.end(driver_of(directory), directory)
    except CourseError:
        directory.save(replace(record, creator=None))  # so that it is tried again when somebody wants the name
        raise
    inventory.release(directory)
