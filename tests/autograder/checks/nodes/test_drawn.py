"""What is drawn for the tasks of lesson 04 can be solved, and asks for what the task is about."""

from __future__ import annotations

from typing import Any

import pytest

from autograder.checks.nodes import density, drain, packing
from autograder.checks.nodes.placement import first_nodes, nodes_from, pods_from
from autograder.framework.dice import Dice
from lab.box.machine import Machine
from lab.objects.node import Node, fits, schedule
from lab.objects.quantity import NOTHING, Resources

NODE = f"{density.CPU_M}m {density.MEMORY_MI}Mi"


def test_what_is_drawn_can_be_solved() -> None:
    for seed in range(8):
        drawn = packing.draw(Dice(seed), "packing-abcd")
        pods, nodes = pods_from(drawn["pods"]), nodes_from(drawn["nodes"])  # type: ignore[arg-type]
        (pending,) = schedule(pods, nodes).pending
        assert [it.name for it in pods if not any(fits(it, node) for node in nodes)] == [pending]
        assert len(packing.first_fit(pods, nodes)) < len(pods) - 1


@pytest.mark.parametrize("seed", range(20))
def test_services_that_are_drawn_need_a_node_more_than_their_sum_whoever_places_them(seed: int) -> None:
    services = pods_from(density.draw(Dice(seed), "density-abcd")["services"])  # type: ignore[arg-type]
    fewest = fewest_by_subsets([it.requests for it in services])
    assert density.fewest_nodes(services) == fewest == density.by_sum(services) + 1
    assert not schedule(services, nodes_from(f"n{one} {NODE}" for one in range(fewest))).pending


def test_what_the_scheduler_wastes_is_not_taken_for_the_least() -> None:
    dice, wasted = Dice(1), 0
    for _ in range(60):
        lines = [f"p{one} {50 * dice.integer(5, 11)}m {16 * dice.integer(2, 6)}Mi" for one in range(density.COUNT)]
        pods = pods_from(lines)
        fewest = density.fewest_nodes(pods)
        assert fewest == fewest_by_subsets([it.requests for it in pods])
        wasted += bool(schedule(pods, nodes_from(f"n{one} {NODE}" for one in range(fewest))).pending)
    assert wasted  # or the draw would not have to ask


def fewest_by_subsets(asked: list[Resources]) -> int:
    """The least number of nodes, from what every subset needs: another way than the check's, to compare with."""
    room, every = Node("n", Machine(), *NODE.split()).capacity, range(1, 1 << len(asked))
    sums = {subset: sum((it for one, it in enumerate(asked) if subset >> one & 1), NOTHING) for subset in every}
    full = [subset for subset, needs in sums.items() if needs.cpu <= room.cpu and needs.memory <= room.memory]
    needed = {0: 0}
    for subset in every:
        lowest = subset & -subset
        needed[subset] = 1 + min(needed[subset & ~one] for one in full if one & lowest and one & subset == one)
    return needed[every[-1]]


@pytest.mark.parametrize("seed", range(20))
def test_a_node_that_is_drawn_can_be_drained_onto_both_others_and_not_onto_one(seed: int) -> None:
    drawn: dict[str, Any] = dict(drain.draw(Dice(seed), "drain-abcd"))
    first, pods = first_nodes(drawn["pods"]), {it.name: it for it in pods_from(drawn["pods"])}
    going = [pods[name] for name, node in first.items() if node == drawn["node"]]
    others = [node for node in nodes_from(drawn["nodes"]) if node.name != drawn["node"]]
    held = {node.name: [pods[name] for name, there in first.items() if there == node.name] for node in others}
    assert (len(going), [len(there) for there in held.values()]) == (3, [1, 1])
    assert [bool(schedule(going, [node], held).pending) for node in others] == [True, True]
    in_order = sorted(going, key=lambda it: it.name)
    there = {name: list(pods) for name, pods in held.items()}
    for it in in_order:
        there[schedule([it], others, there).placements[it.name]].append(it)
