"""The ``course`` command.

It says little when all is well, and three things when it isn't: what is wrong, why, and what to type next.  Exit code 0, 1 (it failed) or
2 (you asked wrongly).  ``--json`` prints a state for programs; times are seconds, under keys that end in ``_s``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from lab.box import ephemeral, lifecycle, machines
from lab.box.core.installation import Installation, private_directory
from lab.box.core.progress import Advance
from lab.box.errors import CourseError, UsageError
from lab.box.instances.box import Box
from lab.box.instances.instance import Instance, InstanceStatus

app = typer.Typer(
    help="A box to learn on: a disposable Linux machine with a real Docker Engine inside.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
)  # fmt: skip
out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the state as JSON.")]
Forget = Annotated[bool, typer.Option("--forget", help="Also where the Docker engine that the box is on is gone for good.")]
LESSONS = Path(__file__).parents[1] / "notebooks"
JUPYTER = Path(__file__).parent / "jupyter"
"""JupyterLab's settings for the course, and how its window looks the first time."""
WORKSPACE = "default-37a8.jupyterlab-workspace"
"""The file in which JupyterLab keeps the layout of its window."""
NotebookFolder = Annotated[Path, typer.Option("--notebooks", help="The folder to open: a copy of the lessons, say.")]
BackendName = Annotated[str, typer.Option("--backend", help="auto, microvm or container.")]


