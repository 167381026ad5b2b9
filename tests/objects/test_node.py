"""The scheduler: no node over its capacity, and whoever fits nowhere is told why."""

from __future__ import annotations

import itertools
import random

import pytest

from lab.box.errors import UsageError
from lab.box.machine import Machine
from lab.objects.node import Node, fits, schedule, why_not
from lab.objects.quantity import NOTHING, Resources
from lab.objects.spec import PodSpec, read
from tests.objects.manifests import pod, sized

PUBLISHES = [{"containerPort": 8080, "hostPort": 8081}]


def node(number: int = 1, cpu: str = "1", memory: str = "128Mi") -> Node:
    return Node(f"node-{number}", Machine(), cpu, memory)


def wants(name: str, cpu: str = "100m", memory: str = "32Mi", **more: object) -> PodSpec:
    return read(sized(name, cpu, memory, **more))


def test_the_room_that_is_left_decides() -> None:
    there = [wants("a", "500m", "64Mi")]
    assert fits(wants("b", "500m", "64Mi"), node(), there)
    assert why_not(wants("b", "500m", "65Mi"), node(), there) == "too little memory: 65Mi asked, 64Mi free"
    assert why_not(wants("b", "501m", "64Mi"), node(), there) == "too little cpu: 501m asked, 500m free"
    both = "too little cpu: 2000m asked, 500m free, too little memory: 1024Mi asked, 64Mi free"
    assert why_not(wants("b", "2", "1Gi"), node(), there) == both


def test_a_full_node_takes_who_asks_for_nothing() -> None:
    assert fits(wants("b", "0", "0"), node(), [wants("a", "1", "128Mi"), wants("c", "1", "128Mi")])


def test_a_port_of_the_machine_is_room_too() -> None:
    there = [wants("a", ports=PUBLISHES)]
    assert why_not(wants("b", ports=PUBLISHES), node(), there) == "port 8081 (TCP) is taken"
    plan = schedule([wants(name, ports=PUBLISHES) for name in "abc"], [node(1), node(2)])
    assert set(plan.placements.values()) == {"node-1", "node-2"}
    assert list(plan.pending.values()) == ["node-1: port 8081 (TCP) is taken; node-2: port 8081 (TCP) is taken"]


def test_a_pod_goes_where_the_labels_are_that_it_asks_for() -> None:
    fast = Node("node-2", Machine(), "1", "128Mi", {"disk": "ssd"})
    wanting = read(pod(nodeSelector={"disk": "ssd", "kubernetes.io/os": "linux"}))
    assert schedule([wanting], [node(1), fast]).placements == {"web": "node-2"}
    assert schedule([wanting], [node(1)]).pending == {"web": "node-1: no label disk=ssd"}
    by_name = read(pod(nodeSelector={"kubernetes.io/hostname": "node-1"}))
    assert schedule([by_name], [fast, node(1)]).placements == {"web": "node-1"}
    assert len({node(1), fast}) == 2


def test_who_fits_nowhere_is_pending_and_says_why_of_each_node() -> None:
    plan = schedule([wants("big", "100m", "128Mi")], [node(1, memory="64Mi"), node(2, cpu="50m", memory="1Gi")])
    assert plan.placements == {}
    assert plan.pending == {"big": "node-1: too little memory: 128Mi asked, 64Mi free; node-2: too little cpu: 100m asked, 50m free"}
    assert repr(plan).startswith("big is pending: node-1")
    assert schedule([wants("a")], []).pending == {"a": "there is no node"}


def test_large_pods_go_first_so_that_the_small_ones_fill_the_gaps() -> None:
    """In the order that they come in, the two small ones would take the room of a large one."""
    pods = [
        wants("small-1", memory="32Mi"),
        wants("small-2", memory="32Mi"),
        wants("large-1", memory="96Mi"),
        wants("large-2", memory="96Mi"),
    ]
    for order in itertools.permutations(pods):
        plan = schedule(order, [node(1), node(2)])
        assert plan.pending == {}
        assert plan.placements["large-1"] != plan.placements["large-2"]


def test_nodes_are_filled_up_one_after_the_other() -> None:
    plan = schedule([wants(f"p-{number}") for number in range(4)], [node(1), node(2), node(3)])
    assert set(plan.placements.values()) == {"node-1"}


def test_pods_that_are_there_count() -> None:
    plan = schedule([wants("c")], [node(1, memory="64Mi"), node(2, memory="64Mi")], {"node-1": [wants("a"), wants("b")]})
    assert plan.placements == {"c": "node-2"}


def test_whatever_is_asked_no_node_is_over_its_capacity_and_no_pod_is_lost() -> None:
    dice = random.Random(5)  # noqa: S311
    for _ in range(200):
        nodes = [node(number, f"{dice.randint(0, 20) * 100}m", f"{dice.randint(0, 8) * 32}Mi") for number in range(dice.randint(1, 4))]
        pods = [
            wants(f"p-{number}", f"{dice.randint(0, 10) * 100}m", f"{dice.randint(1, 6) * 32}Mi") for number in range(dice.randint(0, 9))
        ]
        plan = schedule(pods, nodes)
        assert plan.placements.keys() | plan.pending.keys() == {pod.name for pod in pods}
        assert not plan.placements.keys() & plan.pending.keys()
        for one in nodes:
            there = [pod for pod in pods if plan.placements.get(pod.name) == one.name]
            left = one.capacity - sum((pod.requests for pod in there), NOTHING)
            assert min(left.cpu, left.memory) >= 0
            assert not any(fits(pod, one, there) for pod in pods if pod.name in plan.pending)


def test_a_node_says_its_room_as_kubernetes_does() -> None:
    assert node(cpu="1500m", memory="1Gi").capacity == Resources(1500, 2**30)
    with pytest.raises(UsageError, match="node-1: memory: '1 GB' is not an amount"):
        node(memory="1 GB")


def test_names_tell_apart() -> None:
    with pytest.raises(UsageError, match="2 pods are called a"):
        schedule([wants("a"), wants("a")], [node()])
    with pytest.raises(UsageError, match="2 nodes are called node-1"):
        schedule([], [node(), node()])
