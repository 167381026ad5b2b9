"""The ``course`` command.

Where all is well it prints little.  Where something is wrong it prints three things: what is wrong, why, and the command to type next.
Exit codes: 0, 1 (it failed) or 2 (the command was typed wrongly).  With ``--json`` a command prints a state for programs; times are
seconds, under keys that end in ``_s``.

One module for each group of commands: ``box`` (the box's life), ``doctor`` (what this computer has), ``lab`` (JupyterLab) and
``save_file``.
"""

from __future__ import annotations

import os
from importlib.metadata import entry_points

import typer

from lab.box.core import graded
from lab.box.core.inside import NBGRADER
from lab.box.errors import CourseError
from lab.cli import box, doctor, lab, save_file
from lab.cli.output import err

app = typer.Typer(
    help="A box to learn on: a disposable Linux machine with a real Docker Engine inside.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
)  # fmt: skip

for command in (
    doctor.doctor,
    box.build,
    box.up,
    box.status,
    box.shell,
    box.reset,
    box.checkpoint,
    box.rewind,
    box.branch,
    box.down,
    save_file.save,
    save_file.load,
):
    app.command()(command)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(lab.lab)
for found in entry_points(group="course.commands"):
    app.command(found.name)(found.load())


def main() -> None:
    """Run the command; a user's mistake ends in a sentence, not in a traceback."""
    try:
        if NBGRADER in os.environ:  # typed in a cell of a notebook that nbgrader runs
            graded.separate()
        app()
    except CourseError as error:
        err.print(str(error), markup=False)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        err.print("Stopped. What was finished is kept.")
        raise SystemExit(130) from None
