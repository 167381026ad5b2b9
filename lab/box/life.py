"""A box's life: choosing what runs it, bringing it up, finding it again, taking it down."""

from __future__ import annotations

import shutil
from contextlib import nullcontext, suppress

import psutil

from lab.box import engine, kvm, processes
from lab.box.box import Box
from lab.box.build import Artefacts, build
from lab.box.container import Container
from lab.box.doctor import why_no_qemu
from lab.box.errors import BoxNotRunning, CourseError, NoBackend, UsageError
from lab.box.microvm import Microvm
from lab.box.place import Place, machines_of
from lab.box.progress import Progress, Quiet
from lab.box.record import Record
from lab.box.roster import seat_again
from lab.box.state import State, lock
from lab.box.template import Template, chosen

BACKENDS = ("auto", "microvm", "container")


def choose(state: State, wanted: str = "auto") -> str:
    """The backend to use: ``microvm`` where KVM works or no Docker engine answers, else ``container``.

    Args:
        state: remembers whether KVM works.
        wanted: ``auto``, ``microvm`` or ``container``.

    Raises:
        UsageError: there is no such backend.
        NoBackend: nothing here can run a box, or not the one that was asked for.
    """
    if wanted not in BACKENDS:
        raise UsageError(f"There is no backend {wanted!r}.", f"There are: {', '.join(BACKENDS)}.", "course up --backend auto")
    lack = why_no_qemu()
    if wanted == "microvm" and lack:
        raise NoBackend("The microvm backend can't run here.", f"{lack}.", "course doctor")
    if wanted == "microvm" or (wanted == "auto" and not lack and kvm.probe(state).works):
        return "microvm"
    found = engine.find(state)
    if found.answers:
        return "container"
    if wanted == "container":
        raise NoBackend("The container backend can't run here.", found.why, found.try_next)
    if not lack:
        return "microvm"
    raise NoBackend("Nothing here can run a box.", f"{lack}, and {found.why[:1].lower()}{found.why[1:]}", "course doctor")


def up(wanted: str = "auto", progress: Progress | None = None, state: State | None = None) -> Box:
    """The current box, or a new one where there is none; built first where nothing was.

    Args:
        wanted: the backend; a box that runs on another one is replaced only when it was named.
        progress: shows the steps.
        state: the installation; the default one when not given.

    Raises:
        CourseError: it could not be had; says why and what to do.
    """
    state, progress = state or State.open(), progress or Quiet()
    with lock(state.boxes, "life"):
        record = Record.load(state)
        if record and wanted in ("auto", record.backend):
            with suppress(BoxNotRunning):
                return _attach(state, record)
        backend = _backend(state, choose(state, wanted), build(state, progress), progress)
        if record or (state.runtime / "box").exists():
            _end(state)
        with progress.step("Starting your box"):
            backend.up()
    seat_again(state)
    return Box(backend, backend.access)


def prepare(progress: Progress, wanted: str = "auto", state: State | None = None) -> None:
    """Make what a box on this computer runs from, and start none.

    Raises:
        CourseError: a step failed; says why and what to do.
    """
    state = state or State.open()
    _backend(state, choose(state, wanted), build(state, progress), progress)


def current(state: State | None = None) -> Box:
    """The box that runs.

    Raises:
        BoxNotRunning: there is none.
    """
    state = state or State.open()
    record = Record.load(state)
    if not record:
        raise BoxNotRunning("There is no box.", "None was started, or it was taken down.", "course up")
    return _attach(state, record)


def down(state: State | None = None, *, forget: bool = False) -> None:
    """Remove the box, and whatever a killed part of one may have left behind.  What was built stays, and a JupyterLab that still runs.

    Args:
        state: the installation; the default one when not given.
        forget: go on where the Docker engine that the box is on can't be reached, and leave it there.

    Raises:
        CourseError: that engine can't be reached.
    """
    state = state or State.open()
    with lock(state.boxes, "life"):
        _end(state, forget=forget)
        if not any(psutil.pid_exists(int(server.stem.partition("-")[2])) for server in state.jupyter.glob("jpserver-*.json")):
            shutil.rmtree(state.jupyter, ignore_errors=True)
        for leftover in state.boxes.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)


def _attach(state: State, record: Record) -> Box:
    """The recorded box, with its relay started again if that was killed.

    Raises:
        BoxNotRunning: it has gone.
    """
    if not record.ready_s:
        raise BoxNotRunning("There is no box.", "One is being started, or its start was interrupted.", "course up")
    backend: Microvm | Container
    if record.backend == "microvm":
        if not record.machine or not record.machine.alive:
            raise BoxNotRunning("There is no box.", "Its virtual machine has ended.", "course up")
        template = Template.of(state, record.recipe, record.accelerator)
        backend = Microvm(Place(state, "microvm"), Artefacts.of(state, record.recipe), template)
    else:
        backend = Container(Place(state, "container"), record.recipe, record.engine)
    backend.mend(record)
    return Box(backend, backend.access)


def _backend(state: State, name: str, artefacts: Artefacts, progress: Progress) -> Microvm | Container:
    if name == "microvm":
        return Microvm(Place(state, name), artefacts, chosen(state, artefacts, progress))
    container = Container(Place(state, name), artefacts.key, engine.find(state).environment)
    container.prepare(artefacts, progress)
    return container


def _end(state: State, *, forget: bool = False) -> None:
    """End all boxes of this installation: processes, containers, volumes, sockets.  Checkpoints and logs stay.

    Raises:
        CourseError: the Docker engine that a box runs on can't be reached; what is remembered of the box is kept.
    """
    record = Record.load(state)
    processes.end_all(str(state.runtime))
    if record and record.backend == "container":
        with suppress(CourseError) if forget else nullcontext():
            engine.remove_ours(record.engine, state.owner)
    elif (found := engine.find(state)).answers:
        engine.remove_ours(found.environment, state.owner)
    Record.path(state).unlink(missing_ok=True)
    shutil.rmtree(machines_of(state), ignore_errors=True)
    shutil.rmtree(state.runtime, ignore_errors=True)
