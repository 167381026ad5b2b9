"""Pods on nodes.  One box is several nodes here, each with a share of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from lab.box.errors import BoxNotRunning, CourseError, UsageError
from lab.box.machine.base import Machine, Result
from lab.objects.cluster import Cluster
from lab.objects.node import Node
from lab.objects.pod import pods
from tests.objects.conftest import on_it
from tests.objects.manifests import one, pod, sized

if TYPE_CHECKING:
    import socket

    from lab.box.instances.box import Box

pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]


class Mortal(Machine):
    """A machine until it dies.

    Args:
        box: the real one.
    """

    def __init__(self, box: Box) -> None:
        self._box, self.dead = box, False

    def alive(self) -> Box:
        """The real one; it is an error to ask when it is dead."""
        if self.dead:
            raise BoxNotRunning("The machine is gone.", "Somebody pulled the plug.", "course status")
        return self._box

    @property
    def docker(self) -> Any:
        self.alive()
        return SimpleNamespace(api=Wire(self))

    @property
    def docker_host(self) -> str:
        return self._box.docker_host

    def ask_for_command(self) -> socket.socket:
        return self.alive().ask_for_command()

    def sh(self, command: str, **options: Any) -> Result:
        return self.alive().sh(command, **options)


class Wire:
    """The client of a mortal machine's engine: nobody answers after its death.

    Args:
        machine: the mortal one.
    """

    def __init__(self, machine: Mortal) -> None:
        self._machine = machine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine.alive().docker.api, name)


def nodes(machine: Machine, *memory: str) -> list[Node]:
    return [Node(f"node-{number}", machine, "1", room) for number, room in enumerate(memory, 1)]


def where(machine: Machine) -> dict[str, str]:
    """The node by the pod, as the machine has it."""
    return {it.spec.name: it.node for it in pods(machine)}


def test_eight_pods_are_packed_and_the_one_that_fits_nowhere_says_why(box: Box) -> None:
    cluster = Cluster(*nodes(box, "64Mi", "96Mi", "128Mi"))
    manifests = [sized(f"p-{number}", memory=f"{16 * number}Mi") for number in range(1, 8)]  # 448Mi, for 288
    plan = cluster.run(*manifests, sized("huge", memory="1Gi"))
    assert where(box) == plan.placements
    assert plan.placements.keys() == {"p-7", "p-6", "p-4", "p-1"}
    for name, node in cluster.nodes.items():
        assert sum(it.spec.requests.memory for it in pods(box, node=name)) <= node.capacity.memory
    assert plan.pending["huge"].startswith("node-1: too little memory: 1024Mi asked, ")
    assert plan.pending["huge"].count("free") == 3
    assert all(it.status().phase == "Running" for it in pods(box))


def test_a_drained_node_is_empty_and_every_pod_ran_elsewhere_first(box: Box) -> None:
    cluster = Cluster(*nodes(box, "64Mi", "128Mi"))
    cluster.run(sized("a"), sized("b"))
    assert set(where(box).values()) == {"node-1"}
    began = int(box.sh("date +%s").stdout)
    plan = cluster.drain("node-1")
    assert (dict(plan.placements), dict(plan.pending)) == ({"a": "node-2", "b": "node-2"}, {})
    assert where(box) == {"a": "node-2", "b": "node-2"}
    ours = {"type": "container", "event": ["start", "die"], "label": "course.pod.part=app"}
    seen = box.docker.api.events(since=began, until=int(box.sh("date +%s").stdout) + 1, filters=ours, decode=True)
    moves = [(it["Actor"]["Attributes"]["course.pod"], it["Action"]) for it in seen]
    assert moves[-4:] == [("a", "start"), ("a", "die"), ("b", "start"), ("b", "die")]
    assert cluster.run(sized("c")).placements == {"c": "node-2"}
    assert cluster.add(cluster.nodes["node-1"]).placements == {}
    assert cluster.run(sized("d", memory="64Mi")).placements == {"d": "node-1"}


def test_what_fits_nowhere_else_stays_and_says_why(box: Box) -> None:
    cluster = Cluster(*nodes(box, "96Mi", "32Mi"))
    cluster.run(sized("big", memory="64Mi"), sized("small"))
    plan = cluster.drain("node-1")
    assert plan.pending == {"big": "node-2: too little memory: 64Mi asked, 32Mi free"}
    assert where(box) == {"big": "node-1", "small": "node-2"}
    assert "big" in repr(plan)


def test_a_pod_that_can_not_start_elsewhere_stays(box: Box) -> None:
    """Both nodes are this box, which has its port 8081 once."""
    cluster = Cluster(*nodes(box, "64Mi", "64Mi"))
    cluster.run(sized("web", ports=[{"containerPort": 8080, "hostPort": 8081}]))
    plan = cluster.drain("node-1")
    assert "port is already allocated" in plan.pending["web"]
    assert where(box) == {"web": "node-1"}
    assert pods(box)[0].status().phase == "Running"


def test_when_nodes_die_their_pods_run_elsewhere_and_the_rest_waits_for_room(box: Box) -> None:
    dying, other = Mortal(box), Mortal(box)
    node_1, node_2, node_3 = Node("node-1", dying, "1", "64Mi"), Node("node-2", other, "1", "64Mi"), Node("node-3", box, "1", "96Mi")
    cluster = Cluster(node_1, node_2, node_3)
    cluster.run(*(sized(f"p-{number}") for number in range(5)))
    assert cluster.recover().placements == {}
    dying.dead = other.dead = True
    plan = cluster.recover()
    assert list(plan.placements.values()) == ["node-3", "node-3"]
    assert (len(cluster.on("node-3")), len(plan.pending)) == (3, 2)
    assert cluster.waiting.keys() == plan.pending.keys()
    assert list(cluster.nodes) == ["node-3"]
    dying.dead = False
    cluster.add(node_1)
    assert not cluster.waiting
    assert sorted(cluster.pods) == [f"p-{number}" for number in range(5)]
    assert all(it.status().phase == "Running" for it in cluster.pods.values())
    assert {it.node for it in cluster.pods.values()} == {"node-1", "node-3"}
    assert {it.spec.name for it in pods(box, node="node-1")} == {it.spec.name for it in cluster.on("node-1")}


def test_a_cluster_is_found_again_and_deleted_as_one(box: Box) -> None:
    Cluster(*nodes(box, "64Mi", "64Mi")).run(sized("a", memory="64Mi"), sized("b"))
    again = Cluster(*nodes(box, "64Mi", "64Mi"))
    assert {name: it.node for name, it in again.pods.items()} == where(box)
    with pytest.raises(UsageError, match=r'(?s)a pod a already.*cluster.delete\("a"\)'):
        again.run(sized("a"))
    again.delete("a", "nobody")
    assert where(box).keys() == {"b"}
    again.delete()
    assert on_it(box) == []


def test_a_pod_that_does_not_start_leaves_nothing_and_the_others_run(box: Box) -> None:
    cluster = Cluster(*nodes(box, "128Mi"))
    with pytest.raises(CourseError, match="No such image: nothing"):
        cluster.run(pod(one(image="nothing"), name="bad"), sized("good"))
    assert where(box) == {"good": "node-1"}
    assert not cluster.waiting
    with pytest.raises(CourseError, match="refuses"):
        cluster.run(pod(one("app", "sleeep"), name="worse"))
    assert where(box) == {"good": "node-1"}
    with pytest.raises(UsageError, match=r"There is no node node-9(.|\n)*node-1"):
        cluster.drain("node-9")
