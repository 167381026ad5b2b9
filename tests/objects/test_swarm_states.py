"""What a Swarm says about its tasks is read right, also what rarely happens."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.box.errors import CourseError
from lab.objects.node import Node
from lab.objects.swarm import POD, Swarm

REPORTED = {"Description": {"Resources": {"NanoCPUs": 2 * 10**9, "MemoryBytes": 2**30}}}


def swarm(*tasks: dict[str, Any]) -> Swarm:
    """Two nodes, n1 and n2, and a service for one pod, web."""

    def node(name: str) -> Node:
        api = SimpleNamespace(
            info=lambda: {"Swarm": {"NodeID": name}},
            nodes=lambda: [REPORTED] * 2,
            services=lambda _: [{"ID": "s", "Spec": {"Labels": {POD: "web"}}}],
            tasks=lambda *_: list(tasks),
        )
        machine: Any = SimpleNamespace(docker=SimpleNamespace(api=api))
        return Node(name, machine, "1", "1Gi")

    return Swarm([node("n1"), node("n2")])


def task(node: str, state: str, wanted: str = "running") -> dict[str, Any]:
    return {"ServiceID": "s", "NodeID": node, "DesiredState": wanted, "Status": {"State": state, "Message": "", "Err": "as it says"}}


def test_a_task_that_the_swarm_has_moved_is_where_it_is_now() -> None:
    """On a slow machine a Swarm may not hear of a node in time."""
    placements, pending = swarm(task("n1", "shutdown", "shutdown"), task("n1", "orphaned", "shutdown"), task("n2", "running"))._placed()
    assert (placements, pending) == ({"web": "n2"}, {})


def test_a_task_that_is_on_its_way_is_waited_for_and_one_without_a_node_is_not() -> None:
    with pytest.raises(BlockingIOError, match="web is starting"):
        swarm(task("n1", "starting"))._placed()
    assert swarm(task("", "pending"))._placed() == ({}, {"web": "as it says"})


@pytest.mark.parametrize("state", ["failed", "rejected", "complete"])
def test_a_task_that_has_ended_by_itself_is_an_error(state: str) -> None:
    with pytest.raises(CourseError, match=f"web, and it does not run(.|\n)*{state}: as it says"):
        swarm(task("n1", state, "shutdown"), task("n2", "running"))._placed()
