"""``course lab`` in a real browser: JupyterLab serves, and a lesson runs from top to bottom on the box."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.conftest import ROOT, Installation
from tests.support.browser import CHROMIUM, FLAGS

LESSON = "02_containers.ipynb"
RUN_TIMEOUT_MS = 480_000

pytestmark = pytest.mark.browser


@contextmanager
def jupyterlab(installation: Installation, scratch: Path) -> Iterator[str]:
    """Run ``course lab``; the address, with its token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    runtime = scratch / "jupyter"
    environment = {
        **installation.environment,
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "HOME": str(scratch),
        "IPYTHONDIR": str(scratch / "ipython"),
    }
    command = [Path(sys.executable).parent / "course", "lab", "--no-browser", f"--port={port}"]
    with (scratch / "log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        yield _address(scratch / "log", server)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _address(log: Path, server: subprocess.Popen[bytes]) -> str:
    from lab.box.wait import wait_for  # noqa: PLC0415

    def look() -> str:
        if found := re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", log.read_text()):
            return found[0]
        raise FileNotFoundError("no address in JupyterLab's log")

    return wait_for("JupyterLab", look, timeout_s=90, every_s=0.2, log=log, alive=lambda: server.poll() is None)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "chromium", executable_path=CHROMIUM, headless=True, args=FLAGS, viewport={"width": 1400, "height": 1000}
        )
        yield context.new_page()
        context.close()


@pytest.mark.timeout(600)
def test_lesson_02_runs_in_the_browser(container: Installation, page: Page, tmp_path: Path) -> None:
    notebook = ROOT / "notebooks" / LESSON
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    before = notebook.read_bytes()
    with jupyterlab(container, tmp_path) as address:
        page.goto(address.replace("/lab?", f"/lab/tree/{LESSON}?"))
        page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=60_000)
        page.click("text=Run >> nth=0")
        page.click("text=Run All Cells")
        page.wait_for_function(
            "() => !document.querySelector('.jp-NotebookPanel .jp-InputPrompt')?.textContent.includes('[*]') && "
            "document.querySelectorAll('.jp-Notebook-ExecutionIndicator[data-status=idle]').length > 0",
            timeout=RUN_TIMEOUT_MS,
        )
        page.screenshot(path=tmp_path / "lesson.png")
        assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
        assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert notebook.read_bytes() == before
    assert cells
