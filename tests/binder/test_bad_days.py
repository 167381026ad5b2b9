"""What happens to sessions, and must not take a learner's work or the page."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.binder.session import READY_S, Session, session

if TYPE_CHECKING:
    import docker

pytestmark = [pytest.mark.binder, pytest.mark.timeout(1200)]

HOME = "/home/jovyan"
TAKES_ALL = """docker run --name greedy base python3 -c 'x = []
while True: x.append(bytearray(1 << 24))'
docker inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' greedy"""


@pytest.fixture
def home(engine: docker.DockerClient) -> Iterator[str]:
    """The name of a volume that is a home: it has what the image has there, and stays when the session ends."""
    volume = engine.volumes.create()
    yield volume.name
    volume.remove(force=True)


def ready(there: Session) -> Session:
    there.wait_for_page()
    there.wait_for_box()
    return there


def test_a_session_that_is_killed_and_started_again_has_its_work_and_a_box(engine: docker.DockerClient, home: str) -> None:
    kept = {"volumes": {home: {"bind": HOME, "mode": "rw"}}}
    with session(engine, **kept) as first:
        ready(first).sh("echo mine > notebooks/mine.txt")
        first.container.kill()
    with session(engine, **kept) as second:
        assert "is up" in ready(second).sh("course status")
        assert second.sh("cat notebooks/mine.txt") == "mine\n"


@pytest.mark.parametrize("user", ["4321", "1000:100"])
def test_any_user_will_do(engine: docker.DockerClient, user: str) -> None:
    with session(engine, user=user) as there:
        assert "is up" in ready(there).sh("course status")
        there.sh("touch notebooks/mine.txt")
        assert there.sh("echo hostname | course shell").strip() == there.on_the_box("hostname").strip()


def test_a_home_that_is_full_is_said_and_the_page_is_there(engine: docker.DockerClient) -> None:
    with session(engine, tmpfs={f"{HOME}/.local": "size=64m,mode=1777"}) as there:
        there.wait_for_page()
        said = _until_it_is_said(there)
        assert "no room" in said
        assert re.search(r"It takes \d{3,4} MB in .*, where \d\d MB are free", said)
        assert "05_deployments.ipynb" in there.sh("ls notebooks")


def test_too_little_memory_is_said_and_the_page_is_there(engine: docker.DockerClient) -> None:
    with session(engine, mem_limit="500m", memswap_limit="500m") as there:
        there.wait_for_page()
        assert "not enough memory for a box" in _until_it_is_said(there)
        assert there.killed() == 0


def _until_it_is_said(there: Session) -> str:
    """Why there is no box, as a notebook says it."""
    deadline = time.monotonic() + READY_S
    while "has failed" not in (said := there.sh('python -c "from lab import connect; connect()" 2>&1', check=False)):
        assert time.monotonic() < deadline, said
        time.sleep(1)
    return said


def test_containers_that_take_all_memory_are_ended_by_the_box(engine: docker.DockerClient) -> None:
    with session(engine) as there:
        said = ready(there).on_the_box(TAKES_ALL)
        assert re.search(r"(true|false) 137", said), said
        assert there.killed() == 0
        assert "is up" in there.sh("course status")


def test_a_session_that_stood_still_goes_on_with_the_right_time(engine: docker.DockerClient) -> None:
    with session(engine) as there:
        ready(there)
        there.container.pause()
        time.sleep(20)
        there.container.unpause()
        ours, its = there.sh("date +%s"), there.on_the_box("date +%s")
        assert abs(int(its) - int(ours)) <= 5
