"""What the live picture takes with a hundred real containers on a real box, looked at in JupyterLab."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import nbformat
from docker.errors import DockerException

from bench.page import browser, load
from bench.rows import RUNS, Row, seconds
from lab.box import lifecycle
from lab.box.core.installation import Installation
from lab.box.instances.box import Box
from lab.box.wait import wait_for
from lab.picture.camera import Camera, snapshot
from tests.support.jupyter import jupyterlab, open_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
NOTEBOOK = "view.ipynb"
SHOW = "from lab import connect, topology\n\nview = topology(connect())\nview"
SIZE, APP_OF = 100, 10
EVENTS, FIRST_EVENTS = 40, 4
BURSTS = 5
PATIENCE_MS = 60_000
CALM_MS = 500
"""After what an event changed was painted, until the next event."""


@contextmanager
def own_box() -> Iterator[tuple[Box, dict[str, str]]]:
    """A box of the benchmark's own on the ``container`` backend, and the environment in which commands find it; it goes with the block."""
    built = Path(os.environ.get("COURSE_TEST_STATE") or ROOT / ".tests").absolute() / "build"
    built.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="bench-") as home:
        installation = Installation(Path(home))
        installation.build.symlink_to(built)
        try:
            yield lifecycle.up("container", installation=installation), {**os.environ, "COURSE_STATE": home}
        finally:
            lifecycle.down(installation)


def fill(box: Box) -> list[str]:
    """Start a hundred containers, in deployments, of which each has a pod of two; their ids."""
    network = box.docker.networks.create("bench").name

    def start(app: int) -> list[str]:
        run = partial(box.docker.containers.run, "pause", detach=True, labels={"deployment": f"app-{app}"})
        found = [run(name=f"app-{app}-{copy}", network=network).id for copy in range(APP_OF - 1)]
        return [*found, run(name=f"app-{app}-{APP_OF - 1}", network_mode=f"container:{found[-1]}").id]

    with ThreadPoolExecutor(4) as pool:
        return [container for app in pool.map(start, range(SIZE // APP_OF)) for container in app]


class Watch:
    """Has something happen on the box, and says how long after the engine's own event it was painted, in milliseconds."""

    def __init__(self, box: Box, page: Page, containers: list[str]) -> None:
        self._api, self._page, self._containers = box.docker.api, page, containers

    def single_events(self) -> Iterator[float]:
        """Containers are paused, and go on, one after the other; the first ones don't count."""
        with closing(self._api.events(decode=True, filters={"event": ["pause", "unpause"]})) as events:
            for number in range(0, FIRST_EVENTS + EVENTS, 2):
                container = self._containers[number * 7 % SIZE]
                try:
                    delays = [self._delay(container, "paused", self._api.pause, events)]
                    delays += [self._delay(container, "running", self._api.unpause, events)]
                except BaseException:
                    with suppress(DockerException):  # or the box might not end
                        self._api.unpause(container)
                    raise
                yield from delays if number >= FIRST_EVENTS else []

    def _delay(self, container: str, word: str, action: Callable[[str], None], events: Iterator[dict[str, Any]]) -> float:
        self._page.wait_for_timeout(CALM_MS)
        self._expect({container: word})
        action(container)
        return self._painted() - next(events)["timeNano"] / 1e6

    def bursts(self) -> Iterator[float]:
        """Each container is renamed twice, all at once; counted from the last event."""
        with closing(self._api.events(decode=True, filters={"event": "rename"})) as events:
            for number in range(BURSTS):
                self._page.wait_for_timeout(CALM_MS)
                names = {container: f"burst-{number}-{at}" for at, container in enumerate(self._containers)}
                self._expect(names)
                for word in ("first", "burst"):
                    for container, name in names.items():
                        self._api.rename(container, name.replace("burst", word))
                last = [next(events) for _ in range(2 * SIZE)][-1]
                yield self._painted() - last["timeNano"] / 1e6

    def _expect(self, words: dict[str, str]) -> None:
        self._page.evaluate("(words) => { window.shown = bench.shows(words); }", words)

    def _painted(self) -> float:
        return float(self._page.evaluate("() => window.shown"))


def saved(page: Page, notebook: Path) -> int:
    """Save the notebook; its size."""

    def look() -> int:
        if "image/svg+xml" not in notebook.read_text():
            raise BlockingIOError("no still picture in the file")
        return notebook.stat().st_size

    page.keyboard.press("Control+s")
    return wait_for("the notebook to be saved", look, timeout_s=30, every_s=0.2)


def rows() -> Iterator[Row]:
    """Figures of a real box."""
    with own_box() as (box, environment), TemporaryDirectory(prefix="bench-") as home:
        containers = fill(box)
        snapshot(box)
        yield Row("100 real containers: snapshot", round(seconds(lambda: snapshot(box), 2 * RUNS) * 1000), "ms", 150)
        camera = Camera(box)
        camera.take()
        yield Row("100 real containers: a further look", round(seconds(camera.take, 2 * RUNS) * 1000), "ms")

        scratch, source = Path(home), Path(home) / "source"
        source.mkdir()
        kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SHOW)], metadata={"kernelspec": kernel})
        nbformat.write(notebook, source / NOTEBOOK)
        with jupyterlab(environment, scratch, source) as address, browser(scratch) as page:
            open_notebook(page, address, NOTEBOOK)
            page.click(".jp-CodeCell .cm-content")
            page.keyboard.press("Control+Enter")
            page.wait_for_function(f"() => document.querySelectorAll('.kba .container').length === {SIZE}", timeout=PATIENCE_MS)
            grown = saved(page, scratch / "notebooks" / NOTEBOOK) - (source / NOTEBOOK).stat().st_size
            yield Row("a saved notebook grows, for a view of 100 containers", round(grown / 1024, 1), "KB", 60)
            load(page)
            watch = Watch(box, page, containers)
            delays = list(watch.single_events())
            yield Row("JupyterLab, 100 containers: an event is painted, median", round(median(delays)), "ms", 150)
            yield Row("JupyterLab, 100 containers: an event is painted, 95 of 100", round(quantiles(delays, n=20)[-1]), "ms", 300)
            yield Row("JupyterLab, 100 containers: the last of 200 events is painted", round(median(watch.bursts())), "ms", 500)
