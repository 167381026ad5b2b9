"""``course up``, ``status``, ``shell``, ``reset`` …: the commands for the box's life."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from lab.box import ephemeral, lifecycle, machines
from lab.box.core.installation import Installation
from lab.box.errors import CourseError
from lab.box.instances.box import Box
from lab.box.instances.instance import Instance, InstanceStatus
from lab.cli.output import AsJson, BackendName, Steps, out

Forget = Annotated[bool, typer.Option("--forget", help="Also where the Docker engine that the box is on is gone for good.")]
Stay = Annotated[bool, typer.Option("--stay", help="When the connection fails or ends, wait for Enter and connect again.")]
MachineName = Annotated[str, typer.Argument(metavar="[MACHINE]", help="Such as web-1; without one, your box.", show_default=False)]
BranchName = Annotated[str, typer.Argument(metavar="NAME", help="Such as plan-b.", show_default=False)]
Into = Annotated[
    Path | None,
    typer.Option("--into", metavar="FOLDER", help="Copy it there, as small as can be: boxes start from it where COURSE_PREBUILT names it."),
]
SSH_FAILED = 255
"""The exit code of ``ssh`` when there is no connection, or no longer one."""


def build(backend: BackendName = "auto", into: Into = None) -> None:
    """Make what boxes run from.  ``up`` does it when needed; what was finished before an interruption is kept."""
    lifecycle.prepare(Steps(), backend, into=into)


def up(backend: BackendName = "auto", as_json: AsJson = False) -> None:
    """Start your box, or find the one that runs."""
    _show(lifecycle.up(backend, Steps()), as_json)


def status(as_json: AsJson = False) -> None:
    """Show the state of your box, and of the machines beside it."""
    _show(lifecycle.current(), as_json)


def shell(machine: MachineName = "", stay: Stay = False) -> None:
    """Open a root shell on your box, or on a machine beside it."""
    raise typer.Exit(_shell_again_and_again(machine) if stay else _shell(machine))


def _shell(machine: str) -> int:
    """Run a shell on the current box, or on the machine of that name; its exit code."""
    there = machines.find(machine) if machine else lifecycle.current()
    return subprocess.run([*there.ssh], check=False).returncode


def _shell_again_and_again(machine: str) -> int:
    """Run a shell, and offer another one when it could not start or was cut off; the exit code of one that ended normally.

    JupyterLab closes a terminal as soon as its program ends, and nobody could read why.
    """
    while True:
        try:
            code = _shell(machine)
            if code < 0:  # the ssh command was killed, with the box
                code = SSH_FAILED
            reason = "The connection to your box has ended. A reset or `course down` does that."
        except CourseError as error:
            code, reason = SSH_FAILED, str(error)
        if code != SSH_FAILED:
            return code
        out.print(reason, markup=False)
        try:
            input("Press Enter here to connect again. ")
        except EOFError:
            return code


def reset(as_json: AsJson = False) -> None:
    """Replace your box with a pristine one.  Checkpoints stay."""
    box = lifecycle.current()
    box.reset(Steps())
    _show(box, as_json)


def checkpoint(name: str) -> None:
    """Save your box as it is, under a name."""
    box = lifecycle.current()
    box.checkpoint(name, Steps())
    out.print(f"Saved. Back to it with: course rewind {name}")


def rewind(name: str, as_json: AsJson = False) -> None:
    """Go back to a checkpoint."""
    box = lifecycle.current()
    box.rewind(name, Steps())
    _show(box, as_json)


def branch(name: BranchName) -> None:
    """Start a machine beside your box that goes on from here as well, processes and all."""
    machine = lifecycle.current().branch(name, Steps())
    out.print(f"{machine.name} goes on from here, at {machine.address}. A shell on it: course shell {machine.name}")


def down(forget: Forget = False) -> None:
    """Remove your box, its checkpoints, the machines beside it and their images.  The build and a running JupyterLab stay."""
    lifecycle.down(progress=Steps(), forget=forget)
    ephemeral.sweep(Installation.open())
    out.print("Your box is gone; nothing of it runs. What was built is kept for the next one.")


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
            table.add_row(saved.name, saved.incompatibility or f"back to it with: course rewind {saved.name}")
        out.print(table)


def _machines() -> list[InstanceStatus]:
    """The state of each machine beside the box."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(Instance.status, machines.all()))
