"""Who listens is read from what the kernel says, and a process that is killed is dead, collected or not."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autograder.inspect import Listener, container, kill, listeners
from autograder.inspect.processes import parse_listeners
from lab.observe.namespace import namespaces
from tests.support.course import until
from tests.support.machine import Local

if TYPE_CHECKING:
    from lab.box.instances.box import Box

PRINTED = """\
LISTEN 0      5            0.0.0.0:9100       0.0.0.0:*    users:(("python3",pid=41,fd=3))
LISTEN 0      128                *:9101             *:*    users:(("haproxy",pid=43,fd=7),("haproxy",pid=42,fd=7))
LISTEN 0      128             [::]:9101          [::]:*    users:(("haproxy",pid=42,fd=8))
LISTEN 0      128        127.0.0.1:9102       0.0.0.0:*
/proc/1/ns mnt:[4026531841]
/proc/41/ns mnt:[4026532200]
/proc/42/ns mnt:[4026531841]
said 9100 LISTEN 0 5 0.0.0.0:1 0.0.0.0:* users:(("x",pid=1,fd=1))
"""


def test_each_process_and_port_is_one_listener() -> None:
    found = sorted(parse_listeners(PRINTED), key=lambda it: it.pid)
    assert found == [
        Listener(9100, 41, "python3", "4026532200"),
        Listener(9101, 42, "haproxy", "4026531841"),
        Listener(9101, 43, "haproxy", ""),  # it ended before its namespace was read
    ]
    assert parse_listeners("") == []


def test_who_is_not_named_hides_nobody() -> None:
    printed = """\
LISTEN 0      4096   127.0.0.11:39745 0.0.0.0:*                                      \n\
LISTEN 0      4096      0.0.0.0:9103  0.0.0.0:* users:(("docker-proxy",pid=217,fd=4))
"""
    assert [(it.port, it.pid, it.program) for it in parse_listeners(printed)] == [(9103, 217, "docker-proxy")]


def test_a_process_that_was_killed_is_dead_although_nobody_has_collected_it(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert kill(Local(tmp_path), process.pid)
        assert Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "Z"
        assert process.wait(10) == -9


def test_nothing_to_kill_is_dead(tmp_path: Path) -> None:
    assert kill(Local(tmp_path))


@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_who_listens_in_a_container_is_told_from_who_listens_on_the_box(box: Box) -> None:
    box.sh("docker run -d --name listens -p 9103:8080 app:v1", check=True)
    try:
        pid = int((container(box, "listens") or {})["State"]["Pid"])
        until("the app to listen", lambda: bool(listeners(box, pid)))
        (inside,) = listeners(box, pid)
        assert (inside.port, inside.pid, inside.mnt) == (8080, pid, namespaces(box, pid)[pid]["mnt"])
        until("the published port", lambda: any(it.port == 9103 for it in listeners(box)))
        assert {it.program for it in listeners(box) if it.port == 9103} == {"docker-proxy"}
        assert kill(box, inside.pid)
        assert [it for it in listeners(box) if it.port == 8080] == []
    finally:
        box.sh("docker rm -f listens", check=True)
