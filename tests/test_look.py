"""What lessons look at containers with: the kernel's numbers side by side, and what answers on localhost behind their walls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lab.box.wait import wait_for
from lab.look import affordable, bars, between, clean, localhost, pid, used_mb

if TYPE_CHECKING:
    from lab.box.instances.box import Box

PAIR = """
docker run -d --name look-app --ipc shareable app:v1
docker run -d --name look-helper --network container:look-app --ipc container:look-app base sleep 1000
"""
FILLED_MB = 40


@pytest.fixture
def pair(box: Box) -> Iterator[Box]:
    clean(box, "look-")
    box.sh(PAIR, check=True)
    yield box
    clean(box, "look-")


@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_two_that_share_a_network_have_one_localhost(pair: Box) -> None:
    assert between(pair, {name: pid(pair, name) for name in ("look-app", "look-helper")}).up == {"uts", "pid", "mnt"}
    assert "count: 1\n" in localhost(pair, "look-app")
    assert "count: 2\n" in localhost(pair, "look-helper", "/?who=isn't-it")
    assert localhost(pair, "look-helper", port=9090, patience_s=0) == ""


@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_memory_that_containers_use_is_counted_together(box: Box) -> None:
    before = used_mb(box)
    fill = f"base python3 -c 'import time; kept = bytearray({FILLED_MB} * 10**6); time.sleep(600)'"
    box.sh(f"docker run -d --name look-1 {fill}; docker run -d --name look-2 {fill}", check=True)

    def both() -> float:
        if (used := used_mb(box) - before) < 2 * FILLED_MB:
            raise BlockingIOError(f"{used:.0f} MB so far")
        return used

    try:
        assert 2 * FILLED_MB <= wait_for("both to have filled their memory", both, timeout_s=60, every_s=0.3) < 4 * FILLED_MB
    finally:
        clean(box, "look-")
    assert used_mb(box) <= before + 1


def test_what_is_counted_is_whole_and_what_is_measured_has_its_unit(capsys: pytest.CaptureFixture[str]) -> None:
    bars({"machine": 11, "container": 1}, "")
    bars({"one": 0.5, "another": 2.0})
    assert [line.replace("█", "") for line in capsys.readouterr().out.splitlines()] == [
        "machine     11",
        "container   1",
        "one       0.50 s",
        "another   2.00 s",
    ]


@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
@pytest.mark.usefixtures("box")
def test_where_the_quota_refuses_there_are_fewer_machines_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["look-1", "look-2", "look-3"]
    monkeypatch.setenv("COURSE_MACHINES", "3")
    assert affordable(names, 2, "So there are two.") == names
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("COURSE_MACHINES", "2")
    assert affordable(names, 2, "So there are two.") == names[:2]
    said = capsys.readouterr().out
    assert said.startswith("The quota allows 2 machines")
    assert said.endswith("So there are two.\n")
