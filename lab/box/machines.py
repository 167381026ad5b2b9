"""More machines on the private segment of your box, as a cloud's API gives them.

``machines.create("web-1")`` is a machine like the box: its own init, shell and Docker Engine.  With ``microvm`` it is a clone of the same
warm template, or, on request, one that boots from the kernel on; with ``container`` it is a node container.  All of an installation see
each other by name and address, and nobody else sees them.  ``course down`` removes them all, and the images that were baked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lab.box import lifecycle
from lab.box.core import graded
from lab.box.core.inside import inside_a_box
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir, box_record
from lab.box.core.progress import Progress, Quiet
from lab.box.core.record import Record
from lab.box.drivers import registry
from lab.box.drivers.base import Backend, Driver
from lab.box.errors import BoxNotRunning, CourseError, UsageError
from lab.box.instances import golden_image, inventory, membership, quota, startup
from lab.box.instances.instance import Instance
from lab.box.machine import Machine

BUSY = 1.4
"""How many times the memory of a machine with something small on it one takes that runs pods."""
START_ENGINE = "(modprobe -a $(cat /etc/course/modules); rm -f /run/course/hold-containerd /run/course/hold-dockerd) > /dev/null 2>&1 &"


def create(
    name: str, *, image: str = "", recipe: str = "", cold: bool = False, backend: str = "", progress: Progress | None = None
) -> Instance:
    """One more machine.

    Args:
        name: small letters, digits and hyphens; the others find it by this name.
        image: one that was baked; without it the machine is pristine.
        recipe: a shell script that makes of a fresh machine what you want.  Services that it adds to /etc/inittab are started.
        cold: boot it from the kernel on, and show that on its console.
        backend: ``microvm`` for a real virtual machine, whatever runs the box; else it is the box's own.
        progress: shows what has to be made first: the first virtual machine beside a container takes a minute or two.

    Raises:
        UsageError: no machine can have that name, or one has; there is no such image or backend.
        CourseError: the quota allows no more, or it did not start; nothing is left of it then.
    """
    return _create((name,), image=image, recipe=recipe, cold=cold, backend=backend, progress=progress)[0]


def fleet(*names: str, image: str = "", recipe: str = "", backend: str = "", progress: Progress | None = None) -> list[Instance]:
    """Several machines, started side by side: all of them, or none; see ``create``."""
    return _create(names, image=image, recipe=recipe, cold=False, backend=backend, progress=progress)


def require_room(more: int, busy: float = 1.0) -> None:
    """Check that the quota and the free memory allow *more* machines on the box's backend; creates none.

    Args:
        more: how many.
        busy: how many times the memory of a machine with something small on it each of them is to have.

    Raises:
        CourseError: the quota does not allow so many.
    """
    installation = _installation()
    box = _running_box(installation)
    each_mb = registry.BACKENDS[box.backend].cost_mb * busy
    quota.require(installation, box.backend, len(inventory.all_records(installation)), more, each_mb)


def affordable(names: Sequence[str], least: int, otherwise: str) -> list[str]:
    """The names for which machines can be had now, to work as a lesson has them work: all or, where the quota refuses, the first ones.

    Args:
        names: of the machines that are wanted.
        least: how many names are left where the quota refuses all.
        otherwise: a sentence that is then printed, after the reason: what the lesson does instead.

    Raises:
        CourseError: not even those are allowed.
    """
    try:
        require_room(len(names), BUSY)
    except CourseError as refused:
        require_room(least, BUSY)
        print(f"{refused.what} {refused.why}\n{otherwise}")  # noqa: T201
        return list(names[:least])
    return list(names)


def find(name: str) -> Instance:
    """The machine with this name.

    Raises:
        UsageError: there is none.
    """
    installation = _installation()
    known = inventory.usable_machines(installation)
    if name not in known:
        have = f"There are: {', '.join(known)}." if known else "There is none yet."
        raise UsageError(f"There is no machine {name!r}.", have, f'machines.create("{name}")')
    return Instance(known[name], registry.driver_of(known[name]))


def all() -> list[Instance]:  # noqa: A001  (read as machines.all())
    """Every machine, by name; also those that were stopped."""
    return [Instance(directory, registry.driver_of(directory)) for directory in inventory.usable_machines(_installation()).values()]


def console(name: str) -> str:
    """What a machine has printed so far, also while it is still being created; nothing where there is none of that name."""
    installation = _installation()
    record = inventory.all_records(installation).get(name)
    return registry.driver_of(inventory.directory_of(installation, record)).console() if record else ""


def delete(*names: str) -> None:
    """Remove machines, all where none is named; what is gone already is fine."""
    listed = inventory.usable_machines(_installation())
    membership.remove([directory for name, directory in listed.items() if not names or name in names])


def bake(machine: Machine, name: str) -> None:
    """Make a golden image of a machine as it is: its files, and what was installed; in the place of an earlier one of that name.

    Not in it: what is in memory or under /run and /tmp, what the machine's Docker Engine holds, and what makes it this one machine (its
    host name, keys and addresses).

    Raises:
        UsageError: that is no name for an image.
        CourseError: the machine could not be read.
    """
    if not inventory.NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} can't be the name of an image.", "Small letters, digits and hyphens make one.", 'machines.bake(machine, "web")'
        )
    golden_image.bake(_installation(), machine, name)


def images() -> list[str]:
    """The names of the images that were baked."""
    return golden_image.names(_installation())


def forget(*images: str) -> None:
    """Remove images, all where none is named; machines that were made from them stay."""
    golden_image.forget(_installation(), *images)


def _create(names: Sequence[str], *, image: str, recipe: str, cold: bool, backend: str, progress: Progress | None) -> list[Instance]:
    installation = _installation()
    if image:
        golden_image.require(installation, image)
    with installation.keeping_the_box(f"creating {', '.join(names)}", progress):
        box = _running_box(installation)
        runs = _backend(installation, box, backend, boot=cold)
        known = box.origin if box.backend == runs.name else None
        origin = runs.prepare(installation, Quiet() if progress is None else progress, origin=known, boot=cold)
        prefix = runs.open_segment(installation, origin)
        directories = inventory.reserve(installation, runs.name, origin, prefix, names, clear=membership.clear)
        peers = membership.peers(installation, runs.name)

        def start(directory: InstanceDir) -> Instance:
            return _start(runs.driver(directory, origin, boot=cold), directory, peers, image, recipe, cold=cold)

        try:
            with ThreadPoolExecutor(len(directories) or 1) as pool:
                made = list(pool.map(start, directories))
        except OSError as error:  # docker's errors are some
            membership.clear(directories)
            raise CourseError("The machine did not start.", f"{error}.", "course status, and once more") from None
        except BaseException:
            membership.clear(directories)
            raise
    membership.update_peers(installation, names if membership.peers(installation, runs.name) == peers else ())
    return made


def _start(driver: Driver, directory: InstanceDir, peers: Mapping[str, str], image: str, recipe: str, *, cold: bool) -> Instance:
    """Start a machine; it is listed, and others learn of it, only when it is what was asked for."""
    record = startup.start(driver, directory, peers=peers)
    machine = Instance(directory, driver)
    golden_image.apply(directory.installation, machine, image, recipe)
    if cold:
        machine.sh(START_ENGINE, check=True)
    directory.save(replace(directory.load() or record, ready_s=record.ready_s))
    return Instance(directory, driver)


def _backend(installation: Installation, box: Record, wanted: str, *, boot: bool) -> Backend:
    """What is to run a machine.

    Raises:
        UsageError: there is no such backend, or its machines lack what was asked for.
        NoBackend: it can't run here.
    """
    if wanted not in ("", *registry.BACKENDS):
        raise UsageError(
            f"There is no backend {wanted!r}.", "There is microvm, beside the box's own.", 'machines.create(…, backend="microvm")'
        )
    runs = registry.BACKENDS[wanted or box.backend]
    if runs.name != box.backend and not runs.features.beside_others:
        why = f"Your box runs on {box.backend}."
        raise UsageError(f"There can be no machine on the {runs.name} backend beside your box.", why, "machines.create(…)")
    if boot and not runs.features.boots:
        raise UsageError(
            f"A machine on the {runs.name} backend does not boot.",
            "It uses the kernel of the computer that it runs on.",
            'machines.create(…, backend="microvm", cold=True)',
        )
    return runs if runs.name == box.backend else registry.require(installation, runs.name)


def _running_box(installation: Installation) -> Record:
    """The record of the box.

    Raises:
        BoxNotRunning: there is none that runs.
    """
    lifecycle.current(installation)
    if record := box_record(installation):
        return record
    raise BoxNotRunning("There is no box.", "It was taken down at this moment.", "course up")


def _installation() -> Installation:
    if inside_a_box():
        raise CourseError(
            "Nothing inside a box can make machines, or see those beside it.", "They belong to the computer that the box runs on.",
            "type it in a notebook outside",
        )  # fmt: skip
    return graded.installation()
