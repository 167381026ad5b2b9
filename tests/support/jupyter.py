"""``course lab`` in a real browser, as a learner has it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from lab.box.wait import wait_for
from tests.support.browser import CHROMIUM, FLAGS

OPEN_MS = 60_000


@contextmanager
def jupyterlab(environment: Mapping[str, str], scratch: Path, notebooks: Path) -> Iterator[str]:
    """Run ``course lab``; the address, with its token.

    Args:
        environment: names the installation.
        scratch: for its files, its log, and a copy of the notebooks in ``notebooks``.
        notebooks: a folder.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shutil.copytree(notebooks, scratch / "notebooks")  # JupyterLab saves what it has run
    command = [
        Path(sys.executable).parent / "course",
        "lab",
        "--no-browser",
        f"--port={port}",
        f"--notebooks={scratch / 'notebooks'}",
    ]
    shutil.rmtree(Path(environment["COURSE_STATE"]) / "workspaces", ignore_errors=True)  # it would open the tabs of the last time
    own = {**environment, "HOME": str(scratch), "IPYTHONDIR": str(scratch / "ipython")}
    with (scratch / "log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=own, start_new_session=True)
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


@contextmanager
def chromium(scratch: Path) -> Iterator[Page]:
    """A page of a browser of its own; what it showed last is kept as ``page.png``."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            scratch / "chromium", executable_path=CHROMIUM, headless=True, args=FLAGS, viewport={"width": 1400, "height": 1000}
        )
        page = context.new_page()
        yield page
        page.screenshot(path=scratch / "page.png")
        context.close()


def open_notebook(page: Page, address: str, name: str) -> None:
    """Open a notebook, and wait for its kernel.  The notebook's own indicator says idle too early; the status bar does not."""
    page.goto(address.replace("/lab?", f"/lab/tree/{name}?"))
    await_kernel(page)


def await_kernel(page: Page) -> None:
    """Wait until the notebook that is open has a kernel with nothing to do."""
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=OPEN_MS)
    page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=OPEN_MS)


def start_cell(page: Page, number: int, code: str) -> None:
    """Put code into the place of a cell's own, and run it, as somebody does who types.

    Args:
        page: with the notebook.
        number: of the cell, from 0.
        code: the cell.
    """
    page.locator(".jp-CodeCell").nth(number).locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)
    page.keyboard.press("Control+Enter")


def run_cell(page: Page, number: int, code: str, timeout_s: float = 60) -> str:
    """What a cell says when it has run; see ``start_cell``."""
    cell = page.locator(".jp-CodeCell").nth(number)
    prompt = cell.locator(".jp-InputPrompt")
    prompt.evaluate("(prompt) => { prompt.textContent = ''; }")  # a new kernel counts from 1 again
    start_cell(page, number, code)
    expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=timeout_s * 1000)
    return "\n".join(cell.locator(".jp-OutputArea-output").all_inner_texts())
