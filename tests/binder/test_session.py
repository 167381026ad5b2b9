"""A session on Binder, from the page to the last lesson, within its limits."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.binder.image import IMAGE
from tests.binder.session import PORT, TOKEN, Session, session
from tests.conftest import ROOT
from tests.support.browser import CHROMIUM
from tests.support.course import course, state_directory
from tests.support.jupyter import LAST_RAN, OPEN_MS, await_kernel, chromium, run_cell, type_in_terminal

if TYPE_CHECKING:
    import docker
    from playwright.sync_api import Page

pytestmark = [pytest.mark.binder, pytest.mark.timeout(3600)]

LESSONS = sorted(path.name for path in (ROOT / "notebooks").glob("0*.ipynb"))
ADDRESS = f"http://127.0.0.1:{PORT}/lab"
IMAGE_MB, MEMORY_MB = 2000, 1900
COUNT = "docker run -d --name counter base sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done'"
SETUP = "%load_ext lab\nfrom autograder import answer, check, connect, task, tidy\nbox = connect()"
TASK = 'process = task("containers.process")\nprocess'
ANSWER = """found = box.docker.containers.get(process.container).attrs
pid, address = found["State"]["Pid"], found["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
answer(process, pid=pid, address=address, parent=box.sh(f"ps -o ppid= -p {pid}").stdout)"""


@pytest.fixture(scope="module")
def running_session(engine: docker.DockerClient) -> Iterator[Session]:
    with session(engine) as there:
        there.wait_for_page()
        there.wait_for_box()
        yield there


@pytest.fixture
def page(running_session: Session, tmp_path: Path) -> Iterator[Page]:
    """A page of a browser that is in the session's own network, from which nothing leads out."""
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\nexec nsenter --net={running_session.network} {shutil.which(CHROMIUM)} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with chromium(tmp_path, program) as page:
        yield page


def test_the_image_is_small_and_has_no_secret(engine: docker.DockerClient, running_session: Session) -> None:
    assert engine.images.get(IMAGE).attrs["Size"] / 1e6 <= IMAGE_MB
    found = running_session.sh(
        "find /srv /home /etc /root -xdev \\( -name 'id_*' -o -name '*.key' -o -name .netrc \\) -size +0 2>/dev/null; true"
    )
    keys = [line for line in found.split() if not line.startswith(("/home/jovyan/.local/", "/home/jovyan/.venv/lib"))]
    assert keys == []


def test_it_has_no_privilege_and_no_way_out(running_session: Session) -> None:
    status = running_session.sh("cat /proc/self/status")

    assert re.search(r"CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"Seccomp:\s+2$", status, re.MULTILINE)
    assert running_session.sh("ls /dev/kvm /dev/net/tun 2>&1; true").count("No such file") == 2
    assert running_session.sh("ls /sys/class/net").split() == ["lo"]


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_lesson_runs_within_the_limits(engine: docker.DockerClient, lesson: str) -> None:
    with session(engine) as there:
        there.wait_for_page()
        there.wait_for_box()

        there.run_notebook(lesson)

        assert there.killed() == 0
        assert there.most_mb <= MEMORY_MB


def test_lesson_02_in_a_browser(running_session: Session, page: Page) -> None:
    page.goto(f"{ADDRESS}/tree/02_containers.ipynb?token={TOKEN}&reset")
    await_kernel(page)
    page.click('.lm-MenuBar-itemLabel:text-is("Run")')
    page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
    page.wait_for_function(LAST_RAN, timeout=900_000)
    page.keyboard.press("Control+s")
    page.wait_for_selector("text=Saving completed", timeout=OPEN_MS)

    lesson = json.loads(running_session.file("/home/jovyan/notebooks/02_containers.ipynb"))
    outputs = [output for cell in lesson["cells"] for output in cell.get("outputs", [])]
    assert [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"] == []
    assert any("image/svg+xml" in output.get("data", {}) for output in outputs)
    assert running_session.killed() == 0


def test_a_task_to_green_in_a_browser(running_session: Session, page: Page) -> None:
    assert running_session
    page.goto(f"{ADDRESS}/tree/exercises/containers/containers.ipynb?token={TOKEN}&reset")
    await_kernel(page)
    for number, code in enumerate((SETUP, TASK, ANSWER)):
        run_cell(page, number, code, 180)

    assert "1 of 1" in run_cell(page, 3, 'check("containers.process")', 180) or page.locator("text=✓").count()


def test_what_was_done_can_be_saved_in_a_browser(running_session: Session, page: Page, tmp_path: Path) -> None:
    assert running_session
    page.goto(f"{ADDRESS}/tree/00_start_here.ipynb?token={TOKEN}&reset")
    await_kernel(page)
    run_cell(page, 0, "from lab import save_button\nsave_button()", 120)
    page.click('button:has-text("Save my work")')
    with page.expect_download(timeout=OPEN_MS) as download:
        page.click("a[download]")
    download.value.save_as(tmp_path / "mine.zip")

    with zipfile.ZipFile(tmp_path / "mine.zip") as saved:
        assert "notebooks/02_containers.ipynb" in saved.namelist()


def test_two_tabs_are_two_views_of_one_session(running_session: Session, page: Page) -> None:
    assert running_session
    second = page.context.new_page()
    for tab in (page, second):
        tab.goto(f"{ADDRESS}/tree/gallery.ipynb?token={TOKEN}&reset")
        await_kernel(tab)
    run_cell(page, 0, "from lab import connect, topology\nbox = connect()\ntopology(box)", 180)
    page.wait_for_selector(".jp-OutputArea svg", timeout=OPEN_MS)

    assert "Linux" in run_cell(second, 1, "print(box.sh('uname').stdout)", 180)  # the kernel is one


def test_a_terminal_is_on_the_box(running_session: Session, page: Page) -> None:
    page.goto(f"{ADDRESS}?token={TOKEN}&reset")
    page.wait_for_selector(".jp-LauncherCard", timeout=OPEN_MS)
    type_in_terminal(page, "Box terminal", "hostname > /tmp/said")
    deadline = time.monotonic() + 60
    while (said := running_session.on_the_box("cat /tmp/said; true")).strip() != running_session.on_the_box("hostname").strip():
        assert time.monotonic() < deadline, said


def test_a_page_of_the_box_is_behind_jupyters_token(running_session: Session) -> None:
    running_session.on_the_box("docker run -d --name web -p 8080:8080 app:v1")
    try:
        deadline = time.monotonic() + 60
        while "count: " not in running_session.ask("/box/box/8080/", "-H", f"Authorization: token {TOKEN}"):
            assert time.monotonic() < deadline
        assert "count: " not in running_session.ask("/box/box/8080/")
    finally:
        running_session.on_the_box("docker rm -f web")


def test_a_box_that_was_saved_here_goes_on_at_home(running_session: Session, tmp_path: Path) -> None:
    home = {**os.environ, "COURSE_STATE": str(state_directory("binder"))}
    assert course("build", "--backend", "microvm", env=home, timeout_s=600).code == 0
    running_session.on_the_box(COUNT)
    running_session.sh("rm -f /tmp/mine.zip; course save /tmp/mine.zip --box --notebooks notebooks")
    (tmp_path / "mine.zip").write_bytes(running_session.file("/tmp/mine.zip"))
    try:
        assert course("load", str(tmp_path / "mine.zip"), env=home).code == 0
        counted = [int(course_shell(home, "docker logs --tail 1 counter")) for _ in range(2)]
        assert 0 < counted[0] < counted[1]
    finally:
        course("down", env=home)
        running_session.on_the_box("docker rm -f counter")


def course_shell(env: dict[str, str], command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from lab import connect; print(connect().sh(sys.argv[1]).stdout)", command],
        env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()
