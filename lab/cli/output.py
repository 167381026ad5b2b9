"""Where the ``course`` command prints: results on standard output, progress and errors on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from lab.box.core.progress import Advance

out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the state as JSON.")]
BackendName = Annotated[str, typer.Option("--backend", help="auto, microvm or container.")]


class Steps:
    """Shows the steps of long work on standard error: a moving bar on a terminal, one line per finished step elsewhere."""

    @contextmanager
    def step(self, title: str) -> Iterator[Advance]:
        """Show *title* until the step ends, then how many seconds it took."""
        began = time.monotonic()
        columns = (SpinnerColumn("line"), TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn())
        with Bar(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
            task = bar.add_task(title, total=None)
            yield lambda fraction: bar.update(task, total=1.0, completed=fraction)
        err.print(f"{title}: done in {time.monotonic() - began:.1f} s")
