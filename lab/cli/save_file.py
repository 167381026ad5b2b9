"""``course save`` and ``course load``: take home what you have done, and go on elsewhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.lab import CHECKOUT, NotebookFolder
from lab.cli.output import Steps, out

SaveFile = Annotated[Path, typer.Argument(metavar="FILE", help="Such as my-work.zip; it must not be there yet.", show_default=False)]
Source = Annotated[str, typer.Argument(metavar="FILE", help="That course save has written; or an address, https://…", show_default=False)]
WithBox = Annotated[bool, typer.Option("--box", help="Your box, too, as it is now: files, containers, processes.")]


def save(file: SaveFile, box: WithBox = False, notebooks: NotebookFolder = CHECKOUT / "notebooks") -> None:
    """Save notebooks, predictions and progress into one file, to go on elsewhere."""
    from lab.save_file.save import save as write  # noqa: PLC0415  (of all commands, only these two need it)

    saved = write(file.expanduser().absolute(), notebooks, box=box, progress=Steps())
    out.print(f"Saved: {saved.path} ({saved.size_mb:.1f} MB)", markup=False)
    out.print(f"It has {saved.described}.", markup=False)
    out.print(f"To go on elsewhere: course load {saved.path.name}", markup=False)


def load(file: Source) -> None:
    """Take over what is in such a file.  Nothing of yours is overwritten."""
    from lab.save_file.load import load as read  # noqa: PLC0415

    loaded = read(file, Steps())
    out.print(f"It was saved on {time.strftime('%Y-%m-%d at %H:%M', time.localtime(loaded.saved))}.")
    out.print(f"New: {loaded.predictions} predictions, {loaded.tasks} tasks. What you have had yourself stays.")
    out.print(f"The {loaded.files} files are in {loaded.notebooks}", markup=False)
    if loaded.box:
        out.print(f"Your box goes on as {loaded.box.status().name}.")
        if loaded.before:
            out.print(f"Back to the one that you had: course rewind {loaded.before}")
    elif loaded.why_no_box:
        out.print(f"The box in it was left out. {loaded.why_no_box}", markup=False)
    out.print(f"To open them: course lab --notebooks {loaded.notebooks}", markup=False)
