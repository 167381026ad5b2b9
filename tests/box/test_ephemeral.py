"""An installation beside the learner's own: a pristine box for one process, which goes with it, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.course import traces, until

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from tests.conftest import Running

SCRIPT = """
import os, sys
from lab.box import connect
from lab.box.ephemeral import enter
box = enter()
assert enter().docker_host == box.docker_host == connect().docker_host == os.environ["DOCKER_HOST"]
print(box.docker_host, box.sh("hostname; ls /root").stdout.split(), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.full), None])
def test_it_is_pristine_and_goes_with_its_process(running: Running, box: Box, end: signal.Signals | None) -> None:
    box.sh("touch /root/mine")
    env = running.environment | {"DOCKER_HOST": box.docker_host}  # as in a notebook
    with subprocess.Popen([sys.executable, "-c", SCRIPT], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        address, said = process.stdout.readline().split(maxsplit=1)
        assert address != box.docker_host
        assert box.status().name not in said
        assert "mine" not in said
        if end:
            process.send_signal(end)
        else:
            process.stdin.close()
    installation = running.installation
    until("it to go", lambda: not [trace for trace in traces(installation.root, installation.runtime) if "beside/" in trace])
    assert list(installation.ephemeral.glob("[0-9]*")) == []
    assert box.sh("ls /root").stdout == "mine\n"
    box.sh("rm /root/mine")


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_its_machines_are_on_the_computer_s_engine_and_not_on_itself(running: Running, box: Box, tmp_path: Path) -> None:
    """The engine is named by a context, so that no variable names it: as with the default socket of most computers."""
    assert box
    env = {**running.environment, "DOCKER_CONFIG": str(tmp_path)}
    if address := env.pop("DOCKER_HOST", ""):
        subprocess.run(["docker", "context", "create", "mine", "--docker", f"host={address}"], env=env, check=True, capture_output=True)
        (tmp_path / "config.json").write_text('{"currentContext": "mine"}')
    code = "from lab.box.ephemeral import enter; from lab.box import machines; enter(); print(machines.create('beside').sh('hostname'))"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("beside", "")
    until("it to go", lambda: not list(running.installation.ephemeral.glob("[0-9]*")))
