"""JupyterLab's settings for the course, wherever it is started: by ``course lab``, or by Binder."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from lab.box.core.installation import Installation, private_directory

HERE = Path(__file__).parent
"""Settings that are files, the extension with the box terminal, and the window's layout for the first time.

Of its folders, ``course`` is for everybody, ``learner`` switches nbgrader's tools for teachers off, and ``without-exchange`` its assignment
list.
"""
WORKSPACE = "default-37a8.jupyterlab-workspace"
"""The file in which JupyterLab keeps the layout of its window."""
BOX_TERMINAL = [sys.executable, "-m", "lab.cli", "shell", "--stay"]


def chosen(installation: Installation, notebooks: Path, exercises: Path, *, teacher: bool = False) -> dict[str, dict[str, Any]]:
    """The settings that depend on where things are, by class and name.

    Args:
        installation: the installation.
        notebooks: the folder to open.
        exercises: the nbgrader course.
        teacher: nbgrader's formgrader is used; it works only when its course is inside the server's root directory.
    """
    root = Path(os.path.commonpath([notebooks.resolve(), exercises.resolve()])) if teacher else notebooks
    return {
        "ServerApp": {
            "root_dir": str(root),
            "preferred_dir": str(notebooks.resolve() if teacher else notebooks),
            "terminado_settings": {"shell_command": BOX_TERMINAL},
        },
        "ServerKernelManager": {"transport": "ipc"},  # for its own kernels, not for those that the formgrader starts
        "LabApp": {
            "app_settings_dir": str(HERE),
            "extra_labextensions_path": [str(HERE / "labextensions")],
            "workspaces_dir": str(_workspaces(installation)),
        },
        # The kernel in the box is for what runs notebooks.
        **({} if teacher else {"KernelSpecManager": {"allowed_kernelspecs": {"python3"}}}),
    }


def _workspaces(installation: Installation) -> Path:
    """Where JupyterLab keeps the layout of the course's window, apart from the user's own; at first the table of contents is open."""
    directory = installation.root / "workspaces"
    private_directory(directory)
    if not (directory / WORKSPACE).exists():
        shutil.copy(HERE / "workspace.json", directory / WORKSPACE)
    return directory


def profiles(*, teacher: bool, exchange: bool) -> list[Path]:
    """The folders with settings that are files, for ``JUPYTER_CONFIG_PATH``.

    Args:
        teacher: nbgrader's tools for teachers are on.
        exchange: nbgrader has an exchange, the directory through which assignments are handed out and in.
    """
    names = ["course", *([] if teacher else ["learner"]), *([] if exchange else ["without-exchange"])]
    return [HERE / name for name in names]
