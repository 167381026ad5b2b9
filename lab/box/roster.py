"""Which machines there are beside the box, and how many more there may be.

A name is taken before its machine is started: a directory with a record that names the process at work.  What a killed process left half
done is no machine, and goes when somebody wants the name, or a seat.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from lab.box.errors import CourseError, UsageError
from lab.box.place import BOX, BOX_NUMBER, FIRST_NUMBER, LAST_NUMBER, Place, machines_of
from lab.box.processes import Process
from lab.box.record import Record
from lab.box.state import State, lock

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
NOT_NAMES = (BOX, "localhost")
MOST = 5
QUOTA = "COURSE_MACHINES"
"""The variable that allows more machines, or fewer."""
COST_MB = {"microvm": 600, "container": 150}
"""What a machine that runs something small takes of its computer's memory."""
GROUPS = Path("/sys/fs/cgroup")


def taken(state: State) -> dict[str, Record]:
    """The records of all machines, those that are being created included, by name."""
    found = {path.parent.name: Record.read(path) for path in sorted(machines_of(state).glob("*/record.json"))}
    return {name: record for name, record in found.items() if record}


def listed(state: State) -> dict[str, Place]:
    """The places of those that are whole, by name."""
    return {name: place_of(state, record) for name, record in taken(state).items() if record.ready_s}


def place_of(state: State, record: Record) -> Place:
    """Where a recorded machine is."""
    return Place(state, record.backend, record.name, record.number)


def reserve(
    state: State, backend: str, prefix: str, names: Sequence[str], *, environment: dict[str, str], clear: Callable[[list[Place]], None]
) -> list[Place]:
    """Take names and seats.

    Args:
        state: of the installation.
        backend: what is to run the machines.
        prefix: the first three parts of their addresses.
        names: theirs.
        environment: the variables that name the outer engine; empty for virtual machines.
        clear: removes what was left of machines whose makers have gone.

    Raises:
        UsageError: a name can't be one, or is taken.
        CourseError: the quota allows no more.
    """
    _require_names(names)
    with lock(machines_of(state), "roster"):
        clear([place_of(state, record) for record in taken(state).values() if not record.ready_s and not record.being_made])
        known = taken(state)
        for name in names:
            if name in known:
                what, instead = f"There is a machine {name!r} already.", f'machines.find("{name}"), or machines.delete("{name}")'
                raise UsageError(what, "A name belongs to one machine.", instead)
        require_quota(state, backend, len(names))
        used = {record.number for record in known.values()}
        free = [number for number in range(FIRST_NUMBER, LAST_NUMBER) if number not in used]
        places = [Place(state, backend, name, number) for name, number in zip(names, free, strict=False)]
        me, nobody = Process.of(os.getpid()), Process(0, 0.0)
        for place in places:
            address = f"{prefix}.{place.number}"
            place.save(Record(place.name, backend, "", 0.0, nobody, engine=environment, number=place.number, address=address, maker=me))
        return places


def release(place: Place) -> None:
    """Give a name and a seat back."""
    shutil.rmtree(place.home, ignore_errors=True)


def seat_again(state: State) -> None:
    """Give a box that is another machine now its seat among those beside it, where there are any."""
    if taken(state):
        from lab.box.machines import introduce  # noqa: PLC0415  (which needs what runs them, and so what calls this)

        introduce(state)


def addresses(state: State, backend: str) -> dict[str, str]:
    """Address by name of all machines on one segment, and of the box if it is on it: what they are told of each other."""
    box, known = Record.load(state), {name: record.address for name, record in taken(state).items() if record.backend == backend}
    if box and box.backend == backend and known:
        seat = f"{next(iter(known.values())).rpartition('.')[0]}.{BOX_NUMBER}"
        return {BOX: seat, box.name: seat, **known}
    return known


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


def require_quota(state: State, backend: str, more: int) -> None:
    """See that so many machines more are allowed.

    Raises:
        UsageError: what is to say how many there may be says nothing of the kind.
        CourseError: the quota does not allow so many, or there is no memory for them.
    """
    there = len(taken(state))
    allowed = os.environ.get(QUOTA) or str(MOST)
    if not allowed.isdecimal():
        raise UsageError(f"{QUOTA} says how many machines there may be.", f"{allowed!r} is no number.", f"unset {QUOTA}")
    most = int(allowed)
    if there + more > most:
        have = f"You have {there} and asked for {more} more."
        raise CourseError(
            f"The quota allows {most} machines beside your box.", have, f"machines.delete(…), or {QUOTA}={there + more} in the environment"
        )
    record = Record.load(state)
    if backend == "container" and record and not record.engine.get("DOCKER_HOST", "unix://").startswith("unix://"):
        return  # another computer's memory
    free, need = free_mb(), COST_MB[backend] * more
    if need > free:
        raise CourseError(
            f"The quota allows no more machines: {more} more need {need} MB of memory.", f"{free:.0f} MB are free on this computer.",
            "machines.delete(…), or close some programs",
        )  # fmt: skip


def free_mb() -> float:
    """The memory that this process's computer, or the container that it is in, has to spare, in MB."""
    return min([psutil.virtual_memory().available / 1e6, *_left_in_group(GROUPS)])


def _left_in_group(group: Path) -> list[float]:
    """What a control group allows beyond what is used and can't be dropped; nothing where it sets no limit."""
    try:
        limit, used = int((group / "memory.max").read_text()), int((group / "memory.current").read_text())
        kept = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return [(limit - used + int(kept["inactive_file"])) / 1e6]
    except (OSError, ValueError, KeyError):
        return []
