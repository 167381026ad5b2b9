"""More machines on the private segment of your box, as a cloud's API gives them.

``machines.create("web-1")`` is a machine like the box: its own init, shell and Docker Engine.  With ``microvm`` it is a clone of the same
warm template, or, on request, one that boots from the kernel on; with ``container`` it is a node container.  All of an installation see
each other by name and address, and nobody else sees them.  ``course down`` removes them all, and the images that were baked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from lab.box import INSIDE, golden, kvm, life, processes, roster, segment
from lab.box.build import Artefacts, build
from lab.box.container import Container
from lab.box.doctor import why_no_qemu
from lab.box.errors import CourseError, NoBackend, UsageError
from lab.box.instance import Instance
from lab.box.machine import Machine
from lab.box.microvm import Microvm
from lab.box.place import Place, machines_of
from lab.box.processes import Process
from lab.box.progress import Progress, Quiet
from lab.box.record import Record
from lab.box.state import State, lock
from lab.box.template import Template, chosen

START_ENGINE = "(modprobe -a $(cat /etc/course/modules); rm -f /run/course/hold-dockerd) > /dev/null 2>&1 &"
BACKENDS = ("", "microvm", "container")


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


def require_room(more: int) -> None:
    """Raise what making so many machines more, of the box's kind, would raise for want of room.

    Raises:
        CourseError: the quota does not allow so many.
    """
    state = _state()
    life.current(state)
    if box := Record.load(state):
        roster.require_quota(state, box.backend, more)


def affordable(names: Sequence[str], least: int, otherwise: str) -> list[str]:
    """The names for which machines can be had now: all of them or, where the quota refuses so many, the first ones.

    Args:
        names: of the machines that are wanted.
        least: how many names are left where the quota refuses.
        otherwise: a sentence that is then printed, after the reason: what the lesson does instead.
    """
    try:
        require_room(len(names))
    except CourseError as refused:
        print(f"{refused.what} {refused.why}\n{otherwise}")  # noqa: T201
        return list(names[:least])
    return list(names)


def find(name: str) -> Instance:
    """The machine with this name.

    Raises:
        UsageError: there is none.
    """
    state = _state()
    known = roster.listed(state)
    if name not in known:
        have = f"There are: {', '.join(known)}." if known else "There is none yet."
        raise UsageError(f"There is no machine {name!r}.", have, f'machines.create("{name}")')
    return Instance(known[name], _backend(known[name]))


def all() -> list[Instance]:  # noqa: A001  (read as machines.all())
    """Every machine, by name; also those that were stopped."""
    return [Instance(place, _backend(place)) for place in roster.listed(_state()).values()]


def console(name: str) -> str:
    """What a machine has printed so far, also while it is still being created; nothing where there is none of that name."""
    state = _state()
    record = roster.taken(state).get(name)
    return _backend(roster.place_of(state, record)).console() if record else ""


def delete(*names: str) -> None:
    """Remove machines, all where none is named; what is gone already is fine."""
    state = _state()
    places = [place for name, place in roster.listed(state).items() if not names or name in names]
    _remove(places)
    if places:
        introduce(state)


def bake(machine: Machine, name: str) -> None:
    """Make a golden image of a machine as it is: its files, and what was installed; in the place of an earlier one of that name.

    Not in it: what is in memory or under /run and /tmp, what the machine's Docker Engine holds, and what makes it this one machine (its
    host name, keys and addresses).

    Raises:
        UsageError: that is no name for an image.
        CourseError: the machine could not be read.
    """
    if not roster.NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} can't be the name of an image.", "Small letters, digits and hyphens make one.", 'machines.bake(machine, "web")'
        )
    golden.bake(_state(), machine, name)


def images() -> list[str]:
    """The names of the images that were baked."""
    return golden.names(_state())


def forget(*images: str) -> None:
    """Remove images, all where none is named; machines that were made from them stay."""
    golden.forget(_state(), *images)


def introduce(state: State, new: Sequence[str] = ()) -> None:
    """Tell every machine, and the box, who is there now.

    Args:
        state: of the installation.
        new: those that know already.
    """
    box = Record.load(state)
    with lock(machines_of(state), "introduce"), ThreadPoolExecutor(8) as pool:
        places = [place for place in roster.listed(state).values() if place.name not in new]
        jobs = [pool.submit(_tell, state, place) for place in [*places, *([Place(state, box.backend)] if box else [])]]
        for job in jobs:
            with suppress(CourseError):  # it does not run, or breaks down at this moment
                job.result()


def _tell(state: State, place: Place) -> None:
    runs, peers = _backend(place), roster.addresses(state, place.backend)
    if not runs.alive():
        return
    if place.is_box and peers:
        runs.join(peers)
    else:
        runs.access.control({"peers": peers})


def _create(names: Sequence[str], *, image: str, recipe: str, cold: bool, backend: str, progress: Progress | None) -> list[Instance]:
    state = _state()
    life.current(state)
    box = Record.load(state)
    assert box
    kind = _kind(box, backend, cold=cold)
    if image:
        golden.require(state, image)
    with lock(state.boxes, "life", shared=True):
        make = _maker(state, box, kind, progress or Quiet(), cold=cold)
        environment = box.engine if kind == "container" else {}
        places = roster.reserve(state, kind, segment.opened(state, kind, environment), names, environment=environment, clear=_remove)
        told = roster.addresses(state, kind)
        try:
            with ThreadPoolExecutor(len(places) or 1) as pool:
                made = list(pool.map(lambda place: _start(make(place), place, told, image, recipe, cold=cold), places))
        except OSError as error:  # docker's errors are some
            _remove(places)
            raise CourseError("The machine did not start.", f"{error}.", "course status, and once more") from None
        except BaseException:
            _remove(places)
            raise
    introduce(state, names if roster.addresses(state, kind) == told else ())
    return made


def _start(runs: Microvm | Container, place: Place, peers: Mapping[str, str], image: str, recipe: str, *, cold: bool) -> Instance:
    """Start a machine; it is listed, and others learn of it, only when it is what was asked for."""
    ready_s = runs.up(peers)
    golden.apply(place.state, Instance(place, runs), image, recipe)
    if cold:
        Instance(place, runs).sh(START_ENGINE, check=True)
    record = place.load()
    assert record
    place.save(replace(record, ready_s=ready_s))
    return Instance(place, runs)


def _kind(box: Record, backend: str, *, cold: bool) -> str:
    """What is to run a machine.

    Raises:
        UsageError: there is no such backend, or it can't boot.
        NoBackend: it can't run here.
    """
    if backend not in BACKENDS:
        raise UsageError(
            f"There is no backend {backend!r}.", "There is microvm, beside the box's own.", 'machines.create(…, backend="microvm")'
        )
    kind = backend or box.backend
    if kind == "container" != box.backend:
        raise UsageError("A virtual machine has no containers beside it.", "Your box runs on microvm.", "machines.create(…)")
    if kind == "microvm" and (lack := why_no_qemu()):
        raise NoBackend("No virtual machine can be started here.", f"{lack}.", "course doctor")
    if cold and kind == "container":
        raise UsageError(
            "A container does not boot.",
            "It uses the kernel of the computer that it runs on.",
            'machines.create(…, backend="microvm", cold=True)',
        )
    return kind


def _maker(state: State, box: Record, kind: str, progress: Progress, *, cold: bool) -> Callable[[Place], Microvm | Container]:
    """How to make machines like the box, or virtual ones beside a box that is a container."""
    if kind == "container":
        return lambda place: Container(place, box.recipe, box.engine)
    artefacts = Artefacts.of(state, box.recipe) if box.backend == kind else build(state, progress)
    if cold:
        accelerator = box.accelerator if box.backend == kind else "kvm" if kvm.probe(state).works else "tcg"
        return lambda place: Microvm(place, artefacts, Template.of(state, artefacts.key, accelerator), cold=True)
    warm = Template.of(state, box.recipe, box.accelerator)
    template = warm if box.backend == kind and warm.state.exists() else chosen(state, artefacts, progress)
    return lambda place: Microvm(place, artefacts, template)


def _backend(place: Place) -> Microvm | Container:
    """What runs a machine that is recorded."""
    record = place.load() or Record(place.name, place.backend, "tcg", 0.0, Process(0, 0.0))
    if place.backend == "container":
        return Container(place, record.recipe, record.engine)
    return Microvm(place, Artefacts.of(place.state, record.recipe), Template.of(place.state, record.recipe, record.accelerator))


def _remove(places: Sequence[Place]) -> None:
    """End machines, side by side, and give their names back."""

    def remove(place: Place) -> None:
        try:
            _backend(place).stop()
        except CourseError:
            if record := place.load():
                place.save(replace(record, maker=None))  # so that it is tried again when somebody wants the name
            raise
        processes.end_all(f"{place.directory}/")
        roster.release(place)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(remove, places))


def _state() -> State:
    if INSIDE.exists():
        raise CourseError(
            "Nothing inside a box can make machines, or see those beside it.", "They belong to the computer that the box runs on.",
            "type it in a notebook outside",
        )  # fmt: skip
    return State.open()
