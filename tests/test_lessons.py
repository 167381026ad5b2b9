"""Lessons keep to the rubric, and run from top to bottom as they are shipped: every answer open, nobody there to click."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from lab.box import machines
from rubric.course import lessons
from rubric.points import POINTS, Point, faults

if TYPE_CHECKING:
    from lab.box.instances.box import Box

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
GALLERY = NOTEBOOKS / "gallery.ipynb"
"""For authors; no lesson, so it only has to run."""
CELL_TIMEOUT_S = 400


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def fresh(fresh: Box) -> Iterator[Box]:
    """A lesson that breaks off leaves its machines, which others must not meet."""
    yield fresh
    machines.delete()
    machines.forget()


def test_is_a_valid_notebook_with_names_for_its_cells(lesson: Path) -> None:
    notebook = nbformat.read(lesson, as_version=4)

    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(re.fullmatch(rf"c{lesson.stem[:2]}(-[a-z0-9]+)+", cell.id) for cell in notebook.cells)


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.number}-{point.measure.__name__}")
def test_keeps_to_the_rubric(lesson: Path, point: Point) -> None:
    (measured,) = (read for read in lessons() if read.name == lesson.stem)
    assert not point.applies(measured) or not point.measure(measured).missing


def test_a_prediction_has_its_form_in_a_tour_too(lesson: Path) -> None:
    (measured,) = (read for read in lessons() if read.name == lesson.stem)
    assert not faults(measured)
    assert measured.tagged("predict")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_runs_and_leaves_nothing(lesson: Path, fresh: Box, tmp_path: Path) -> None:
    before = inventory(fresh)
    run(lesson, tmp_path)
    assert inventory(fresh) == before


@pytest.mark.full
@pytest.mark.timeout(2700)
@pytest.mark.parametrize("running", ["container", "microvm"], indirect=True)
def test_runs_twice_in_a_row_and_leaves_nothing(lesson: Path, fresh: Box, tmp_path: Path) -> None:
    before = inventory(fresh)

    for _ in range(2):
        run(lesson, tmp_path)
        assert inventory(fresh) == before


@pytest.mark.timeout(900)
@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_the_gallery_runs_and_leaves_nothing(fresh: Box, tmp_path: Path) -> None:
    before = inventory(fresh)
    run(GALLERY, tmp_path)
    assert inventory(fresh) == before


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("running", ["microvm"], indirect=True)
def test_the_tour_runs_on_a_virtual_machine(fresh: Box, tmp_path: Path) -> None:
    before = inventory(fresh)
    run(LESSONS[0], tmp_path)
    assert inventory(fresh) == before


def run(lesson: Path, where: Path) -> None:
    """Run it from top to bottom, without a port and without complaints."""
    notebook = nbformat.read(lesson, as_version=4)
    no_port = Config({"KernelManager": {"transport": "ipc", "ip": str(where / "kernel")}})
    client = NotebookClient(notebook, timeout=CELL_TIMEOUT_S, kernel_name="python3", store_widget_state=False, config=no_port)
    client.execute(cwd=where)

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs
    assert not [output for output in outputs if output.get("name") == "stderr"]


def inventory(box: Box) -> dict[str, set[str]]:
    """What is on a box and beside it, by names that survive a reset."""
    engine = box.docker
    return {
        "machines": {machine.name for machine in machines.all()},
        "golden images": set(machines.images()),
        "containers": {str(container.name) for container in engine.containers.list(all=True)},
        "networks": {str(network.name) for network in engine.networks.list()},
        "volumes": {str(volume.name) for volume in engine.volumes.list()},
        "images": {str(image.id) for image in engine.images.list(all=True)},
        "files": set(box.sh("ls -A /root", check=True).stdout.split()),
    }
