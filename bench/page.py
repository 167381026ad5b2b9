"""A page of Chromium to measure in."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import psutil

from tests.support.jupyter import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

MEASURE = Path(__file__).with_name("topology.js")
LOAD = "async ([name, source]) => { window[name] = await import(URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))); }"
END_S = 10


@contextmanager
def browser(scratch: Path) -> Iterator[Page]:
    """A page of a browser that leaves no process, and nothing outside *scratch*, even if Ctrl-C ended it before we could."""
    before = psutil.Process().children(recursive=True)
    family: list[psutil.Process] = []
    try:
        with patch.dict(os.environ, TMPDIR=str(scratch)), chromium(scratch) as page:
            family = [process for process in psutil.Process().children(recursive=True) if process not in before]
            yield page
    finally:
        psutil.wait_procs(family, END_S)


def load(page: Page, **modules: Path) -> None:
    """Load ES modules into a page, as anywidget does it, under names of their own; ``topology.js`` of this folder is ``bench``."""
    for name, path in {"bench": MEASURE, **modules}.items():
        page.evaluate(LOAD, [name, path.read_text()])
