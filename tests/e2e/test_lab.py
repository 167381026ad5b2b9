"""``course lab`` in a real browser: JupyterLab serves, and a lesson runs from top to bottom on the box; so does a terminal."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import Page  # noqa: TC002  (a runtime import all the same)

from lab.box.wait import wait_for
from tests.conftest import ROOT, Running
from tests.support.course import until
from tests.support.jupyter import LAST_RAN, OPEN_MS, chromium, jupyterlab, open_notebook, type_in_terminal

LESSON = "02_containers.ipynb"
RUN_TIMEOUT_MS = 300_000

pytestmark = pytest.mark.browser


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
    with chromium(tmp_path) as page:
        yield page


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_lesson_02_runs_in_the_browser(running: Running, page: Page, tmp_path: Path) -> None:
    with jupyterlab(running.environment, tmp_path, ROOT / "notebooks") as address:
        open_notebook(page, address, LESSON)
        page.click('.lm-MenuBar-itemLabel:text-is("Run")')
        page.click("text=Run All Cells")
        page.wait_for_function(LAST_RAN, timeout=RUN_TIMEOUT_MS)
        page.keyboard.press("Control+s")
        lesson = wait_for("the notebook to be saved", lambda: _saved(tmp_path / "notebooks" / LESSON), timeout_s=30, every_s=0.2)
        assert not page.locator("text=Would you like to get notified").count()

    code = [cell for cell in lesson.cells if cell.cell_type == "code"]
    assert [output for cell in code for output in cell.outputs if output.output_type == "error" or output.get("name") == "stderr"] == []


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_the_launcher_says_where_a_terminal_is(running: Running, page: Page, tmp_path: Path) -> None:
    with jupyterlab(running.environment, tmp_path, ROOT / "notebooks") as address:
        page.goto(address)
        page.wait_for_selector(".jp-LauncherCard", timeout=OPEN_MS)
        cards = page.locator(".jp-LauncherCard-label").all_inner_texts()
        assert [card for card in cards if "erminal" in card] == ["Box terminal", "Terminal on your computer"]

        type_in_terminal(page, "Box terminal", "hostname > /tmp/here")
        until("the box's answer", lambda: running.box.sh("cat /tmp/here").stdout == f"{running.box.status().name}\n", 60)

        page.click(".lm-TabBar-addButton:visible")
        type_in_terminal(page, "Terminal on your computer", f"hostname > {tmp_path}/here")
        until("the computer's answer", lambda: (tmp_path / "here").read_text() == f"{socket.gethostname()}\n", 60)
