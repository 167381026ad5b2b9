"""A session as on Binder, with one processor, 2 GB and no privilege: from its first program to a box that was saved."""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import docker

from bench.rows import Row, show
from tests.binder import image
from tests.binder.session import MB, Session, session
from tests.conftest import ROOT
from tests.support.engine import private_engine

BINDER_ENGINE = "COURSE_TEST_BINDER_ENGINE"
FIRST_CELL = """
import time
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read("notebooks/02_containers.ipynb", 4)
notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"][:1]
client = NotebookClient(notebook)
with client.setup_kernel():
    began = time.monotonic()
    client.execute_cell(notebook.cells[0], 0)
    print(round(time.monotonic() - began, 2))
"""
LESSONS = ("02_containers.ipynb", "04_nodes.ipynb", "06_services.ipynb")
SAVE = "rm -f /tmp/b.zip; course save /tmp/b.zip --box --notebooks notebooks"


def timed(action: Callable[[], object]) -> float:
    """The seconds that something takes."""
    began = time.monotonic()
    action()
    return round(time.monotonic() - began, 2)


def rows() -> Iterator[Row]:
    """All figures of a session; the image is built first, where the engine has none."""
    with ExitStack() as stack:
        engine = os.environ.get(BINDER_ENGINE) or stack.enter_context(private_engine(builds=True))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        client = stack.enter_context(closing(docker.DockerClient(base_url=engine, timeout=600)))
        environment = image.environment_of(engine)
        if not client.images.list(image.BASE):
            image.make_base(environment)
        image.build(ROOT, image.with_buildx(environment, scratch))
        yield Row("session: the image, uncompressed", round(client.images.get(image.IMAGE).attrs["Size"] / 1e6), "MB", 2000)
        began = time.monotonic()
        with session(client) as there:
            there.wait_for_box()
            yield Row("session: from its start to a box that is ready", round(time.monotonic() - began, 2), "s", 8)
            there.wait_for_page()
            yield from _used(there)
        for lesson in LESSONS:
            yield from _lesson(client, lesson)


def _used(there: Session) -> Iterator[Row]:
    yield Row("session: lesson 02's first cell", float(there.sh(f"python -c {shlex.quote(FIRST_CELL)}").split()[-1]), "s", 3)
    yield Row("session: a branch of the box", timed(lambda: there.sh("course branch plan-b")), "s", 1.5)
    there.sh("""python -c "from lab import machines; machines.delete('plan-b')" """)
    there.on_the_box("docker run -d --name counter base sleep 3600")
    yield Row("session: the box is saved", timed(lambda: there.sh(SAVE)), "s", 6)
    yield Row("session: … as a file of", round(int(there.sh("stat -c %s /tmp/b.zip")) / MB), "MB", 200)


def _lesson(client: docker.DockerClient, lesson: str) -> Iterator[Row]:
    """One lesson in a session of its own."""
    with session(client) as there:
        there.wait_for_page()
        there.wait_for_box()
        yield Row(
            f"session: {lesson}, top to bottom", timed(lambda: there.run_notebook(lesson)), "s", 360 if lesson == LESSONS[0] else None
        )
        yield Row("session: … its peak of memory that can't be dropped", round(there.most_mb), "MB", 1900)
        yield Row("session: … processes ended for want of memory", there.killed(), "", 0)


if __name__ == "__main__":
    show(rows())
