"""Start the box, find it, remove it.  ``instances/box.py`` replaces and saves it."""

from __future__ import annotations

import shutil
from contextlib import nullcontext, suppress
from pathlib import Path

import psutil

from lab.box.core import graded, processes
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir, box_record
from lab.box.core.progress import Progress, Quiet
from lab.box.core.record import Record
from lab.box.drivers import registry
from lab.box.drivers.base import Checkpoint
from lab.box.errors import BoxNotRunning, CourseError
from lab.box.instances import membership, quota, startup
from lab.box.instances.box import Box

WHY_NOT = "why-no-box"
"""The file that says why the last attempt to start a box failed: who started it may be nobody who reads, as in a session on Binder."""


def up(wanted: str = registry.AUTO, progress: Progress | None = None, installation: Installation | None = None) -> Box:
    """Return the running box; if there is none, start one, and first build what is missing.

    Starting a box removes all machines beside the old one.  Checkpoints and golden images stay.

    Args:
        wanted: a backend's name, or ``auto``.  ``auto`` keeps a running box whatever its backend; a name replaces one of another backend.
        progress: shows the steps.
        installation: the default one when not given.

    Raises:
        CourseError: it could not be had; says why and what to do.
    """
    installation, progress = installation or graded.installation(), Quiet() if progress is None else progress
    with installation.changing_the_box("starting the box", progress):
        record = box_record(installation)
        if record and wanted in (registry.AUTO, record.backend):
            with suppress(BoxNotRunning):
                return _attach(installation, record, resume=True)
        why_not = installation.root / WHY_NOT
        why_not.unlink(missing_ok=True)
        try:
            return _start(installation, wanted, progress)
        except CourseError as error:
            with suppress(OSError):
                why_not.write_text(f"{error.what} {error.why}")
            raise


def go_on(name: str, exported: Path, wanted: str, progress: Progress | None = None, installation: Installation | None = None) -> Box:
    """Start the box from one that was exported, perhaps on another computer, in the place of whatever runs.

    Args:
        name: of the checkpoint that the exported one becomes.
        exported: the directory with its files, which are data and not trusted; the machine's is moved away.
        wanted: a backend's name.
        progress: shows the steps.
        installation: the default one when not given.

    Raises:
        CourseError: it does not fit this computer's boxes, or could not be started; says why and what to do.
    """
    installation, progress = installation or graded.installation(), Quiet() if progress is None else progress
    with installation.changing_the_box("starting the box", progress):
        return _start(installation, wanted, progress, name, exported)


def _start(installation: Installation, wanted: str, progress: Progress, name: str = "", exported: Path | None = None) -> Box:
    """Start a new box, or go on with one that was exported; what there was of another one is removed."""
    backend = registry.choose(installation, wanted)
    origin = backend.prepare(installation, progress)
    directory = InstanceDir(installation, backend.name)
    driver = backend.driver(directory, origin)
    saved = driver.adopt(name, exported) if exported else Checkpoint("")
    if box_record(installation) or (installation.runtime / "box").exists():
        _end(installation)
    quota.require_memory(backend, origin)
    with progress.step("Starting your box"):
        startup.start(driver, directory, name=saved.hostname, checkpoint=saved.name)
    membership.rejoin_segment(installation)
    return Box(directory, driver)


def prepare(progress: Progress, wanted: str = registry.AUTO, installation: Installation | None = None, into: Path | None = None) -> None:
    """Make what a box on this computer runs from, and start none.

    Args:
        progress: shows the steps.
        wanted: a backend's name, or ``auto``.
        installation: the default one when not given.
        into: a directory that gets a copy for ``prebuilt.VARIABLE``, which others can start boxes from.

    Raises:
        NotOnThisBackend: such boxes run from nothing that could be copied.
        CourseError: a step failed; says why and what to do.
    """
    installation = installation or graded.installation()
    backend = registry.choose(installation, wanted)
    if into:
        backend.pack(installation, into.absolute(), progress)
    else:
        backend.prepare(installation, progress)


def current(installation: Installation | None = None) -> Box:
    """The box that runs.

    Raises:
        BoxNotRunning: there is none.
    """
    installation = installation or graded.installation()
    record = box_record(installation)
    if not record:
        try:
            why = f"The last attempt to start one has failed: {(installation.root / WHY_NOT).read_text()}"
        except OSError:
            why = "None was started, or it was taken down."
        raise BoxNotRunning("There is no box.", why, "course up")
    return _attach(installation, record)


def awaited() -> Box:
    """The box that runs; one that is being started at this moment is waited for, and a line says so.

    Raises:
        BoxNotRunning: there is none.
    """
    try:
        return current()
    except BoxNotRunning:
        installation = graded.installation()
        with installation.keeping_the_box("looking for the box"):  # whoever starts one holds the lock
            return current(installation)


def down(installation: Installation | None = None, progress: Progress | None = None, *, forget: bool = False) -> None:
    """Remove the box, its checkpoints and logs, all machines beside it, all golden images, and what killed commands left.

    The build, the templates and a JupyterLab that is still running stay.

    Args:
        installation: the default one if not given.
        progress: shows what is being waited for.
        forget: if the Docker engine of the box can't be reached, go on, and leave the container there.

    Raises:
        CourseError: that engine can't be reached.
    """
    installation = installation or graded.installation()
    with installation.changing_the_box("taking the box down", progress):
        _end(installation, forget=forget)
        (installation.root / WHY_NOT).unlink(missing_ok=True)
        if not any(psutil.pid_exists(int(server.stem.partition("-")[2])) for server in installation.jupyter.glob("jpserver-*.json")):
            shutil.rmtree(installation.jupyter, ignore_errors=True)
        for leftover in installation.boxes.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)


def _attach(installation: Installation, record: Record, *, resume: bool = False) -> Box:
    """The recorded box, with its relay started again if that was killed.

    Args:
        installation: that the box belongs to.
        record: of the box.
        resume: the caller holds the box's lock, so that a machine which is stopped was left so, and is to go on.

    Raises:
        BoxNotRunning: it has gone.
    """
    if not record.ready_s or not record.launched:
        raise BoxNotRunning("There is no box.", "One is being started, or its start was interrupted.", "course up")
    directory = InstanceDir(installation, record.backend)
    driver = registry.BACKENDS[record.backend].driver(directory, record.origin)
    if not record.alive:
        if not driver.alive():
            raise BoxNotRunning("There is no box.", "What ran it has ended, or its Docker engine does not answer.", "course up")
        startup.repair(driver, directory)
    if resume:
        driver.resume()
    return Box(directory, driver)


def _end(installation: Installation, *, forget: bool = False) -> None:
    """End the box and all machines beside it.  Checkpoints, golden images and the box's logs stay.

    Raises:
        CourseError: the Docker engine that a box runs on can't be reached; what is remembered of the box is kept.
    """
    record = box_record(installation)
    processes.end_all(str(installation.runtime))
    with suppress(CourseError) if forget else nullcontext():
        for backend in registry.BACKENDS.values():
            backend.remove_all(installation, record)
    InstanceDir(installation, "").forget()
    shutil.rmtree(installation.machines, ignore_errors=True)
    shutil.rmtree(installation.runtime, ignore_errors=True)
