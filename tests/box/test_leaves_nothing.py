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


def left(here: Running) -> list[str]:
    """What is left of an installation's boxes."""
    engine = here.environment if here.backend == "container" else None
    return traces(here.installation.root, here.installation.runtime, engine)


def launched_by(here: Running) -> Launched:
    record = box_record(here.installation)
    assert record
    assert record.launched
    return record.launched


def kill_machine(here: Running) -> None:
    """End what runs the box, as a crash would."""
    launched = launched_by(here)
    if launched.vm:
        launched.vm.kill()
        return
    with closing(docker.from_env(environment=here.environment)) as outer:
        outer.containers.get(launched.container).kill()


def kill_relay(here: Running) -> None:
    launched_by(here).relay.kill()


def forget(here: Running) -> None:
    InstanceDir(here.installation, "").record_file.unlink()


def reboot(here: Running) -> None:
    """From inside, as a learner may try."""
    lifecycle.current(here.installation).sh("(sleep 0.2; busybox reboot -f) > /dev/null 2>&1 < /dev/null &")
    until("the machine's end", lambda: course("status", env=here.environment).code == 1)


def garble(here: Running) -> None:
    InstanceDir(here.installation, "").record_file.write_text('{"name": "box-')


def test_down_leaves_nothing_and_can_be_said_twice(here: Running, box: Box) -> None:
    box.url(8080)
    with box.kernel():
        assert left(here) != []
        done = course("down", env=here.environment)
    assert (done.code, left(here)) == (0, [])
    done = course("down", env=here.environment)
    assert (done.code, left(here)) == (0, [])
    assert course("status", env=here.environment).code == 1
    assert lifecycle.up(here.backend, installation=here.installation).sh("echo again").stdout == "again\n"


def freeze(here: Running) -> None:
    """A paused container: under control groups of the first version nobody can kill what is in it."""
    lifecycle.current(here.installation).sh("docker run -d --name frozen app:v1 && docker pause frozen", check=True)


ACCIDENTS = [[kill_relay], [kill_machine, kill_relay, forget], [garble], [freeze]]
HALF_OF_ONE = [[kill_machine], [forget]]


@pytest.mark.parametrize(
    "blows",
    [*ACCIDENTS, *(pytest.param(blows, marks=pytest.mark.full) for blows in HALF_OF_ONE)],
    ids=lambda blows: "+".join(blow.__name__ for blow in blows),
)
def test_down_clears_up_after_an_accident(here: Running, box: Box, blows: list[Callable[[Running], None]]) -> None:
    assert box
    for blow in blows:
        blow(here)
    assert course("down", env=here.environment).code == 0
    assert left(here) == []


def test_down_spares_who_said_it(here: Running, box: Box) -> None:
    script = f": docker -H {box.docker_host} ps; {shlex.join(COURSE)} down; echo survived"
    done = subprocess.run(["bash", "-c", script], env=here.environment, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("survived\n")
    assert left(here) == []


@pytest.mark.parametrize("blow", [kill_machine, *(pytest.param(blow, marks=pytest.mark.full) for blow in (forget, reboot))])
def test_up_after_an_accident_gives_a_box(here: Running, box: Box, blow: Callable[[Running], None]) -> None:
    assert box
    blow(here)
    assert course("up", "--backend", here.backend, env=here.environment).code == 0
    assert lifecycle.current(here.installation).sh("echo again").stdout == "again\n"
    assert course("down", env=here.environment).code == 0
    assert left(here) == []


def process_is_there(here: Running) -> bool:
    return any(trace.startswith("process") for trace in left(here) if " up " not in trace)


def record_is_there(here: Running) -> bool:
    return InstanceDir(here.installation, "").record_file.exists()


@pytest.mark.parametrize("moment", [process_is_there, record_is_there])
def test_an_up_that_was_killed_leaves_nothing(here: Running, moment: Callable[[Running], bool]) -> None:
    killed_up(here, moment)
    assert course("down", env=here.environment).code == 0
    assert left(here) == []


def test_an_up_after_one_that_was_killed_gives_a_whole_box(here: Running) -> None:
    killed_up(here, record_is_there)
    assert course("up", "--backend", here.backend, env=here.environment).code == 0
    box = lifecycle.current(here.installation)
    assert box.sh("hostname").stdout.strip() == box.status().name


def killed_up(here: Running, moment: Callable[[Running], bool]) -> None:
    """Start a box, and kill the command that does it at a certain moment."""
    lifecycle.down(here.installation)
    with subprocess.Popen([*COURSE, "up", "--backend", here.backend], env=here.environment, stderr=subprocess.DEVNULL) as command:
        until("the moment", lambda: moment(here))
        command.send_signal(signal.SIGKILL)
    assert command.returncode == -signal.SIGKILL
