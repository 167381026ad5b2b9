"""What ``course doctor`` prints, on terminals of several widths and into a pipe."""

from __future__ import annotations

import json
import os
import pty
import struct
import subprocess
import termios
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path

import pytest

from lab.box.doctor import Finding
from lab.cli.doctor import lines
from tests.support.course import COURSE, course

LONG_PATH = "/home/somebody/with/a/long/name/.local/state/kubernetes-by-analogy/and-more"
FINDINGS = [
    Finding("Python 3.11 or later", ok=True, found="3.11.7"),
    Finding("room", ok=True, found=f"{LONG_PATH}: 79 GB free; 24.2 GB of memory available"),
    Finding("KVM, which makes it fast", ok=False, found="/dev/kvm is not there", mend="nothing to type: it is only slower", required=False),
    Finding("mkfs.erofs", ok=False, found="not installed", mend="sudo apt-get install -y --no-install-recommends erofs-utils"),
]


def words(findings: list[Finding]) -> list[str]:
    return [word for one in findings for word in f"{one.name}: {one.found} {'' if one.ok else one.mend}".split()]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_word_and_no_path_is_broken(width: int) -> None:
    printed = lines(FINDINGS, width)

    marks = ("ok", "no", "MISSING")
    assert [word for line in printed for word in line.split() if not line.startswith(marks) or word != line.split()[0]] == words(FINDINGS)
    assert all(len(line) <= width or len(line.split()) == 1 for line in printed)


def test_what_is_missing_is_said_and_how_to_get_it() -> None:
    printed = lines(FINDINGS, 80)

    assert "MISSING  mkfs.erofs: not installed" in printed
    assert "         sudo apt-get install -y --no-install-recommends erofs-utils" in printed
    assert "ok       Python 3.11 or later: 3.11.7" in printed


def test_nothing_is_wrapped_in_a_pipe() -> None:
    printed = lines(FINDINGS, None)

    assert f"ok       room: {FINDINGS[1].found}" in printed
    assert len(printed) == len(FINDINGS) + 2


@pytest.mark.parametrize("columns", [60, 80])
def test_the_command_knows_its_terminal(columns: int, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    env |= {"COURSE_STATE": str(tmp_path / "a state directory"), "TERM": "xterm"}
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen([*COURSE, "doctor"], env=env, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        said = b""
        with suppress(OSError):  # the other end is closed
            while part := os.read(ours, 65536):
                said += part
    os.close(ours)

    findings = [Finding(**one) for one in json.loads(course("doctor", "--json", env=env).out)]
    changing = ("GB", "free")  # between the two runs
    expected = [word for word in words(findings) if not word[0].isdigit() and not word.startswith(changing)]
    assert [word for word in expected if word not in said.decode().split()] == []
    assert all(len(line) <= columns or len(line.split()) == 1 for line in said.decode().splitlines())