class Terminal:
    """Shows the steps of long work: a moving bar on a terminal, a line per step elsewhere; on standard error."""

    @contextmanager
    def step(self, title: str) -> Iterator[Advance]:
        """Show *title* until the step ends, then how long it took."""
        began = time.monotonic()
        columns = (SpinnerColumn("line"), TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn())
        with Bar(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
            task = bar.add_task(title, total=None)
            yield lambda fraction: bar.update(task, total=1.0, completed=fraction)
        err.print(f"{title}: done in {time.monotonic() - began:.1f} s")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Name every requirement, what was found, and what mends it.  Installs nothing."""
    from lab.box.doctor import examine  # noqa: PLC0415  (only this command looks at everything)

    findings = examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        table = Table(box=None, pad_edge=False)
        for heading in ("", "needed", "found", "to mend it"):
            table.add_column(heading, overflow="fold")
        for finding in findings:
            mark = "ok" if finding.ok else "MISSING" if finding.required else "no"
            table.add_row(mark, finding.name, finding.found, "" if finding.ok else finding.mend)
        out.print(table)
    if any(finding.required and not finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def build() -> None:
    """Make what boxes run from.  ``up`` does it when needed; what was finished before an interruption is kept."""
    lifecycle.prepare(Terminal())


@app.command()
def up(backend: BackendName = "auto", as_json: AsJson = False) -> None:
    """Start your box, or find the one that runs."""
    _show(lifecycle.up(backend, Terminal()), as_json)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say how your box is, and the machines beside it."""
    _show(lifecycle.current(), as_json)


@app.command()
def shell() -> None:
    """Open a root shell on your box."""
    box = lifecycle.current()
    raise typer.Exit(subprocess.run([*box.ssh], check=False).returncode)


@app.command()
def reset(as_json: AsJson = False) -> None:
    """Put a pristine box in the place of yours.  Checkpoints stay."""
    box = lifecycle.current()
    with Terminal().step("Resetting your box"):
        box.reset()
    _show(box, as_json)


@app.command()
def checkpoint(name: str) -> None:
    """Save your box as it is, under a name."""
    box = lifecycle.current()
    with Terminal().step(f"Saving {name}"):
        box.checkpoint(name)
    out.print(f"Saved. Back to it with: course rewind {name}")


@app.command()
def rewind(name: str, as_json: AsJson = False) -> None:
    """Go back to a checkpoint."""
    box = lifecycle.current()
    with Terminal().step(f"Going back to {name}"):
        box.rewind(name)
    _show(box, as_json)


@app.command()
def down(forget: Forget = False) -> None:
    """Remove your box, its checkpoints, and everything else that runs.  What was built stays."""
    lifecycle.down(forget=forget)
    ephemeral.sweep(Installation.open())
    out.print("Your box is gone; nothing of it runs. What was built is kept for the next one.")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(context: typer.Context, backend: BackendName = "auto", notebooks: NotebookFolder = LESSONS) -> None:
    """Start your box and open the lessons in JupyterLab; further options are passed to it."""
    if not notebooks.is_dir():
        raise UsageError(
            f"There is no folder {notebooks}.", "The lessons are in a checkout of the course.", "course lab --notebooks FOLDER"
        )
    box = lifecycle.up(backend, Terminal())
    err.print(f"The lessons are in {notebooks}. End JupyterLab with Ctrl-C; your box stays until: course down")
    command = [sys.executable, "-m", "jupyter", "lab", f"--ServerApp.root_dir={notebooks.absolute()}"]
    command.append("--ServerKernelManager.transport=ipc")  # for its own kernels, not for those that the formgrader starts
    command.append(f"--LabApp.app_settings_dir={JUPYTER}")
    command.append(f"--LabApp.workspaces_dir={_workspaces(Installation.open())}")
    if os.geteuid() == 0:
        command.append("--allow-root")
    sockets = Installation.open().jupyter
    private_directory(sockets)
    settings = os.pathsep.join(filter(None, [str(LESSONS.parent / "exercises"), os.environ.get("JUPYTER_CONFIG_PATH")]))
    ours = {"DOCKER_HOST": box.docker_host, "JUPYTER_RUNTIME_DIR": str(sockets), "JUPYTER_CONFIG_PATH": settings}
    os.execve(sys.executable, [*command, *context.args], {**os.environ, **ours})  # noqa: S606 (so that signals reach it)


for found in entry_points(group="course.commands"):
    app.command(found.name)(found.load())


def _workspaces(installation: Installation) -> Path:
    """Where the course's JupyterLab keeps its layout, apart from the one of the user's own; begun with the table of contents open."""
    directory = installation.root / "workspaces"
    private_directory(directory)
    if not (directory / WORKSPACE).exists():
        shutil.copy(JUPYTER / "workspace.json", directory / WORKSPACE)
    return directory


def _show(box: Box, as_json: bool) -> None:
    state, beside_it = box.status(), _machines()
    if as_json:
        print(json.dumps({**asdict(state), "machines": [asdict(machine) for machine in beside_it]}, indent=1))
        return
    runs = {"kvm": "a virtual machine", "tcg": "an emulated virtual machine", "native": "a container"}[state.accelerator]
    out.print(f"{state.name} is up: {runs}, ready after {state.ready_s:.1f} s, {state.memory_mb:.0f} MB of memory.")
    out.print(f"Docker {state.engine_version}. To use it from this shell:\n  export DOCKER_HOST={state.docker_host}")
    if beside_it:
        table = Table("machine beside it", "address", "backend", "memory", box=None, pad_edge=False)
        for machine in beside_it:
            memory = f"{machine.memory_mb:.0f} MB" if machine.alive else "it does not run"
            table.add_row(machine.name, machine.address, machine.backend, memory)
        out.print(table)
    if state.checkpoints:
        table = Table("checkpoint", "", box=None, pad_edge=False)
        for saved in state.checkpoints:
            table.add_row(saved.name, saved.misfit or f"back to it with: course rewind {saved.name}")
        out.print(table)


def _machines() -> list[InstanceStatus]:
    """How the machines beside the box are."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(Instance.status, machines.all()))


def main() -> None:
    """Run the command; a user's mistake ends in a sentence, not in a traceback."""
    try:
        app()
    except CourseError as error:
        err.print(str(error), markup=False)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        err.print("Stopped. What was finished is kept.")
        raise SystemExit(130) from None
