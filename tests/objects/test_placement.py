"""Counting room in an engine's way changes nothing about who fits beside whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.objects.node import Node, Plan
from lab.objects.placement import LEAST_CPU, LEAST_MEMORY, NANOS_PER_MILLI, Share, placement
from lab.objects.quantity import Resources
from lab.objects.spec import read
from tests.objects.manifests import one, pod, sized
from tests.support.machine import Local

MI = 2**20
HOST = Resources(2000, 24_105 * MI)
SMALL = Resources(1000, 986 * MI)


@pytest.mark.parametrize("reported", [HOST, SMALL])
@pytest.mark.parametrize("room", [Resources(1000, 512 * MI), Resources(3000, 700 * MI), Resources(500, 64 * MI)])
@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_so_many_parts_of_a_node_fit_and_a_little_more_does_not(reported: Resources, room: Resources, parts: int) -> None:
    share = Share(room, reported)
    fits = share.reserved(read(sized("fits", f"{room.cpu // parts}m", str(room.memory // parts))))
    more = share.reserved(read(sized("more", f"{room.cpu // parts + 1}m", str(room.memory // parts + 1))))
    assert fits[0] * parts <= reported.cpu * NANOS_PER_MILLI < more[0] * parts
    assert fits[1] * parts <= reported.memory < more[1] * parts


def test_nothing_reserves_nothing_and_a_little_the_least_that_swarm_takes() -> None:
    share = Share(Resources(1_000_000, 2**50), SMALL)
    assert share.reserved(read(pod(one()))) == (0, 0)
    assert share.reserved(read(sized("tiny", "1m", "1"))) == (LEAST_CPU, LEAST_MEMORY)


def test_what_differs_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    nodes = [Node(name, Local(tmp_path), "1", "512Mi") for name in ("one", "two")]
    web = pod(one(ports=[{"containerPort": 80, "hostPort": 8099}]), one("sidecar"), volumes=[{"name": "data", "emptyDir": {}}])
    pods = [read(web), read(sized("big", "1")), read(sized("huge", "3"))]
    seen = placement(Plan({"web": "one", "huge": "two"}, {"big": "no room"}), pods, nodes, Share(nodes[0].capacity, HOST))
    assert seen.otherwise[1:4] == (
        "Your scheduler, if it gets all 3 at once, packs the biggest first, over 1.",
        "big waits in the Swarm, and would have a place in that plan: one.",
        "huge would wait in that plan, and has a place in the Swarm: two.",
    )
    assert "2 cpu and 24105Mi" in seen.otherwise[-1]
    assert [line.partition(":")[2] for line in seen.ignored] == [" web.", " web.", " web."]
    assert "no room" in repr(seen)
