"""Lessons keep to the rubric, and run from top to bottom as they are shipped: every answer open, nobody there to click."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from lab.box.box import Box

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
GALLERY = NOTEBOOKS / "gallery.ipynb"
"""For authors; no lesson, so it only has to run."""
SHORT = ("00_start_here", "07_kubernetes")
"""Held only to what is said of a tour and of a synthesis."""
CELL_TIMEOUT_S = 180


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def cells(lesson: Path) -> list[NotebookNode]:
    return list(nbformat.read(lesson, as_version=4).cells)


def tagged(cell: NotebookNode, *tags: str) -> bool:
    return bool(set(tags) & set(cell.metadata.get("tags", [])))


def code_lines(cell: NotebookNode) -> int:
    return sum(bool(line.strip()) and not line.startswith("%%box") for line in cell.source.splitlines())


def words(cell: NotebookNode) -> int:
    return len(re.findall(r"[\w'-]+", cell.source))


def test_is_a_valid_notebook_with_names_for_its_cells(lesson: Path) -> None:
    notebook = nbformat.read(lesson, as_version=4)

    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(re.fullmatch(rf"c{lesson.stem[:2]}(-[a-z0-9]+)+", cell.id) for cell in notebook.cells)


def test_code_is_short(lesson: Path) -> None:
    lines = [code_lines(cell) for cell in cells(lesson) if cell.cell_type == "code"]

    assert median(lines) <= 5
    assert max(lines) <= 15


def test_there_is_enough_to_read_and_no_more(lesson: Path) -> None:
    prose = [words(cell) for cell in cells(lesson) if cell.cell_type == "markdown"]
    code = [cell for cell in cells(lesson) if cell.cell_type == "code"]

    assert max(prose) <= 120
    assert 40 <= sum(prose) / len(code) <= 90


def test_there_is_something_to_do_at_least_every_four_cells(lesson: Path) -> None:
    to_do = [number for number, cell in enumerate(cells(lesson)) if tagged(cell, "do")]

    assert all(later - earlier <= 4 for earlier, later in pairwise([0, *to_do, len(cells(lesson))]))


def test_a_prediction_is_a_cell_of_its_own_before_the_result(lesson: Path) -> None:
    predictions = [cell for cell in cells(lesson) if tagged(cell, "predict")]

    assert len(predictions) >= (1 if lesson.stem in SHORT else 3)
    for cell in predictions:
        asked = re.fullmatch(rf'(\w+) = predict\("{lesson.stem[:2]}\.[\w-]+", "[^"\n]+", .+\)\n\1', cell.source)
        assert asked, cell.source
        assert f"{asked[1]}.reveal(" in "".join(later.source for later in cells(lesson) if later.cell_type == "code")


def test_is_no_longer_than_an_hour(lesson: Path) -> None:
    assert len(cells(lesson)) <= 45


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("installation", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_runs_twice_in_a_row_and_leaves_nothing(lesson: Path, fresh: Box, tmp_path: Path) -> None:
    before = inventory(fresh)

    for _ in range(2):
        run(lesson, tmp_path)
        assert inventory(fresh) == before


@pytest.mark.timeout(900)
@pytest.mark.parametrize("installation", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_the_gallery_runs_and_leaves_nothing(fresh: Box, tmp_path: Path) -> None:
    before = inventory(fresh)
    run(GALLERY, tmp_path)
    assert inventory(fresh) == before


@pytest.mark.timeout(900)
@pytest.mark.parametrize("installation", ["microvm"], indirect=True)
def test_runs_on_a_virtual_machine(lesson: Path, fresh: Box, tmp_path: Path) -> None:
    before = inventory(fresh)
    run(lesson, tmp_path)
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
    """What is on a box, by names that survive a reset."""
    engine = box.docker
    return {
        "containers": {str(container.name) for container in engine.containers.list(all=True)},
        "networks": {str(network.name) for network in engine.networks.list()},
        "volumes": {str(volume.name) for volume in engine.volumes.list()},
        "images": {str(image.id) for image in engine.images.list(all=True)},
        "files": set(box.sh("ls -A /root", check=True).stdout.split()),
    }
