"""A box is its owner's: another user of the same computer reaches neither its engine, nor its shell, nor a kernel in it."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import requests

from lab.box import lifecycle
from lab.box.core.instance_dir import box_record
from tests.support.course import NOBODY, as_user, why_no_other_user
from tests.support.nobody import ordinary_user

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from tests.conftest import Running

as_somebody_else = pytest.mark.skipif(bool(why_no_other_user()), reason=why_no_other_user())
WAYS_IN = {"docker.sock", "ssh.sock", "dial.sock"}
VIRTUAL_WAYS_IN = {"qmp.sock", "agent.sock"}


@pytest.fixture
def busy(box: Box) -> Iterator[Box]:
    """A box with all that can be open: a shell, a web address, a kernel."""
    box.sh("true")
    box.url(8080)
    with box.kernel():
        yield box


def sockets(running: Running) -> list[Path]:
    """All sockets of a box on this computer."""
    found = [path for path in running.installation.runtime.rglob("*") if path.is_socket()]
    expected = WAYS_IN | (VIRTUAL_WAYS_IN if running.backend == "microvm" else set())
    assert {path.name for path in found} >= expected
    assert len([path for path in found if path.name.startswith("k")]) >= 5
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def ours(running: Running) -> list[psutil.Process]:
    """The processes of a box that run on this computer."""
    record = box_record(running.installation)
    assert record
    roots = [psutil.Process(found.pid) for found in (record.launched.relay, record.launched.vm) if found]
    shells = [
        found for found in psutil.process_iter(["cmdline"]) if str(running.installation.runtime) in " ".join(found.info["cmdline"] or ())
    ]
    return list({found.pid: found for root in (*roots, *shells) for found in (root, *root.children(recursive=True))}.values())


def test_every_socket_is_behind_a_door_that_its_owner_alone_can_open(running: Running, busy: Box) -> None:
    assert busy
    runtime = running.installation.runtime
    directories = [runtime, *(path for path in runtime.rglob("*") if path.is_dir())]
    assert {path: oct(mode(path)) for path in directories if mode(path) != 0o700} == {}
    assert {path.stat().st_uid for path in (*directories, *sockets(running))} == {os.getuid()}
    assert Path(busy.docker_host.removeprefix("unix://")).is_relative_to(runtime)


@pytest.mark.above
def test_the_doors_are_as_shut_after_a_down_and_an_up(running: Running, box: Box) -> None:
    assert box
    lifecycle.down(running.installation)
    lifecycle.up(running.backend, installation=running.installation)
    assert mode(running.installation.runtime) == 0o700


@pytest.mark.above
def test_keys_are_nobody_elses(running: Running, busy: Box) -> None:
    assert busy
    assert mode(running.installation.root) == 0o700
    assert mode(running.installation.root / "ssh/id_ed25519") == 0o600
    assert list(running.installation.runtime.rglob("*host_key*")) == []


def test_no_port_is_open_but_web_addresses(running: Running, busy: Box) -> None:
    addresses = {int(busy.url(port).rpartition(":")[2]) for port in (8080, 8081)}
    listening = {
        connection.laddr for process in ours(running) for connection in process.net_connections() if connection.status == psutil.CONN_LISTEN
    }
    assert {address.port for address in listening} >= addresses
    assert {address.ip for address in listening} == {"127.0.0.1"}
    for address in listening:
        answer = requests.get(f"http://127.0.0.1:{address.port}/", timeout=20)
        assert (answer.status_code, answer.headers["WWW-Authenticate"][:5]) == (401, "Basic")


@pytest.mark.above
def test_no_password_is_on_a_command_line(running: Running, busy: Box) -> None:
    password = busy.url(8080).partition("box:")[2].partition("@")[0]
    assert len(password) >= 16
    assert [process for process in ours(running) if password in " ".join(process.cmdline())] == []


@as_somebody_else
def test_somebody_else_can_not_connect_to_any_socket(running: Running, busy: Box) -> None:
    assert busy
    found = sockets(running)
    with ordinary_user():
        answers = {path.name: knock(path) for path in found}
    assert set(answers.values()) == {"Permission denied"}, answers


def knock(path: Path) -> str:
    """What comes of connecting to a socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError as error:
            return str(error.strerror)
    return "connected"


@as_somebody_else
def test_somebody_else_gets_no_shell(running: Running, busy: Box) -> None:
    assert subprocess.run([*busy.ssh, "echo in"], capture_output=True, text=True, check=False).stdout == "in\n"
    done = subprocess.run([*as_user(NOBODY), *busy.ssh, "echo in"], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode != 0
    assert done.stdout == ""
    assert "Permission denied" in done.stderr
    assert running.installation


@as_somebody_else
@pytest.mark.above
def test_somebody_else_reads_nothing_of_the_state(running: Running, busy: Box) -> None:
    assert busy
    with ordinary_user():
        for path in (running.installation.root, running.installation.runtime):
            with pytest.raises(PermissionError):
                list(path.iterdir())
