"""Which machines there are beside the box, and which names and numbers are free.

A name is taken before its machine is started: a directory with a record that names the process which creates it.  What a killed process
left half done is no machine; it is removed when somebody wants a name.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence

from lab.box.core.inside import BOX
from lab.box.core.installation import Installation, lock
from lab.box.core.instance_dir import END_NUMBER, FIRST_NUMBER, InstanceDir
from lab.box.core.processes import Process
from lab.box.core.record import Origin, Record
from lab.box.errors import UsageError
from lab.box.instances import quota

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
NOT_NAMES = (BOX, "localhost")


def all_records(installation: Installation) -> dict[str, Record]:
    """The records of all machines, those that are being created included, by name."""
    found = {path.parent.name: Record.read(path) for path in sorted(installation.machines.glob("*/record.json"))}
    return {name: record for name, record in found.items() if record}


def usable_machines(installation: Installation) -> dict[str, InstanceDir]:
    """The directories of the machines that can be used, by name."""
    return {name: directory_of(installation, record) for name, record in all_records(installation).items() if record.ready_s}


def directory_of(installation: Installation, record: Record) -> InstanceDir:
    """The directory of a recorded machine."""
    return InstanceDir(installation, record.backend, record.name, record.number)


def reserve(
    installation: Installation,
    backend: str,
    origin: Origin,
    prefix: str,
    names: Sequence[str],
    *,
    clear: Callable[[list[InstanceDir]], None],
    each_mb: float = 0.0,
) -> list[InstanceDir]:
    """Take names and numbers for machines that this process is about to create.

    Args:
        installation: whose machines.
        backend: what is to run them.
        origin: what they are made from.
        prefix: the first three parts of their addresses.
        names: theirs.
        clear: removes what was left of machines whose creators have gone.
        each_mb: as ``quota.require`` takes it.

    Raises:
        UsageError: a name can't be one, or is taken.
        CourseError: the quota allows no more.
    """
    _require_names(names)
    with lock(installation.machines, "inventory"):
        left = [record for record in all_records(installation).values() if not record.ready_s and not record.being_created]
        clear([directory_of(installation, record) for record in left])
        known = all_records(installation)
        for name in names:
            if name in known:
                what, instead = f"There is a machine {name!r} already.", f'machines.find("{name}"), or machines.delete("{name}")'
                raise UsageError(what, "A name belongs to one machine.", instead)
        quota.require(installation, backend, len(known), len(names), each_mb)
        used = {record.number for record in known.values()}
        free = [number for number in range(FIRST_NUMBER, END_NUMBER) if number not in used]
        directories = [InstanceDir(installation, backend, name, number) for name, number in zip(names, free, strict=False)]
        creator = Process.of(os.getpid())
        for directory in directories:
            number, address = directory.number, f"{prefix}.{directory.number}"
            directory.save(Record(directory.name, backend, origin, creator=creator, number=number, address=address))
        return directories


def release(directory: InstanceDir) -> None:
    """Free the name and the number of a machine that has ended."""
    shutil.rmtree(directory.files, ignore_errors=True)


def _require_names(names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        _require_name(name)
        if name in names[:number]:
            alike = f'machines.fleet("{name}-1", "{name}-2")'
            raise UsageError(f"Two machines can't both be called {name!r}.", "It is named twice.", alike)


def _require_name(name: str) -> None:
    if not NAME.fullmatch(name) or name in NOT_NAMES:
        raise UsageError(
            f"{name!r} can't be the name of a machine.",
            f"A name has 1 to 40 small letters, digits and hyphens, starts with a letter, does not end in a hyphen, and is not {BOX!r}.",
            'machines.create("web-1")',
        )
