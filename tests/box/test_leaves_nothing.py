"""After ``course down`` nothing is left, however the box, or the command that started it, came to its end."""

from __future__ import annotations

import shlex
import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import docker
import pytest

from lab.box import lifecycle
from lab.box.core.instance_dir import InstanceDir, box_record
from lab.box.core.record import Launched
from tests.support.course import COURSE, course, traces, until

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from tests.conftest import Running


def left(running: Running) -> list[str]:
    """What is left of an installation's boxes."""
    engine = running.environment if running.backend == "container" else None
    return traces(running.installation.root, running.installation.runtime, engine)


def launched_by(running: Running) -> Launched:
    record = box_record(running.installation)
    assert record
    assert record.launched
    return record.launched


def kill_machine(running: Running) -> None:
    """End what runs the box, as a crash would."""
    launched = launched_by(running)
    if launched.vm:
        launched.vm.kill()
        return
    with closing(docker.from_env(environment=running.environment)) as outer:
        outer.containers.get(launched.container).kill()


def kill_relay(running: Running) -> None:
    launched_by(running).relay.kill()


def forget(running: Running) -> None:
    InstanceDir(running.installation, "").record_file.unlink()


def reboot(running: Running) -> None:
    """From inside, as a learner may try."""
    lifecycle.current(running.installation).sh("(sleep 0.2; busybox reboot -f) > /dev/null 2>&1 < /dev/null &")
    until("the machine's end", lambda: course("status", env=running.environment).code == 1)


def garble(running: Running) -> None:
    InstanceDir(running.installation, "").record_file.write_text('{"name": "box-')


def test_down_leaves_nothing_and_can_be_said_twice(running: Running, box: Box) -> None:
    box.url(8080)
    with box.kernel():
        assert left(running) != []
        done = course("down", env=running.environment)
    assert (done.code, left(running)) == (0, [])
    done = course("down", env=running.environment)
    assert (done.code, left(running)) == (0, [])
    assert course("status", env=running.environment).code == 1
    assert lifecycle.up(running.backend, installation=running.installation).sh("echo again").stdout == "again\n"


def freeze(running: Running) -> None:
    """A paused container: under control groups of the first version nobody can kill what is in it."""
    lifecycle.current(running.installation).sh("docker run -d --name frozen app:v1 && docker pause frozen", check=True)


ACCIDENTS = [[kill_relay], [kill_machine, kill_relay, forget], [garble], [freeze]]
HALF_OF_ONE = [[kill_machine], [forget]]


@pytest.mark.parametrize(
    "blows",
    [*ACCIDENTS, *(pytest.param(blows, marks=pytest.mark.full) for blows in HALF_OF_ONE)],
    ids=lambda blows: "+".join(blow.__name__ for blow in blows),
)
def test_down_clears_up_after_an_accident(running: Running, box: Box, blows: list[Callable[[Running], None]]) -> None:
    assert box
    for blow in blows:
        blow(running)
    assert course("down", env=running.environment).code == 0
    assert left(running) == []


def test_down_spares_who_said_it(running: Running, box: Box) -> None:
    script = f": docker -H {box.docker_host} ps; {shlex.join(COURSE)} down; echo survived"
    done = subprocess.run(["bash", "-c", script], env=running.environment, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("survived\n")
    assert left(running) == []


@pytest.mark.parametrize("blow", [kill_machine, *(pytest.param(blow, marks=pytest.mark.full) for blow in (forget, reboot))])
def test_up_after_an_accident_gives_a_box(running: Running, box: Box, blow: Callable[[Running], None]) -> None:
    assert box
    blow(running)
    assert course("up", "--backend", running.backend, env=running.environment).code == 0
    assert lifecycle.current(running.installation).sh("echo again").stdout == "again\n"
    assert course("down", env=running.environment).code == 0
    assert left(running) == []


def process_is_there(running: Running) -> bool:
    return any(trace.startswith("process") for trace in left(running) if " up " not in trace)


def record_is_there(running: Running) -> bool:
    return InstanceDir(running.installation, "").record_file.exists()


@pytest.mark.parametrize("moment", [process_is_there, record_is_there])
def test_an_up_that_was_killed_leaves_nothing(running: Running, moment: Callable[[Running], bool]) -> None:
    killed_up(running, moment)
    assert course("down", env=running.environment).code == 0
    assert left(running) == []


def test_an_up_after_one_that_was_killed_gives_a_whole_box(running: Running) -> None:
    killed_up(running, record_is_there)
    assert course("up", "--backend", running.backend, env=running.environment).code == 0
    box = lifecycle.current(running.installation)
    assert box.sh("hostname").stdout.strip() == box.status().name


def killed_up(running: Running, moment: Callable[[Running], bool]) -> None:
    """Start a box, and kill the command that does it at a certain moment."""
    lifecycle.down(running.installation)
    with subprocess.Popen([*COURSE, "up", "--backend", running.backend], env=running.environment, stderr=subprocess.DEVNULL) as command:
        until("the moment", lambda: moment(running))
        command.send_signal(signal.SIGKILL)
    assert command.returncode == -signal.SIGKILL
