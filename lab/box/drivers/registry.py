"""Which backends there are, and which one to take."""

from __future__ import annotations

from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir
from lab.box.core.record import Origin
from lab.box.drivers.base import Backend, Driver
from lab.box.drivers.container.backend import ContainerBackend
from lab.box.drivers.microvm.backend import MicrovmBackend
from lab.box.errors import NoBackend, UsageError

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (MicrovmBackend(), ContainerBackend())}
"""By name; the first that is fast is taken, else the first that works."""
AUTO = "auto"


def choose(installation: Installation, wanted: str = AUTO) -> Backend:
    """The backend to run a box on: the one that was asked for, else a fast one, else one that works.

    Args:
        installation: remembers whether KVM works.
        wanted: ``auto``, or the name of a backend.

    Raises:
        UsageError: there is no such backend.
        NoBackend: nothing here can run a box, or not the one that was asked for.
    """
    if wanted != AUTO:
        return require(installation, wanted)
    slow: list[Backend] = []
    lacks: list[str] = []
    for backend in BACKENDS.values():
        if reason := backend.unavailable(installation):
            lacks.append(reason.why)
        elif backend.native_speed(installation):
            return backend
        else:
            slow.append(backend)
    if slow:
        return slow[0]
    raise NoBackend("Nothing here can run a box.", " ".join(lacks), "course doctor")


def require(installation: Installation, name: str) -> Backend:
    """The backend of that name.

    Raises:
        UsageError: there is none.
        NoBackend: it can't run on this computer.
    """
    if name not in BACKENDS:
        raise UsageError(f"There is no backend {name!r}.", f"There are: {', '.join((AUTO, *BACKENDS))}.", f"course up --backend {AUTO}")
    backend = BACKENDS[name]
    if reason := backend.unavailable(installation):
        raise NoBackend(f"The {name} backend can't run here.", reason.why, reason.try_next)
    return backend


def driver_of(directory: InstanceDir) -> Driver:
    """The driver of a machine that has a directory; one without a record can only be stopped."""
    record = directory.load()
    return BACKENDS[directory.backend].driver(directory, record.origin if record else Origin("", ""))
