"""``course lab``: what it prints, what its JupyterLab offers to learners and to teachers, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from lab.box.instances.box import Box
from tests.conftest import ROOT, Running
from tests.support.course import Done, course, until
from tests.support.jupyter import Lab, course_lab

pytestmark = pytest.mark.parametrize("running", ["container"], indirect=True)

ASSIGNMENTS = {path.name for path in (ROOT / "exercises" / "source").iterdir()}
FOR_TEACHERS = {f"@jupyter/nbgrader:{plugin}" for plugin in ("formgrader", "course-list", "create-assignment")}
NOISE = re.compile(r"\[[EWIC] |Traceback|error|warning", re.IGNORECASE)


@pytest.fixture(scope="module")
def learner(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with course_lab(running.environment, tmp_path_factory.mktemp("learner")) as lab:
        yield lab


@pytest.fixture(scope="module")
def teacher(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    scratch = tmp_path_factory.mktemp("teacher")
    for folder in ("notebooks", "exercises"):  # the formgrader writes its gradebook there
        shutil.copytree(ROOT / folder, scratch / folder, symlinks=True)
    options = ("--teacher", f"--notebooks={scratch / 'notebooks'}", f"--exercises={scratch / 'exercises'}")
    with course_lab(running.environment, scratch, *options) as lab:
        yield lab


def disabled(lab: Lab) -> set[str]:
    """The plugins that JupyterLab's page does not load."""
    status, page = lab.ask("lab")
    assert status == 200
    config = re.search(r'<script id="jupyter-config-data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert config
    return set(json.loads(config[1])["disabledExtensions"])


def test_it_prints_the_address_and_how_to_end_it_and_nothing_else(learner: Lab, running: Running) -> None:
    printed = learner.output.read_text()

    assert not NOISE.search(printed)
    before, after = (part.splitlines() for part in printed.split(learner.address))
    assert len(before) <= 6, printed
    assert "Your box is ready." in printed
    assert "Ctrl-C" in after[-1]
    assert "course down" in after[-1]
    assert str(running.installation.root / "jupyterlab.log") in printed


def test_the_log_is_a_file_that_only_its_owner_reads_and_a_second_jupyterlab_adds_to_it(
    learner: Lab, teacher: Lab, running: Running
) -> None:
    log = running.installation.root / "jupyterlab.log"

    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert all(lab.address in log.read_text() for lab in (learner, teacher))


def test_what_the_user_has_set_for_jupyterlab_is_not_touched(learner: Lab) -> None:
    home = learner.output.parent
    written = [path for path in (home / ".jupyter").rglob("*") if path.is_file()]
    assert [path for path in written if path.name != "migrated"] == []


def test_a_learner_has_validate_and_nothing_for_teachers(learner: Lab) -> None:
    assert learner.ask("formgrader/api/assignments")[0] == 404
    assert learner.ask("formgraders")[0] == 404
    assert disabled(learner) >= FOR_TEACHERS
    assert "@jupyter/nbgrader:validate-assignment" not in disabled(learner)
    assert learner.ask(f"nbgrader_version?version={version('nbgrader')}") == (200, '{"success": true}')  # a route of Validate
    assert not re.search(r"\[[EW] .*(nbgrader|course directory)", log_of(learner))


def test_a_teacher_has_the_formgrader_with_the_assignments(teacher: Lab) -> None:
    assert teacher.ask("formgrader/")[0] == 200
    status, assignments = teacher.ask("formgrader/api/assignments")
    assert status == 200
    assert {one["name"] for one in json.loads(assignments)} == ASSIGNMENTS
    assert not disabled(teacher) & FOR_TEACHERS
    assert not re.search(r"\[[EW] .*(nbgrader|course directory)", log_of(teacher))


def test_a_teacher_finds_the_formgrader_in_the_list_of_courses(teacher: Lab) -> None:
    courses = json.loads(teacher.ask("formgraders")[1])

    assert courses["success"], courses
    assert [course["course_id"] for course in courses["value"]] == ["kubernetes-by-analogy"]


def log_of(lab: Lab) -> str:
    found = re.search(r"Its log: +(\S.*)", lab.output.read_text())
    assert found
    return Path(found[1]).read_text()


def test_a_terminal_is_on_the_box(learner: Lab, running: Running, box: Box) -> None:
    assert running
    name = box.status().name

    assert name in asyncio.run(new_terminal(learner, "hostname\n", awaited=name))


async def new_terminal(lab: Lab, typed: str, awaited: str) -> str:
    """All that a new terminal prints until a text appears in it, or a minute has passed."""
    base, _, token = lab.address.partition("lab?token=")
    terminal = json.loads(lab.ask("api/terminals", b"{}")[1])["name"]
    headers = {"Authorization": f"token {token}"}
    websocket = await websocket_connect(HTTPRequest(f"ws{base.removeprefix('http')}terminals/websocket/{terminal}", headers=headers))
    said = ""
    await websocket.write_message(json.dumps(["stdin", typed]))
    with suppress(TimeoutError):
        async with asyncio.timeout(60):
            while awaited not in said and (message := await websocket.read_message()) is not None:
                kind, *text = json.loads(message)
                said += text[0] if kind == "stdout" else ""
    websocket.close()
    return said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.full)])
def test_a_signal_ends_it_and_the_box_stays(running: Running, box: Box, tmp_path: Path, number: signal.Signals) -> None:
    with course_lab(running.environment, tmp_path) as lab:
        (server,) = psutil.Process(lab.process.pid).children()
        lab.process.send_signal(number)
        assert lab.process.wait(30) == 0
        assert not server.is_running()
    assert lab.output.read_text().endswith("JupyterLab has ended. Your box stays until you type: course down\n")
    assert box.sh("true").code == 0


def test_nothing_is_left_of_it_when_it_is_killed(running: Running, tmp_path: Path) -> None:
    with course_lab(running.environment, tmp_path) as lab:
        left = psutil.Process(lab.process.pid).children(recursive=True)
        assert left
        lab.process.kill()
        until("JupyterLab's end", lambda: not any(process.is_running() for process in left), timeout_s=30)


def failed(done: Done, code: int, *says: str) -> bool:
    return done.code == code and all(part in done.err for part in says) and "\nNext: course lab" in done.err


def test_a_port_that_is_taken_is_said(running: Running) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = course("lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", env=running.environment)

    assert failed(done, 1, "JupyterLab did not start", f"port {port} is not available"), done
    assert "token=" not in done.out


def test_an_option_that_makes_no_sense_is_said(running: Running) -> None:
    assert failed(course("lab", "--no-browser", "--nonsense", env=running.environment), 2, "did not start", "argument --nonsense")


def test_folders_that_are_not_there_are_said(running: Running, tmp_path: Path) -> None:
    assert failed(course("lab", f"--notebooks={tmp_path / 'x'}", env=running.environment), 2, "no folder")
    assert failed(course("lab", f"--exercises={tmp_path}", env=running.environment), 2, "nbgrader_config.py")
