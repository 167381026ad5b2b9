"""``course lab`` in a real browser: JupyterLab serves, and a lesson runs from top to bottom on the box."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import Page, sync_playwright

from lab.box.wait import wait_for
from tests.conftest import ROOT, Installation
from tests.support.browser import CHROMIUM, FLAGS

LESSON = "02_containers.ipynb"
RUN_TIMEOUT_MS = 300_000
LAST_RAN = r"() => /\[\d+\]/.test([...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].at(-1)?.textContent ?? '')"

pytestmark = pytest.mark.browser


@contextmanager
def jupyterlab(installation: Installation, scratch: Path) -> Iterator[str]:
    """Run ``course lab``; the address, with its token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **installation.environment,
        "HOME": str(scratch),
        "IPYTHONDIR": str(scratch / "ipython"),
    }
    shutil.copytree(ROOT / "notebooks", scratch / "notebooks")  # JupyterLab saves what it has run
    command = [
        Path(sys.executable).parent / "course",
        "lab",
        "--no-browser",
        f"--port={port}",
        f"--notebooks={scratch / 'notebooks'}",
    ]
    with (scratch / "log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        yield _address(scratch / "log", server)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _address(log: Path, server: subprocess.Popen[bytes]) -> str:
    def look() -> str:
        if found := re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", log.read_text()):
            return found[0]
        raise FileNotFoundError("no address in JupyterLab's log")

    return wait_for("JupyterLab", look, timeout_s=90, every_s=0.2, log=log, alive=lambda: server.poll() is None)


def _saved(path: Path) -> NotebookNode:
    try:
        lesson = nbformat.read(path, as_version=4)
    except ValueError as error:
        raise BlockingIOError(f"in the middle of a save: {error}") from None
    if waiting := [cell.id for cell in lesson.cells if cell.cell_type == "code" and cell.execution_count is None]:
        raise BlockingIOError(f"cells that have not run: {waiting}")
    return lesson


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "chromium", executable_path=CHROMIUM, headless=True, args=FLAGS, viewport={"width": 1400, "height": 1000}
        )
        page = context.new_page()
        yield page
        page.screenshot(path=tmp_path / "page.png")
        context.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("installation", ["container"], indirect=True)
def test_lesson_02_runs_in_the_browser(installation: Installation, page: Page, tmp_path: Path) -> None:
    with jupyterlab(installation, tmp_path) as address:
        page.goto(address.replace("/lab?", f"/lab/tree/{LESSON}?"))
        page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=60_000)
        page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=60_000)
        page.click('.lm-MenuBar-itemLabel:text-is("Run")')
        page.click("text=Run All Cells")
        page.wait_for_function(LAST_RAN, timeout=RUN_TIMEOUT_MS)
        page.keyboard.press("Control+s")
        lesson = wait_for("the notebook to be saved", lambda: _saved(tmp_path / "notebooks" / LESSON), timeout_s=30, every_s=0.2)
        assert not page.locator("text=Would you like to get notified").count()

    code = [cell for cell in lesson.cells if cell.cell_type == "code"]
    assert [output for cell in code for output in cell.outputs if output.output_type == "error" or output.get("name") == "stderr"] == []
