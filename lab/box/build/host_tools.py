"""Finding and running the programs of the computer that a box is built on: mmdebstrap, mkfs.erofs and their like."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from lab.box.errors import BuildError

SYSTEM_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find_program(name: str) -> str | None:
    """Where a program of the builder's computer is; Debian keeps some off an ordinary user's PATH."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_PATH]))


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a program of the builder's computer; its output.

    Raises:
        BuildError: it is missing, or failed; with its last lines.
    """
    program = find_program(str(command[0]))
    if not program:
        raise BuildError(f"The build needs the program {command[0]}.", "It is not installed here.", "course doctor")
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_PATH])
    done = subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path, **(env or {})}
    )
    if done.returncode:
        lines = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise BuildError(f"{Path(command[0]).name} failed with exit code {done.returncode}.", lines, "course build, once that is mended")
    return done.stdout
