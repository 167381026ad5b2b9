"""Meters show what the kernel counts, on either version of control groups, and end by themselves."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lab.box.errors import CourseError
from lab.cleanup import clean
from lab.widgets.meters import THE_BOX, meters
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box


@pytest.fixture
def busy(box: Box) -> Iterator[str]:
    clean(box, "meters-")
    box.sh("docker run -d --name meters-busy --network none --cpus 0.5 base sh -c 'while :; do :; done'", check=True)
    yield "meters-busy"
    clean(box, "meters-")


@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_a_busy_container_is_seen_beside_the_box(box: Box, busy: str) -> None:
    box.docker.containers.create("pause", name="meters-made")
    shown = meters(box, busy, "meters-none", "meters-made", every_s=0.5, for_s=60)
    try:
        until("a share of the processor", lambda: 0.2 < shown._seen[busy][-1].cpus < 0.8 if busy in shown._seen else False, timeout_s=40)
        text = shown.text()
        assert re.search("meters-none +there is no such container", text)
        assert re.search("meters-made +does not run", text)
        assert shown._seen[busy][-1].memory_mb < shown._seen[THE_BOX][-1].memory_mb
        assert shown._seen[busy][-1].processes >= 1
        assert 0 <= shown._start_s[busy] < 60
        heading, *_ = shown._repr_mimebundle_()["text/plain"].splitlines()
        assert heading.split() == ["memory", "processor", "processes", "started", "in"]
    finally:
        shown.close()
    until("its thread to end", lambda: "meters" not in {thread.name for thread in threading.enumerate()})


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_they_end_by_themselves_and_say_so(box: Box, busy: str) -> None:
    shown = meters(box, busy, every_s=0.1, for_s=0.2)
    until("the end", lambda: "ended at" in shown.text())
    until("its thread to end", lambda: "meters" not in {thread.name for thread in threading.enumerate()})


def test_nothing_to_measure_is_said() -> None:
    with pytest.raises(CourseError, match="No container is named"):
        meters(None)  # type: ignore[arg-type]
