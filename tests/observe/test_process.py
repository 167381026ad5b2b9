"""What runs on a machine, and how much of a processor it gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lab.box.errors import CourseError
from lab.cleanup import clean
from lab.observe import cpu_share, pid, processes, took

if TYPE_CHECKING:
    from lab.box.instances.box import Box

pytestmark = pytest.mark.parametrize("running", ["container"], indirect=True)


@pytest.fixture
def busy(box: Box) -> Iterator[str]:
    clean(box, "look-")
    box.sh("docker run -d --name look-busy --network none --cpus 0.2 base sh -c 'while :; do :; done'", check=True)
    yield "look-busy"
    clean(box, "look-")


def test_a_container_is_a_process_of_the_box(box: Box, busy: str) -> None:
    found = processes(box)
    assert found[pid(box, busy)] == "sh"
    assert "dockerd" in found.values()
    assert "ps" not in found.values()


def test_a_limited_container_gets_that_share_of_a_processor(box: Box, busy: str) -> None:
    assert 0.1 < cpu_share(box, busy, for_s=1.0) < 0.3


def test_a_container_that_has_ended_has_no_process(box: Box, busy: str) -> None:
    box.sh(f"docker kill {busy}", check=True)
    assert pid(box, busy) == 0


def test_how_long_a_command_takes_is_seconds_and_a_failure_is_none(box: Box) -> None:
    assert 0.3 <= took(box, "sleep 0.3") < 10
    with pytest.raises(CourseError, match="exit code 3"):
        took(box, "exit 3")
