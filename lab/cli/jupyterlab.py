"""JupyterLab as a child process: its settings, its log, its address, its end.

It has a log file instead of the terminal, because a server says much that is of no use to a learner.  It also has a process session of
its own, so that Ctrl-C reaches only us and we end it (JupyterLab itself would first ask a question on the terminal).  It ends when we
end, even when we are killed: its standard input is a pipe that only we hold open, and it watches that pipe (see ``jupyterlab_process.py``).
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.box.core.installation import Installation, private_directory
from lab.box.errors import CourseError, UsageError
from lab.box.wait import tail, wait_for

START_TIMEOUT_S = 180
END_TIMEOUT_S = 20


def options(settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Settings as options of JupyterLab's command line.  One that the user typed comes later, and wins.

    Args:
        settings: by class and name, as ``lab.jupyter.settings.chosen`` gives them.
    """
    found = [f"--{kind}.{name}={_written(value)}" for kind, values in settings.items() for name, value in values.items()]
    return [*found, "--allow-root"] if os.geteuid() == 0 else found


def _written(value: Any) -> str:
    match value:
        case Mapping():  # of one item, all of them
            return "".join(f"{key}={shlex.join(item)}" for key, item in value.items())
        case list() | set():
            return "".join(value)
        case _:
            return str(value)


def _empty_unless_another_writes(log: int) -> None:
    """Empty a log file, unless another JupyterLab of this installation writes into it: each holds a shared lock while it runs."""
    with suppress(BlockingIOError):
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(log, 0)
    fcntl.flock(log, fcntl.LOCK_SH)


class JupyterLab:
    """A JupyterLab that runs for the time of a ``with`` block.

    Args:
        installation: the installation.
        options: of the course, as ``options`` makes them.
        typed: JupyterLab's options that the user typed.
        exercises: the nbgrader course.
        docker_host: the address of the box's Docker Engine, for notebooks.
        teacher: nbgrader's tools for teachers are on.
    """

    def __init__(
        self, installation: Installation, options: Sequence[str], typed: Sequence[str], exercises: Path, docker_host: str, *, teacher: bool
    ) -> None:
        private_directory(installation.jupyter)
        self.log = installation.root / "jupyterlab.log"
        self._runtime, self._typed = installation.jupyter, typed
        # Who names a port wants that one, and not the next that is free.
        port = ["--ServerApp.port_retries=0"] if any(one.startswith(("--port", "--ServerApp.port=")) for one in typed) else []
        self._command = [sys.executable, "-m", "lab.cli.jupyterlab_process", "teacher" if teacher else "learner", *options, *port, *typed]
        config = os.pathsep.join(filter(None, [str(exercises), os.environ.get("JUPYTER_CONFIG_PATH")]))
        self._environment = {"DOCKER_HOST": docker_host, "JUPYTER_RUNTIME_DIR": str(self._runtime), "JUPYTER_CONFIG_PATH": config}

    def __enter__(self) -> Self:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "wb") as log:  # noqa: PTH123  (a path alone can't be opened with a mode)
            os.fchmod(descriptor, 0o600)  # it has the token; an older file may have had another mode
            _empty_unless_another_writes(descriptor)
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE, stdout=log, stderr=log, env={**os.environ, **self._environment}, start_new_session=True,
            )  # fmt: skip
        self._info = self._runtime / f"jpserver-{self._process.pid}.json"
        self._info.unlink(missing_ok=True)  # of a server that was killed, and had the same process id
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin
        self._process.terminate()
        try:
            self._process.wait(END_TIMEOUT_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._process.kill()
            self._process.wait()
        self._process.stdin.close()

    def wait_for_address(self) -> str:
        """The address to open in a browser, with its token, once JupyterLab serves there.

        JupyterLab writes it into a file in its runtime directory as soon as it listens.

        Raises:
            CourseError: JupyterLab ended instead; with the last lines of its log.
            WaitTimeout: it took too long.
        """

        def look() -> dict[str, str]:
            if (code := self._process.poll()) is not None:
                cure = f"course lab, without {shlex.join(self._typed)}" if self._typed else "course doctor"
                wrong = UsageError if code == UsageError.exit_code else CourseError
                raise wrong(f"JupyterLab did not start (exit code {code}).", self.log_tail(), cure)
            try:
                return dict(json.loads(self._info.read_text()))
            except ValueError:
                raise BlockingIOError(f"{self._info} is being written") from None

        info = wait_for("JupyterLab", look, timeout_s=START_TIMEOUT_S, every_s=0.1, log=self.log)
        return f"{info['url']}lab" + (f"?token={info['token']}" if info["token"] else "")

    def wait(self) -> int:
        """Wait until JupyterLab ends, as when a user shuts it down in its menu; its exit code."""
        return self._process.wait()

    def log_tail(self) -> str:
        """The last lines of the log."""
        return tail(self.log, 4)
