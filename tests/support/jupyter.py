"""``course lab`` in a real browser, as a learner has it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from playwright.sync_api import Page, expect, sync_playwright

from lab.box.wait import wait_for
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.course import COURSE

OPEN_MS = 60_000
LAST_RAN = r"() => /\[\d+\]/.test([...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].at(-1)?.textContent ?? '')"
"""Whether the last cell of a notebook has run, asked in the page."""


@dataclass(frozen=True)
class Lab:
    """A ``course lab`` that runs.

    Args:
        process: the command.
        address: the one that it printed, with the token.
        output: the file that has all that it printed.
    """

    process: subprocess.Popen[bytes]
    address: str
    output: Path

    def ask(self, path: str, data: bytes | None = None) -> tuple[int, str]:
        """The status and the text of a page, as somebody sees it who has the token.

        Args:
            path: below JupyterLab's base address.
            data: is posted, where there is any.
        """
        base, _, token = self.address.partition("lab?token=")
        request = Request(base + path, data, {"Authorization": f"token {token}"})  # noqa: S310  (it is http)
        try:
            with urlopen(request) as page:  # noqa: S310
                return page.status, page.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


@contextmanager
def course_lab(environment: Mapping[str, str], scratch: Path, *options: str) -> Iterator[Lab]:
    """Run ``course lab``, and wait for its address.

    Args:
        environment: names the installation.
        scratch: for its files and what it prints.
        options: after ``--no-browser`` and a free port.
    """
    command = [*COURSE, "lab", "--no-browser", f"--port={free_port()}", *options]
    shutil.rmtree(Path(environment["COURSE_STATE"]) / "workspaces", ignore_errors=True)  # it would open the tabs of the last time
    own = {**environment, "HOME": str(scratch), "IPYTHONDIR": str(scratch / "ipython")}
    with (scratch / "output").open("wb") as output:
        command_runs = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=own, start_new_session=True)
    try:
        yield Lab(command_runs, _address(scratch / "output", command_runs), scratch / "output")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(command_runs.pid, signal.SIGTERM)
        try:
            command_runs.wait(60)
        except subprocess.TimeoutExpired:
            command_runs.kill()
            command_runs.wait()


@contextmanager
def jupyterlab(environment: Mapping[str, str], scratch: Path, notebooks: Path) -> Iterator[str]:
    """Run ``course lab`` on a copy of the notebooks in *notebooks*, which is put into *scratch*; the address, with its token."""
    shutil.copytree(notebooks, scratch / "notebooks")  # JupyterLab saves what it has run
    with course_lab(environment, scratch, f"--notebooks={scratch / 'notebooks'}") as lab:
        yield lab.address


def free_port() -> int:
    """A TCP port of this computer that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _address(output: Path, command: subprocess.Popen[bytes]) -> str:
    def look() -> str:
        # … and the last line after it, or a test would read half of what is printed
        if found := re.search(r"http://\S+:\d+/lab\?token=\w+(?=\n(?:.*\n)*.*course down\n)", output.read_text()):
            return found[0]
        raise FileNotFoundError("no address in what course lab prints")

    return wait_for("JupyterLab", look, timeout_s=90, every_s=0.2, log=output, alive=lambda: command.poll() is None)


@contextmanager
def chromium(scratch: Path, program: str | Path = CHROMIUM) -> Iterator[Page]:
    """A page of a browser of its own; what it showed last is kept as ``page.png``."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            scratch / "chromium", executable_path=program, headless=True, args=FLAGS, viewport={"width": 1400, "height": 1000}
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


def type_in_terminal(page: Page, tile: str, command: str) -> None:
    """Open a terminal by a tile of the launcher that is in front, and type a command.  What it prints is pixels: let it write a file."""
    page.click(f'.jp-LauncherCard:visible:has-text("{tile}")')
    screen = page.locator(".jp-Terminal:visible .xterm-screen")
    screen.wait_for(timeout=OPEN_MS)
    screen.click()
    page.keyboard.type(f"{command}\n")
