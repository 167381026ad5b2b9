"""The life of the box: bringing one up, finding it again, taking it down.  Its being replaced and saved is ``instances/box.py``."""

from __future__ import annotations

import shutil
from contextlib import nullcontext, suppress

import psutil

from lab.box.core import processes
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir, box_record
from lab.box.core.progress import Progress, Quiet
from lab.box.core.record import Record
from lab.box.drivers import registry
from lab.box.errors import BoxNotRunning, CourseError
from lab.box.instances import membership, startup
from lab.box.instances.box import Box


def up(wanted: str = registry.AUTO, progress: Progress | None = None, installation: Installation | None = None) -> Box:
    """The current box, or a new one where there is none; built first where nothing was.

    Args:
        wanted: the backend; a box that runs on another one is replaced only when it was named.
        progress: shows the steps.
        installation: the default one when not given.

    Raises:
        CourseError: it could not be had; says why and what to do.
    """
    installation, progress = installation or Installation.open(), Quiet() if progress is None else progress
    with installation.changing_the_box("starting the box", progress):
        record = box_record(installation)
        if record and wanted in (registry.AUTO, record.backend):
            with suppress(BoxNotRunning):
                return _attach(installation, record)
        backend = registry.choose(installation, wanted)
        origin = backend.prepare(installation, progress)
        if record or (installation.runtime / "box").exists():
            _end(installation)
        directory = InstanceDir(installation, backend.name)
        driver = backend.driver(directory, origin)
        with progress.step("Starting your box"):
            startup.start(driver, directory)
        membership.rejoin_segment(installation)
    return Box(directory, driver)


def prepare(progress: Progress, wanted: str = registry.AUTO, installation: Installation | None = None) -> None:
    """Make what a box on this computer runs from, and start none.

    Raises:
        CourseError: a step failed; says why and what to do.
    """
    installation = installation or Installation.open()
    registry.choose(installation, wanted).prepare(installation, progress)


def current(installation: Installation | None = None) -> Box:
    """The box that runs.

    Raises:
        BoxNotRunning: there is none.
    """
    installation = installation or Installation.open()
    record = box_record(installation)
    if not record:
        raise BoxNotRunning("There is no box.", "None was started, or it was taken down.", "course up")
    return _attach(installation, record)


def down(installation: Installation | None = None, progress: Progress | None = None, *, forget: bool = False) -> None:
    """Remove the box, and whatever a killed part of one may have left behind.  What was built stays, and a JupyterLab that still runs.

    Args:
        installation: the default one when not given.
        progress: shows what has to be waited for.
        forget: go on where the Docker engine that the box is on can't be reached, and leave it there.

    Raises:
        CourseError: that engine can't be reached.
    """
    installation = installation or Installation.open()
    with installation.changing_the_box("taking the box down", progress):
        _end(installation, forget=forget)
        if not any(psutil.pid_exists(int(server.stem.partition("-")[2])) for server in installation.jupyter.glob("jpserver-*.json")):
            shutil.rmtree(installation.jupyter, ignore_errors=True)
        for leftover in installation.boxes.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)


def _attach(installation: Installation, record: Record) -> Box:
    """The recorded box, with its relay started again if that was killed.

    Raises:
        BoxNotRunning: it has gone.
    """
    if not record.ready_s or not record.launched:
        raise BoxNotRunning("There is no box.", "One is being started, or its start was interrupted.", "course up")
    directory = InstanceDir(installation, record.backend)
    driver = registry.driver_of(directory)
    if not record.alive:
        if not driver.alive():
            raise BoxNotRunning("There is no box.", "What ran it has ended, or its Docker engine does not answer.", "course up")
        driver.repair()
    return Box(directory, driver)


def _end(installation: Installation, *, forget: bool = False) -> None:
    """End all boxes of this installation: processes, containers, volumes, sockets.  Checkpoints and logs stay.

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
