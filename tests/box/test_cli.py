"""The ``course`` command: what it says when all is well, and the sentence that it says when it isn't."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.box import lifecycle
from lab.box.drivers.microvm import qemu
from tests.support.course import COURSE, NOBODY, Done, course, course_of, own_state, traces, why_no_other_user

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from tests.conftest import Running

on_microvm = pytest.mark.parametrize("running", ["microvm"], indirect=True)
on_container = pytest.mark.parametrize("running", ["container"], indirect=True)
as_somebody_else = pytest.mark.skipif(bool(why_no_other_user()), reason=why_no_other_user())
Somebody = tuple[list[str], dict[str, str]]
WEIRD = "Übung 1, 50 % von 'allem'"


def is_a_sentence(done: Done, code: int, *says: str, then: str = "course ") -> None:
    """It failed as it should: with what is wrong, and the next thing to type."""
    assert done.code == code, done
    assert all(part in done.err for part in says), done.err
    assert "\nNext: " in done.err, done.err
    assert then in done.err.rpartition("\nNext: ")[2], done.err
    assert done.out == ""


@pytest.fixture
def empty(running: Running) -> Iterator[dict[str, str]]:
    """The environment of an installation of the same backend that has what it needs, and no box."""
    with own_state(running.installation) as root:
        yield running.environment | {"COURSE_STATE": str(root)}


@pytest.fixture
def somebody() -> Somebody:
    """How nobody runs ``course``: in its place, and in its environment."""
    try:
        return course_of(NOBODY)
    except LookupError as error:
        pytest.skip(str(error))


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody can enter."""
    with tempfile.TemporaryDirectory(prefix="c-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.above
def test_three_commands_print_the_state_for_programs(running: Running, box: Box) -> None:
    assert box
    up, status, reset, after = (
        json.loads(course(*command, "--json", env=running.environment).out) for command in (["up"], ["status"], ["reset"], ["status"])
    )
    for state in (up, status, reset, after):
        check_state(state, running.backend)
    assert up["name"] == status["name"] != reset["name"] == after["name"]


def check_state(state: dict[str, Any], backend: str) -> None:
    assert state["name"].startswith("box-")
    assert state["backend"] == backend
    assert state["accelerator"] in ({"kvm", "tcg"} if backend == "microvm" else {"native"})
    assert Path(state["docker_host"].removeprefix("unix://")).is_socket()
    assert state["engine_version"][0].isdigit()
    assert 0 < state["ready_s"] < 120
    assert state["memory_mb"] > 0


@pytest.mark.above
def test_status_is_for_people_too(running: Running, box: Box) -> None:
    done = course("status", env=running.environment)
    assert done.code == 0
    assert f"{box.status().name} is up" in done.out
    assert f"export DOCKER_HOST={box.docker_host}" in done.out


def test_a_shell_runs_what_it_reads(running: Running, box: Box) -> None:
    done = course("shell", env=running.environment, stdin="hostname\necho $((6 * 7))\necho wörld >&2\nexit 3\n")
    assert (done.code, done.out, done.err) == (3, f"{box.status().name}\n42\n", "wörld\n")


@pytest.mark.above
def test_two_ups_at_once_start_one_box(running: Running) -> None:
    lifecycle.down(running.installation)
    command = [*COURSE, "up", "--backend", running.backend, "--json"]
    both = [subprocess.Popen(command, env=running.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len({json.loads(out)["name"] for out, _ in said}) == 1


@on_microvm
@pytest.mark.above
def test_down_says_that_nothing_runs_and_the_rest_how_to_get_a_box(running: Running, box: Box) -> None:
    assert box
    done = course("down", env=running.environment)
    assert (done.code, done.err) == (0, "")
    assert "gone" in done.out
    for command in (["status"], ["status", "--json"], ["shell"], ["reset"], ["checkpoint", "x"], ["rewind", "x"]):
        is_a_sentence(course(*command, env=running.environment), 1, "There is no box.", then="course up")


@on_microvm
def test_a_wrong_backend_is_a_wrong_question(empty: dict[str, str]) -> None:
    is_a_sentence(course("up", "--backend", "nonsense", env=empty), 2, "'nonsense'", "auto, microvm, container")
    assert course("up", "--backnd", "auto", env=empty).code == 2
    assert course("upp", env=empty).code == 2


@on_microvm
def test_wrong_checkpoints_are_wrong_questions(running: Running, box: Box) -> None:
    name = box.status().name
    is_a_sentence(course("rewind", "nope", env=running.environment), 2, "'nope'", "There are:", then="course checkpoint nope")
    for wrong in ("a/b", "", ".."):
        is_a_sentence(course("rewind", wrong, env=running.environment), 2, repr(wrong), "letters", then="course checkpoint")
        is_a_sentence(course("checkpoint", wrong, env=running.environment), 2, repr(wrong), "letters", then="course checkpoint")
    assert box.status().name == name


@on_container
def test_a_container_has_no_checkpoints(running: Running, box: Box) -> None:
    assert box
    for command in ("checkpoint", "rewind"):
        is_a_sentence(course(command, "lunch", env=running.environment), 1, "'lunch'", "container backend", then="course reset")


@on_microvm
@pytest.mark.parametrize(
    "address",
    ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1", "tcp://nowhere.invalid:2375", "nonsense://x", "unix:///tmp", "tcp://127.0.0.1:x"],
)
def test_a_dead_docker_host_is_named(empty: dict[str, str], address: str) -> None:
    done = course("up", "--backend", "container", env=empty | {"DOCKER_HOST": address})
    if shutil.which("docker"):
        is_a_sentence(done, 1, address, then="DOCKER_HOST")
    else:
        is_a_sentence(done, 1, "docker command is not installed")


@on_microvm
def test_an_unknown_docker_context_is_named(empty: dict[str, str]) -> None:
    done = course("up", "--backend", "container", env=empty | {"DOCKER_CONTEXT": "no-such-context"})
    is_a_sentence(done, 1, "no-such-context" if shutil.which("docker") else "docker command is not installed")


@on_microvm
def test_with_neither_qemu_nor_docker_there_is_no_box(empty: dict[str, str], tmp_path: Path) -> None:
    env = empty | {"PATH": str(tmp_path)}
    is_a_sentence(course("up", env=env), 1, "Nothing here can run a box.", qemu.PROGRAM, "docker command", then="course doctor")
    is_a_sentence(course("up", "--backend", "microvm", env=env), 1, qemu.PROGRAM, then="course doctor")
    doctor = course("doctor", env=env)
    assert doctor.code == 1
    assert "qemu-system-x86" in doctor.out
    assert "MISSING" in doctor.out


@on_microvm
@pytest.mark.skipif(not shutil.which("docker"), reason="The docker command is not installed: apt-get install docker-cli")
def test_with_no_qemu_and_an_engine_that_does_not_answer_there_is_no_box(empty: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "docker").symlink_to(shutil.which("docker") or "")
    env = empty | {"PATH": str(tmp_path), "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    is_a_sentence(course("up", env=env), 1, "Nothing here can run a box.", qemu.PROGRAM, "/nowhere/docker.sock")


@on_microvm
@as_somebody_else
def test_an_engine_that_is_not_yours_is_said(running: Running, public: Path, somebody: Somebody) -> None:
    program, needs = somebody
    path = public / "docker.sock"
    with own_state(running.installation, owner=NOBODY) as root, socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        path.chmod(0o600)
        env = os.environ | needs | {"COURSE_STATE": str(root), "DOCKER_HOST": f"unix://{path}"}
        done = course("up", "--backend", "container", env=env, program=program)
    is_a_sentence(done, 1, str(path), "permission denied", then="course up --backend microvm")


@on_microvm
@as_somebody_else
def test_a_state_directory_that_can_not_be_written_is_said(running: Running, public: Path, somebody: Somebody) -> None:
    assert running
    program, needs = somebody
    (public / "theirs").mkdir()
    for state in (public / "theirs", public / "new"):
        done = course("up", env=os.environ | needs | {"COURSE_STATE": str(state)}, program=program)
        is_a_sentence(done, 1, str(state), then="COURSE_STATE")


@on_microvm
@pytest.mark.above
@pytest.mark.parametrize("below", ["", "below/it"])
def test_a_state_directory_that_is_a_file_is_said(running: Running, tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    state = tmp_path / "file" / below
    for command in ("up", "status", "down", "build"):
        is_a_sentence(course(command, env=running.environment | {"COURSE_STATE": str(state)}), 1, str(state), then="COURSE_STATE")
    doctor = course("doctor", "--json", env=running.environment | {"COURSE_STATE": str(state)})
    assert doctor.code == 1
    assert str(tmp_path / "file") in next(finding["found"] for finding in json.loads(doctor.out) if finding["name"] == "state directory")


@on_microvm
def test_a_state_directory_may_be_called_anything(running: Running) -> None:
    with own_state(running.installation, WEIRD) as root:
        env = {name: text for name, text in running.environment.items() if name != "DOCKER_HOST"} | {"COURSE_STATE": str(root)}
        state = json.loads(course("up", "--backend", "microvm", "--json", env=env).out)
        try:
            check_state(state, "microvm")
            shell = course("shell", env=env, stdin="echo first > /root/x; hostname")
            assert (shell.code, shell.out) == (0, f"{state['name']}\n")
            assert course("checkpoint", "first", env=env).code == 0
            assert course("shell", env=env, stdin="rm /root/x").code == 0
            assert [saved["name"] for saved in json.loads(course("rewind", "first", "--json", env=env).out)["checkpoints"]] == ["first"]
            assert course("shell", env=env, stdin="cat /root/x").out == "first\n"
        finally:
            assert course("down", env=env).code == 0
        assert traces(root, Path(state["docker_host"].removeprefix("unix://")).parents[1]) == []


@pytest.fixture
def doomed(running: Running, fresh: Box) -> Iterator[Box]:
    """A box to break; it is not left to the next test."""
    yield fresh
    lifecycle.down(running.installation)


def test_an_engine_that_was_broken_is_said_and_a_reset_mends_it(running: Running, doomed: Box) -> None:
    doomed.sh("touch /run/course/hold-dockerd; killall dockerd; while pidof dockerd; do sleep 0.1; done")
    is_a_sentence(course("status", env=running.environment), 1, "Docker Engine", then="course reset")
    is_a_sentence(course("up", env=running.environment), 1, "Docker Engine", then="course reset")
    assert course("shell", env=running.environment, stdin="echo still there").out == "still there\n"
    assert course("reset", env=running.environment).code == 0
    assert doomed.docker.ping()


@on_microvm
def test_a_box_that_does_not_answer_at_all_is_said_soon_and_a_reset_mends_it(running: Running, doomed: Box) -> None:
    doomed.sh("touch /run/course/hold-agent; (sleep 0.2; pkill -f ^/usr/bin/python3.*/agent.py) > /dev/null 2>&1 < /dev/null &")
    is_a_sentence(course("status", env=running.environment, timeout_s=60), 1, then="course reset")
    assert course("reset", env=running.environment).code == 0
    assert doomed.docker.ping()


@on_container
def test_an_engine_that_has_gone_is_said_and_waited_for(running: Running, public: Path) -> None:
    address = running.environment["DOCKER_HOST"]
    if not address.startswith("unix://"):
        pytest.skip("The engine is not at a socket, so it can't be taken away.")
    way = public / "docker.sock"
    way.symlink_to(address.removeprefix("unix://"))
    with own_state(running.installation) as root:
        env = running.environment | {"COURSE_STATE": str(root), "DOCKER_HOST": f"unix://{way}"}
        state = json.loads(course("up", "--backend", "container", "--json", env=env).out)
        try:
            way.unlink()
            os.kill(json.loads((root / "boxes/current.json").read_text())["launched"]["relay"]["pid"], signal.SIGKILL)
            is_a_sentence(course("status", env=env), 1, then="course up")
            is_a_sentence(course("down", env=env), 1, str(way), then="course down --forget")
            assert course("down", "--forget", env=env).code == 0
            assert traces(root, Path(state["docker_host"].removeprefix("unix://")).parents[1]) == []
        finally:
            way.symlink_to(address.removeprefix("unix://"))
            assert course("down", env=env).code == 0
        assert traces(root, Path(state["docker_host"].removeprefix("unix://")).parents[1], env) == []
