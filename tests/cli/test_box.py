"""``course shell --stay``, which is what JupyterLab's box terminal runs."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lab.box.instances.box import Box
from tests.conftest import Running
from tests.support.course import COURSE

ASK_NAME = "echo $(hostname) = $((6 * 7))"
"""Its answer differs from what the terminal echoes."""


class Terminal:
    """A terminal in which ``course shell --stay`` runs."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._read = ""

    def type(self, line: str) -> None:
        os.write(self._descriptor, f"{line}\n".encode())

    def read_until(self, text: str, timeout_s: float = 60) -> str:
        """What is printed until *text* is; what was returned before is not looked at again."""
        deadline = time.monotonic() + timeout_s
        while text not in self._read:
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} in {self._read!r}"
            if select.select([self._descriptor], [], [], left)[0]:
                self._read += os.read(self._descriptor, 65536).decode(errors="replace")
        before, _, self._read = self._read.partition(text)
        return before + text


@contextmanager
def terminal(environment: Mapping[str, str]) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    ours, theirs = pty.openpty()
    with subprocess.Popen([*COURSE, "shell", "--stay"], env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as shell:
        os.close(theirs)
        try:
            yield Terminal(ours), shell
        finally:
            with suppress(ProcessLookupError):
                shell.kill()
            os.close(ours)


def test_without_a_box_it_says_so_and_stays(tmp_path: Path) -> None:
    with terminal(os.environ | {"COURSE_STATE": str(tmp_path)}) as (screen, shell):
        said = screen.read_until("Press Enter")
        assert "There is no box." in said
        assert "Next: course up" in said
        screen.type("")
        assert "There is no box." in screen.read_until("Press Enter")
        assert shell.poll() is None


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_a_reset_does_not_close_it(running: Running, box: Box) -> None:
    with terminal(running.environment) as (screen, shell):
        screen.type(ASK_NAME)
        assert f"{box.status().name} = 42" in screen.read_until(" = 42\r\n")
        box.reset()
        assert "The connection to your box has ended" in screen.read_until("Press Enter")
        screen.type("")
        screen.type(ASK_NAME)
        assert f"{box.status().name} = 42" in screen.read_until(" = 42\r\n")
        screen.type("exit 3")
        assert shell.wait(20) == 3
