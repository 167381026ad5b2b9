"""A Swarm of three real machines: where it puts what, beside the scheduler that packs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from lab.box import machines
from lab.box.errors import CourseError, UsageError
from lab.box.parallel import in_parallel
from lab.objects import swarm as swarms
from lab.objects.node import Node, schedule
from lab.objects.spec import read
from lab.objects.swarm import Swarm, form
from tests.objects.manifests import one, pod, sized
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.instance import Instance
    from tests.conftest import Running

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
SLOW_S = 60.0
NAMES = ("one", "two", "three")
FLEET = ("swarm-a", "swarm-b", "swarm-c")


@pytest.fixture(scope="module")
def fleet(running: Running) -> Iterator[list[Instance]]:  # noqa: ARG001  (which is there until the machines are gone)
    """Three machines, for all tests of this module: each forms a Swarm of its own on them."""
    yield machines.fleet(*FLEET)
    machines.delete(*FLEET)


@pytest.fixture
def nodes(running: Running, fleet: list[Instance]) -> list[Node]:  # noqa: ARG001  (``connect()`` finds it)
    return [Node(name, machine, "1", "512Mi") for name, machine in zip(NAMES, fleet, strict=True)]


@pytest.fixture
def swarm(nodes: list[Node]) -> Iterator[Swarm]:
    made = form(*nodes)
    yield made
    made.leave()
    assert in_parallel(left, nodes) == [[], [], []]


def left(node: Node) -> list[str]:
    """What is on a node that was not there at first."""
    api: Any = node.machine.docker.api
    networks = [it["Name"] for it in api.networks() if it["Name"] not in ("bridge", "host", "none")]
    member = [] if api.info()["Swarm"]["LocalNodeState"] == "inactive" else ["a Swarm"]
    return [*networks, *member, *(it["Names"][0] for it in api.containers(all=True))]


def test_small_pods_are_spread_and_what_fits_nowhere_waits(swarm: Swarm, nodes: list[Node]) -> None:
    """Packed, the small ones need one node, and a big one that comes last has a place."""
    small = [read(sized(name, "300m", "64Mi")) for name in ("a", "b", "c")]
    big = read(sized("big", "1", "128Mi"))
    placed = swarm.place(*small, big)
    assert sorted(placed.placements.values()) == sorted(NAMES)
    assert placed.pending.keys() == {"big"}
    assert "insufficient resources" in placed.pending["big"]
    assert not schedule([*small, big], nodes).pending
    said = repr(placed)
    for words in ("spread them over 3 nodes", "over 2.", "big waits in the Swarm", "Each engine reports", "big is pending"):
        assert words in said
    assert {name for name, pods in swarm.placements().items() if pods} == set(NAMES)
    running = in_parallel(lambda node: len(node.machine.docker.containers.list()), nodes)
    assert running == [1, 1, 1]

    swarm.remove("a")
    until("the big one to have a place", lambda: any("big" in pods for pods in swarm.placements().values()), SLOW_S)
    assert "big" in swarm.place().placements
    assert [len(pods) for pods in swarm.placements().values()] == [1, 1, 1]


def test_exactly_as_much_fits_as_a_node_is_said_to_have(swarm: Swarm) -> None:
    """By memory, whatever the engine reports: six halves of a node are three nodes."""
    halves = [sized(f"half-{number}", "1m", "256Mi") for number in range(7)]
    placed = swarm.place(*halves)
    assert len(placed.placements) == 6
    assert [len(pods) for pods in swarm.placements().values()] == [2, 2, 2]
    assert len(placed.pending) == 1


@pytest.mark.full
def test_what_a_service_is_not_is_said(swarm: Swarm) -> None:
    web = pod(
        one("app", image="app:v1", command=[], ports=[{"containerPort": 8080, "hostPort": 8099}]),
        one("sidecar"),
        shareProcessNamespace=True,
    )
    placed = swarm.place(web)
    said = "\n".join(placed.ignored)
    assert all(words in said for words in ("no pod", "No port is published: web", "No tree of processes"))
    assert "Volumes" not in said
    with pytest.raises(UsageError, match="There is a pod web already"):
        swarm.place(web)
    swarm.remove()
    assert swarm.placements() == {name: [] for name in NAMES}


@pytest.mark.full
def test_what_does_not_run_is_told_with_swarms_words(swarm: Swarm) -> None:
    with pytest.raises(CourseError, match="does not run") as failed:
        swarm.place(pod(one("app", "no-such-program")))
    assert "no-such-program" in str(failed.value)
    with pytest.raises(CourseError, match="no image nowhere:v9 on"):
        swarm.place(pod(one(image="nowhere:v9"), name="other"))


def test_nodes_that_are_busy_or_unlike_form_no_swarm(nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="same capacity"):
        form(nodes[0], Node("small", nodes[1].machine, "500m", "512Mi"))
    with pytest.raises(UsageError, match="two or more"):
        form(nodes[0])
    nodes[1].machine.docker.api.init_swarm("127.0.0.1")
    with pytest.raises(CourseError, match="two is in a Swarm already"):
        form(*nodes)
    nodes[1].machine.docker.api.leave_swarm(force=True)
    monkeypatch.setattr(swarms, "_all_ready", lambda *_: (_ for _ in ()).throw(CourseError("no answer")))
    with pytest.raises(CourseError, match="no answer"):
        form(*nodes)
    assert [it for node in nodes for it in left(node) if it == "a Swarm"] == []
