"""``course lab``: start the box, and JupyterLab with the lessons on it."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from lab.box import lifecycle
from lab.box.core.installation import Installation
from lab.box.errors import CourseError, UsageError
from lab.cli.jupyterlab import JupyterLab, options
from lab.cli.output import BackendName, Steps, out
from lab.jupyter.settings import chosen

CHECKOUT = Path(__file__).parents[2]
NotebookFolder = Annotated[Path, typer.Option("--notebooks", help="The folder to open: a copy of the lessons, say.")]
ExerciseFolder = Annotated[Path, typer.Option("--exercises", help="The nbgrader course: a copy of exercises, or one of your own.")]
Teacher = Annotated[bool, typer.Option("--teacher", help="Add nbgrader's tools for teachers: the formgrader, Create Assignment …")]


def lab(
    context: typer.Context,
    backend: BackendName = "auto",
    notebooks: NotebookFolder = CHECKOUT / "notebooks",
    exercises: ExerciseFolder = CHECKOUT / "exercises",
    teacher: Teacher = False,
) -> None:
    """Start your box and open the lessons in JupyterLab; further options are passed to it."""
    if not notebooks.is_dir():
        raise UsageError(
            f"There is no folder {notebooks}.", "The lessons are in a checkout of the course.", "course lab --notebooks FOLDER"
        )
    if not (exercises / "nbgrader_config.py").is_file():
        raise UsageError(
            f"{exercises} is not an nbgrader course.", "There is no nbgrader_config.py in it.", "course lab --exercises FOLDER"
        )
    box, installation = lifecycle.up(backend, Steps()), Installation.open()
    wanted = options(chosen(installation, notebooks.absolute(), exercises.absolute(), teacher=teacher))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with JupyterLab(installation, wanted, context.args, exercises.absolute(), box.docker_host, teacher=teacher) as server:
        out.print(f"Your box is ready. The lessons are in {notebooks}", markup=False)
        with Steps().step("Starting JupyterLab"):
            address = server.wait_for_address()
        out.print(f"JupyterLab: {address}", markup=False)
        out.print(f"Its log:    {server.log}", markup=False)
        out.print("Ctrl-C ends JupyterLab. Your box stays until you type: course down")
        try:
            code = server.wait()
        except KeyboardInterrupt:
            code = 0
    if code:
        raise CourseError(
            f"JupyterLab has ended with exit code {code}.", server.log_tail(), f"course lab; the whole log is in {server.log}"
        )
    out.print("JupyterLab has ended. Your box stays until you type: course down")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt
