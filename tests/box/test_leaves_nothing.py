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

from lab.box import life
from lab.box.record import Record
from tests.support.course import COURSE, course, traces, until

if TYPE_CHECKING:
    from lab.box.box import Box
    from tests.conftest import Installation


def left(here: Installation) -> list[str]:
    """What is left of an installation's boxes."""
    engine = here.environment if here.backend == "container" else None
    return traces(here.state.root, here.state.runtime, engine)


def record_of(here: Installation) -> Record:
    record = Record.load(here.state)
    assert record
    return record


def kill_machine(here: Installation) -> None:
    """End what runs the box, as a crash would."""
    record = record_of(here)
    if record.machine:
        record.machine.kill()
        return
    with closing(docker.from_env(environment=here.environment)) as outer:
        outer.containers.get(record.container).kill()


def kill_relay(here: Installation) -> None:
    record_of(here).relay.kill()


def forget(here: Installation) -> None:
    Record.path(here.state).unlink()


def reboot(here: Installation) -> None:
    """From inside, as a learner may try."""
    life.current(here.state).sh("(sleep 0.2; busybox reboot -f) > /dev/null 2>&1 < /dev/null &")
    until("the machine's end", lambda: course("status", env=here.environment).code == 1)


def garble(here: Installation) -> None:
    Record.path(here.state).write_text('{"name": "box-')


def test_down_leaves_nothing_and_can_be_said_twice(here: Installation, box: Box) -> None:
    box.url(8080)
    with box.kernel():
        assert left(here) != []
        done = course("down", env=here.environment)
    assert (done.code, left(here)) == (0, [])
    done = course("down", env=here.environment)
    assert (done.code, left(here)) == (0, [])
    assert course("status", env=here.environment).code == 1
    assert life.up(here.backend, state=here.state).sh("echo again").stdout == "again\n"


def freeze(here: Installation) -> None:
    """A paused container: under control groups of the first version nobody can kill what is in it."""
    life.current(here.state).sh("docker run -d --name frozen app:v1 && docker pause frozen", check=True)


ACCIDENTS = [[kill_machine], [kill_relay], [kill_machine, kill_relay, forget], [forget], [garble], [freeze]]


@pytest.mark.parametrize("blows", ACCIDENTS, ids=lambda blows: "+".join(blow.__name__ for blow in blows))
def test_down_clears_up_after_an_accident(here: Installation, box: Box, blows: list[Callable[[Installation], None]]) -> None:
    assert box
    for blow in blows:
        blow(here)
    assert course("down", env=here.environment).code == 0
    assert left(here) == []


def test_down_spares_who_said_it(here: Installation, box: Box) -> None:
    script = f": docker -H {box.docker_host} ps; {shlex.join(COURSE)} down; echo survived"
    done = subprocess.run(["bash", "-c", script], env=here.environment, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("survived\n")
    assert left(here) == []


@pytest.mark.parametrize("blow", [kill_machine, forget, reboot])
def test_up_after_an_accident_gives_a_box(here: Installation, box: Box, blow: Callable[[Installation], None]) -> None:
    assert box
    blow(here)
    assert course("up", "--backend", here.backend, env=here.environment).code == 0
    assert life.current(here.state).sh("echo again").stdout == "again\n"
    assert course("down", env=here.environment).code == 0
    assert left(here) == []


def process_is_there(here: Installation) -> bool:
    return any(trace.startswith("process") for trace in left(here) if " up " not in trace)


def record_is_there(here: Installation) -> bool:
    return Record.path(here.state).exists()


@pytest.mark.parametrize("moment", [process_is_there, record_is_there])
def test_an_up_that_was_killed_leaves_nothing(here: Installation, moment: Callable[[Installation], bool]) -> None:
    killed_up(here, moment)
    assert course("down", env=here.environment).code == 0
    assert left(here) == []


def test_an_up_after_one_that_was_killed_gives_a_whole_box(here: Installation) -> None:
    killed_up(here, record_is_there)
    assert course("up", "--backend", here.backend, env=here.environment).code == 0
    box = life.current(here.state)
    assert box.sh("hostname").stdout.strip() == box.status().name


def killed_up(here: Installation, moment: Callable[[Installation], bool]) -> None:
    """Start a box, and kill the command that does it at a certain moment."""
    life.down(here.state)
    with subprocess.Popen([*COURSE, "up", "--backend", here.backend], env=here.environment, stderr=subprocess.DEVNULL) as command:
        until("the moment", lambda: moment(here))
        command.send_signal(signal.SIGKILL)
    assert command.returncode == -signal.SIGKILL
